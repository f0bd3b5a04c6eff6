import os
import stat
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

import skel_data.pipelines._apply as pipeline_module
from skel_data import (
    AGCN300,
    CTRGCN,
    PIPELINES,
    Clip,
    CrosSCLR50,
    Default,
    apply_pipeline,
    build_clips,
    get_layout,
    stream,
)


def walk(layout, frames=20, seed=0, bodies=1):
    """A body that keeps its shape roughly and walks."""
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(bodies, layout.num_joints, layout.dims)) + 3
    way = np.linspace(0, 1, frames)[:, None, None, None] * rng.normal(size=layout.dims)
    clip = shape + way + 0.05 * rng.normal(size=(frames, *shape.shape))
    if layout.confidence:
        clip = np.concatenate([clip, rng.uniform(0.1, 1, (*clip.shape[:3], 1))], -1)
    return clip.astype(np.float32)


@pytest.mark.parametrize("name", ["ntu-25", "utd-20", "coco-17", "jhmdb-15"])
@pytest.mark.parametrize("confidence", [False, True])
@pytest.mark.parametrize(
    "pipeline",
    [
        *(
            Default(),
            Default(frames=7, bodies=3),
            Default(bodies_by="file"),
            Default(bodies_by="track", ghosts=0.1),
            Default(centre_bodies="root"),
        ),
        *(CrosSCLR50(), CrosSCLR50(frames=9), CrosSCLR50(bodies=1)),
        *(AGCN300(), AGCN300(frames=9, bodies=3), CTRGCN(), CTRGCN(frames=9, few=0)),
    ],
)
def test_shape_for_any_layout(name, confidence, pipeline):
    layout = evolve(get_layout(name), confidence=confidence)
    clips = [walk(layout, frames, bodies=bodies) for frames, bodies in ((20, 1), (3, 2), (1, 1))]
    out = apply_pipeline(pipeline, layout, clips)
    assert out.shape == (3, layout.channels, pipeline.frames, layout.num_joints, pipeline.bodies or 2)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert not out[0, ..., 1:].any()
    assert out[1, ..., 1:2].any() or pipeline.bodies == 1 or pipeline.name == "ctrgcn"  # drops what is brief


@pytest.mark.parametrize(
    "pipeline",
    [Default(), Default(scale=False, face=False), Default(ghosts=0.2), CrosSCLR50(), AGCN300(), CTRGCN()],
)
def test_a_clip_does_not_depend_on_the_others(pipeline, ntu, monkeypatch):
    clips = [walk(ntu, *shape) for shape in ((20, 0, 1), (50, 1, 2), (3, 2, 1), (21, 3, 3))]
    pipeline = evolve(pipeline, bodies=2)
    together = apply_pipeline(pipeline, ntu, clips)
    for clip, expected in zip(clips, together, strict=True):
        np.testing.assert_allclose(apply_pipeline(pipeline, ntu, [clip])[0], expected, atol=1e-5)
    monkeypatch.setattr(pipeline_module, "_BLOCK_BYTES", 1)
    np.testing.assert_allclose(apply_pipeline(pipeline, ntu, clips), together, atol=1e-5)


@given(st.floats(-3.1, 3.1), st.floats(0.01, 100), st.integers(0, 50))
@settings(max_examples=25)
def test_default_does_not_see_place_unit_or_direction(angle, unit, seed):
    layout = get_layout("utd-20")
    clip = walk(layout, seed=seed)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    moved = ((clip - [1, 2, 3]) @ turn.T * unit).astype(np.float32)
    out = apply_pipeline(Default(), layout, [clip, moved])
    np.testing.assert_allclose(out[0], out[1], atol=2e-4)


def test_default_keeps_the_way_and_starts_at_the_origin(ntu):
    clip = walk(ntu)
    out = apply_pipeline(Default(frames=20, scale=False, face=False), ntu, [clip])[0, ..., 0]
    np.testing.assert_allclose(out.transpose(1, 2, 0), clip[:, 0] - clip[0, 0, ntu.center], atol=1e-6)


@pytest.mark.parametrize("pipeline", [Default(frames=16), AGCN300(frames=16)])
def test_each_body_can_stand_at_the_origin(pipeline, ntu):
    clip = walk(ntu, 16, seed=0, bodies=2)
    clip[:3, 1] = clip[0, 0, 4] = 0
    plain = apply_pipeline(pipeline, ntu, [clip])
    for joint, index in (("root", ntu.root), ("neck", ntu.joints.index("neck"))):
        out = apply_pipeline(evolve(pipeline, centre_bodies=joint), ntu, [clip])
        for body in range(2):
            seen = np.flatnonzero(plain[0, ..., body].any((0, 2)))
            np.testing.assert_allclose(out[0, :, seen[0], index, body], 0, atol=1e-6)
            there = out[0, ..., body].any(0)  # (T, V)
            assert there.any(1).tolist() == plain[0, ..., body].any((0, 2)).tolist()
            shift = (plain - out)[0, ..., body][:, there]
            origin = plain[0, :, seen[0], index, body]
            np.testing.assert_allclose(shift, np.repeat(origin[:, None], there.sum(), 1), atol=1e-5)
    with pytest.raises(
        ValueError, match="centre_bodies must be root or a joint of layout 'ntu-25', got 'nose'"
    ):
        apply_pipeline(evolve(pipeline, centre_bodies="nose"), ntu, [clip])


def test_default_scales_bones_to_a_quarter(ntu):
    out = apply_pipeline(Default(frames=20), ntu, [walk(ntu), 40 * walk(ntu, seed=1)])
    lengths = np.linalg.norm(stream(out, "bone", ntu), axis=1).sum(2) / 24
    np.testing.assert_allclose(np.median(lengths[..., 0], 1), 0.25, rtol=1e-5)


def test_default_leaves_2d_upright():
    layout = get_layout("jhmdb-15")
    clip = walk(layout)
    out = apply_pipeline(Default(frames=20), layout, [clip])[0, ..., 0].transpose(1, 2, 0)
    expected = clip[:, 0] - clip[0, 0, layout.center]
    ratio = np.linalg.norm(out) / np.linalg.norm(expected)
    np.testing.assert_allclose(out, ratio * expected, atol=1e-5)


def test_default_carries_confidence_and_drops_joints_without():
    layout = evolve(get_layout("jhmdb-15"), confidence=True)
    clip = walk(layout)
    clip[:, 0, 3, 2] = 0  # never seen
    clip[5, 0, 4, 2] = 0  # missed once
    out = apply_pipeline(Default(frames=20), layout, [clip])[0, ..., 0]
    assert not out[:, :, 3].any()
    np.testing.assert_allclose(out[2, :, 0], clip[:, 0, 0, 2], rtol=1e-6)
    assert out[2, 5, 4] == 0
    np.testing.assert_allclose(out[:2, 5, 4], (out[:2, 4, 4] + out[:2, 6, 4]) / 2, atol=1e-6)


def test_default_with_gaps_is_the_line_between(ntu):
    whole = np.ones((9, 1, 25, 3)) * np.arange(1, 10)[:, None, None, None] + walk(ntu, 1)
    holes = whole.copy()
    holes[3:5] = np.nan
    holes[6, 0, 7] = 0
    first, second = apply_pipeline(Default(), ntu, [whole, holes])
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_empty_frames_at_the_ends_do_not_count(ntu):
    clip = walk(ntu)
    padded = np.concatenate([np.zeros_like(clip[:3]), clip, np.full_like(clip[:2], np.nan)])
    first, second = apply_pipeline(Default(), ntu, [clip, padded])
    assert np.array_equal(first, second)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 3), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
@settings(max_examples=30)
def test_never_nan_whatever_is_missing(seed, frames, bodies, share):
    rng = np.random.default_rng(seed)
    layout = get_layout("kinect-20")
    clip = (10.0 ** rng.integers(-6, 9) * rng.normal(size=(frames, bodies, 20, 3))).astype(np.float32)
    clip[rng.random(clip.shape[:3]) < share] = rng.choice([0, np.nan])
    clip[rng.random(clip.shape) < share / 5] = np.nan
    for pipeline in (
        Default(),
        Default(ghosts=0.5),
        CrosSCLR50(),
        AGCN300(frames=8),
        CTRGCN(frames=8, few=1),
    ):
        out = apply_pipeline(pipeline, layout, [clip])
        assert np.isfinite(out).all()
        if share == 1:
            assert not out.any()


def crossclr50(clip, layout, frames=50):
    """The published procedure for one clip (T, M, V, C), as a loop."""
    start = max(len(clip) - 300, 0) // 2
    clip = clip[start : start + 300, :2]
    out = np.zeros((3, frames, layout.num_joints, 2))
    length = sum(bool(np.abs(frame[0, 0]).sum()) for frame in clip)
    for body in range(clip.shape[1]):
        x = (clip[:, body] - clip[:, body, layout.center : layout.center + 1])[:length].astype(np.float64)
        resized = np.zeros((frames, layout.num_joints, 3))
        for i in range(frames):
            at = min(max((i + 0.5) * length / frames - 0.5, 0), length - 1)
            low = int(at)
            high = min(low + 1, length - 1)
            resized[i] = x[low] + (at - low) * (x[high] - x[low])
        left, right = layout.shoulders
        vector = resized[:, right] - resized[:, left]
        total = vector[:, 2].sum()
        for i in range(frames):
            theta = np.arccos(vector[i, 0] / (np.hypot(vector[i, 0], vector[i, 2]) + 1e-4))
            theta = -theta if total >= 0 else theta
            cos, sin = np.cos(theta), np.sin(theta)
            turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
            out[:, i, :, body] = turn @ resized[i].T
    return out


@pytest.mark.parametrize("name", ["ntu-25", "utd-20"])
def test_crossclr50_is_the_published_procedure(name):
    layout = get_layout(name)
    clips = [walk(layout, *shape) for shape in ((20, 0, 1), (80, 1, 2), (320, 2, 3), (1, 3, 1))]
    clips[1][10:30] = 0  # frames without a body shorten the clip at its end
    clips[1][40:, 1] = 0
    expected = [crossclr50(clip, layout) for clip in clips]
    np.testing.assert_allclose(apply_pipeline(CrosSCLR50(), layout, clips), expected, atol=1e-5)


def test_crossclr50_first_frames_of_version_1(ntu):
    clip = walk(ntu, 320, 2, 3)
    (first,) = apply_pipeline(CrosSCLR50(keep="first"), ntu, [clip])
    np.testing.assert_allclose(first, crossclr50(clip[:300], ntu), atol=1e-5)
    with pytest.raises(ValueError, match="keep"):
        CrosSCLR50(keep="last")


def test_crossclr50_takes_nan_for_absent(ntu):
    clip = walk(ntu, 60, bodies=2)
    holes = clip.copy()
    clip[10:20], clip[30, 1] = 0, 0
    holes[10:20], holes[30, 1] = np.nan, np.nan
    first, second = apply_pipeline(CrosSCLR50(), ntu, [clip, holes])
    assert np.array_equal(first, second)


def test_errors(ntu):
    with pytest.raises(ValueError, match=r"clip 1 has shape \(4, 1, 20, 3\)"):
        apply_pipeline(Default(), ntu, [np.ones((4, 1, 25, 3)), np.ones((4, 1, 20, 3))])
    with pytest.raises(ValueError, match=r"clip 0 .* needs tracks of shape \(4, 1\)"):
        apply_pipeline(Default(), ntu, [np.ones((4, 1, 25, 3))], [np.ones((4, 2))])
    with pytest.raises(ValueError, match="frames"):
        Default(frames=0)
    with pytest.raises(TypeError, match="bodies"):
        Default(bodies=1.5)
    with pytest.raises(ValueError, match="bodies_by"):
        Default(bodies_by="size")
    with pytest.raises(ValueError, match="ghosts"):
        Default(ghosts=1.0)
    with pytest.raises(ValueError, match="layout has no confidence"):
        apply_pipeline(Default(bodies_by="confidence"), ntu, [walk(ntu)])
    with pytest.raises(ValueError, match="candidates"):
        AGCN300(candidates=0)
    with pytest.raises(ValueError, match="noisy"):
        CTRGCN(noisy=-1)
    assert {name: kind.name for name, kind in PIPELINES.items()} == {name: name for name in PIPELINES}


def test_no_clips(ntu):
    assert apply_pipeline(Default(), ntu, []).shape == (0, 3, 64, 25, 1)


@pytest.fixture
def store(make_store, make_clip):
    return make_store([make_clip(0), make_clip(1, (5, 3, 5, 3)), make_clip(2, (9, 1, 5, 3))])


def test_build_clips_is_the_pipeline(store):
    expected = apply_pipeline(
        Default(bodies=2),
        store.layout,
        [store.clip(i) for i in range(3)],
        [store.tracks(i) for i in range(3)],
    )
    for cache in (False, True, True):
        assert np.array_equal(build_clips(store, Default(), cache=cache), expected)
        some = build_clips(store, Default(), indices=np.array([2, 0]), cache=cache)
        assert np.array_equal(some, expected[[2, 0]])
        some[:] = 0  # the cache is not to be seen through what is given


def test_a_cache_in_float16(store):
    expected = build_clips(store, Default())
    for cache in (False, True, True):
        clips = build_clips(store, Default(), cache=cache, dtype=np.float16)
        assert clips.dtype == np.float16
        assert np.array_equal(clips, expected.astype(np.float16))
    some = build_clips(store, Default(), indices=np.array([2, 0]), dtype="float16")
    assert np.array_equal(some, expected[[2, 0]].astype(np.float16))
    assert len(files(store)) == 2
    with pytest.raises(ValueError, match="float32 or float16, got float64"):
        build_clips(store, Default(), dtype=np.float64)


@pytest.mark.parametrize("cache", [False, True])
def test_what_float16_cannot_hold_is_an_error(make_store, make_clip, cache):
    store = make_store([Clip(make_clip(0).positions * 1e6, "far")])
    with pytest.raises(ValueError, match="too large for float16, in units of metres"):
        build_clips(store, Default(scale=False), dtype=np.float16, cache=cache)
    assert not (store.path / "cache").exists() or files(store) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_memory_map_is_the_cache(store, dtype):
    expected = build_clips(store, Default(), cache=False, dtype=dtype)
    for _ in range(2):
        clips = build_clips(store, Default(), mmap=True, dtype=dtype)
        assert isinstance(clips, np.memmap)
        assert not clips.flags.writeable
        assert np.array_equal(clips, expected)
    assert not isinstance(build_clips(store, Default(), dtype=dtype), np.memmap)
    assert not isinstance(build_clips(store, Default(), indices=np.array([1]), dtype=dtype), np.memmap)
    for wrong in ({"cache": False}, {"indices": np.array([0])}):
        with pytest.raises(ValueError, match="cache of the whole store"):
            build_clips(store, Default(), mmap=True, **wrong)


def test_chunks_do_not_show(store, monkeypatch):
    whole = build_clips(store, Default(), cache=False)
    monkeypatch.setattr(pipeline_module, "_CHUNK_BYTES", 1)
    assert np.array_equal(build_clips(store, Default(), cache=False), whole)
    assert np.array_equal(build_clips(store, Default(), mmap=True), whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_memory_for_a_mapped_cache_does_not_grow_with_the_store(make_store, make_clip, monkeypatch, dtype):
    monkeypatch.setattr(pipeline_module, "_CHUNK_BYTES", 2**16)
    peaks = []
    for count in (40, 400):
        store = make_store([make_clip(i) for i in range(count)], f"{count}.store")
        tracemalloc.start()
        clips = build_clips(store, CTRGCN(frames=60, bodies=1, centred=False), mmap=True, dtype=dtype)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert clips.size * 4 > 3 * peaks[1]  # the clips as float32
    assert peaks[1] < 1.2 * peaks[0] + 1e5


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_cache_that_is_not_finished_leaves_nothing(store, monkeypatch, error):
    monkeypatch.setattr(pipeline_module, "_CHUNK_BYTES", 1)
    expected = build_clips(store, Default(), cache=False)
    replace = Path.replace

    def fail(*_):
        raise error

    monkeypatch.setattr(Path, "replace", fail)
    if isinstance(error, OSError):
        assert np.array_equal(build_clips(store, Default()), expected)
        assert np.array_equal(build_clips(store, Default(), mmap=True), expected)
    else:
        with pytest.raises(KeyboardInterrupt):
            build_clips(store, Default())
    assert list((store.path / "cache").iterdir()) == []
    monkeypatch.setattr(Path, "replace", replace)
    assert np.array_equal(build_clips(store, Default()), expected)
    assert len(list((store.path / "cache").iterdir())) == 1


def files(store):
    return sorted(path.name for path in (store.path / "cache").glob("*"))


def test_cache_goes_by_settings_and_content(store, make_store, make_clip, monkeypatch):
    assert not (store.path / "cache").exists()
    build_clips(store, Default(), cache=False)
    assert not (store.path / "cache").exists()
    first = build_clips(store, Default())
    assert len(files(store)) == 1
    build_clips(store, Default(face=False))
    build_clips(store, CTRGCN(frames=9, centred=False))
    assert len(files(store)) == 3
    with monkeypatch.context() as patch:
        patch.setattr(pipeline_module, "apply_pipeline", None)  # from here on only the cache can answer
        assert np.array_equal(build_clips(store, Default()), first)
        with pytest.raises(TypeError):
            build_clips(store, Default(frames=63))
    other = make_store([make_clip(5)], "other.store")
    assert files(other) == []
    assert Clip(other.clip(0), "x").positions.shape == (7, 1, 5, 3)


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_cache_is_made_anew(store, damage):
    first = build_clips(store, Default())
    path = store.path / "cache" / files(store)[0]
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    assert np.array_equal(build_clips(store, Default()), first)
    assert np.array_equal(np.load(path), first)


def test_a_read_only_store_is_not_cached(store, monkeypatch):
    expected = build_clips(store, Default(), cache=False)
    if os.geteuid() == 0:  # root may write anywhere: refuse in its place

        def refuse(*_, **__):
            raise PermissionError("read-only")

        monkeypatch.setattr(Path, "mkdir", refuse)
    else:
        store.path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert np.array_equal(build_clips(store, Default()), expected)
    finally:
        store.path.chmod(stat.S_IRWXU)
    assert not (store.path / "cache").exists()
