import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from skel_data import BadFile, Clip, DatasetInfo, Source, get_layout, import_dataset, write_store
from skel_data.readers.mocap._acclaim import find_motions
from skel_data.readers.mocap._cmu import CMU_MOCAP
from skel_data.readers.mocap._hdm05 import HDM05

LAYOUT = get_layout("hdm05-31")


def asf(length=0.45, name="root"):
    """A skeleton whose bones are all 1 long and point up."""
    text = f":units\nlength {length}\nangle deg\n:root\naxis XYZ\norder TX TY TZ RX RY RZ\n:bonedata\n"
    for joint in LAYOUT.joints[1:]:
        text += f"begin\nname {joint}\ndirection 0 1 0\nlength 1\naxis 0 0 0 XYZ\ndof rx\nend\n"
    text += ":hierarchy\nbegin\n"
    for child, parent in LAYOUT.bones:
        text += f"{LAYOUT.joints[parent]} {LAYOUT.joints[child]}\n"
    return text + "end\n"


AMC = ":FULLY-SPECIFIED\n:DEGREES\n1\nroot 0 4.5 0 0 0 0\n2\nroot 9 0 0 0 0 0\nhead 90\n"


@pytest.fixture
def folder(tmp_path):
    """Make a source of files by name."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Source(tmp_path / "set")

    return make


def by_name(entries):
    return {entry.name: entry for entry in entries}


def test_hdm05(folder):
    source = folder(
        {
            "train/2/HDM_bd_squat1Reps_007_120.amc": AMC,
            "train/2/HDM_bd.asf": asf(),
            "test/1/HDM_mm_clap_001_120.AMC": AMC,
            "test/1/HDM_mm.asf": asf(),
            "HDM_bd_01-02_03_120.amc": AMC,  # its skeleton lies elsewhere
        }
    )
    info, _ = HDM05.describe(source, None)
    assert (info.layout, info.classes, info.units) == (LAYOUT, ("clap", "squat1Reps"), "metres")
    assert info.subject_names == ("bd", "bk", "dg", "mm", "tr")
    clips = by_name(HDM05.read(source))
    assert len(clips) == 3
    for name, expected in {
        "HDM_bd_squat1Reps_007_120": (1, 0, 7, 1),
        "HDM_mm_clap_001_120": (0, 3, 1, 2),
        "HDM_bd_01-02_03_120": (-1, 0, 3, 0),
    }.items():
        clip = clips[name]
        assert isinstance(clip, Clip), clip
        assert (clip.label, clip.subject, clip.replication, clip.split) == expected
        assert clip.rate == 120
        assert clip.positions.shape == (2, 1, 31, 3)


def test_metres(folder):
    source = folder({"HDM_bd_squat_007_120.amc": AMC, "HDM_bd.asf": asf()})
    positions = by_name(HDM05.read(source))["HDM_bd_squat_007_120"].positions[:, 0]
    unit = 0.0254 / 0.45
    np.testing.assert_allclose(positions[:, 0], [[0, 4.5 * unit, 0], [9 * unit, 0, 0]], rtol=1e-6)
    head, neck = LAYOUT.joints.index("head"), LAYOUT.joints.index("upperneck")
    np.testing.assert_allclose(
        positions[:, head] - positions[:, neck], [[0, unit, 0], [0, 0, unit]], atol=1e-6
    )
    bones = [positions[:, child] - positions[:, parent] for child, parent in LAYOUT.bones]
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), unit, rtol=1e-5)


def test_cmu(folder, tmp_path):
    source = folder({"subjects/07/07_12.amc": AMC, "subjects/07/07.asf": asf()})
    store = write_store(
        tmp_path / "store",
        CMU_MOCAP.read(source),
        DatasetInfo(get_layout(CMU_MOCAP.layout), CMU_MOCAP.classes, CMU_MOCAP.units),
        source="",
    )
    assert (store.names.tolist(), store.subjects.tolist(), store.labels.tolist()) == (["07_12"], [7], [-1])
    np.testing.assert_allclose(store.clip(0)[0, 0, 0], [0, 0.254, 0], rtol=1e-6)


def test_frame_rate_of_cmu_is_given_or_missed(folder, tmp_path):
    """The files do not give a frame rate: none is assumed, and an import says which clips keep theirs."""
    source = folder({"07_12.amc": AMC, "07.asf": asf()}).path
    made = import_dataset("cmu-mocap", source, tmp_path / "a.store", rate=30)
    assert (made.rates.tolist(), made.lengths.tolist()) == ([0], [2])
    assert [note[:24] for note in made.notes] == ["no frame rate is kept: t", "1 clip was not resampled"]
    assert import_dataset("cmu-mocap", source, tmp_path / "b.store", fps=120).rates.tolist() == [120]
    made = import_dataset("cmu-mocap", source, tmp_path / "c.store", fps=120, rate=60)
    assert (made.rates.tolist(), made.lengths.tolist(), made.notes) == ([60], [1], ())
    hdm = folder({"HDM_tr_clap_9_120.amc": AMC, "HDM_tr.asf": asf()}).path
    made = import_dataset("hdm05", hdm, tmp_path / "d.store", fps=60)
    assert (made.rates.tolist(), made.notes) == ([120], ())  # its names tell


@pytest.mark.parametrize(
    ("reader", "files", "bad", "reason"),
    [
        (CMU_MOCAP, {"1_1.amc": AMC}, "1_1.amc", "its skeleton 1.asf is not in set"),
        (CMU_MOCAP, {"walk.amc": AMC, "1.asf": asf()}, "walk.amc", "expected {subject}_{trial}.amc"),
        (CMU_MOCAP, {"1_1.amc": AMC, "1.asf": asf()[:-18]}, "1_1.amc", "in its skeleton: .*:hierarchy"),
        (CMU_MOCAP, {"1_1.amc": "", "1.asf": asf()}, "1_1.amc", "empty file"),
        (CMU_MOCAP, {"1_1.amc": AMC.replace("\n2\n", "\n3\n"), "1.asf": asf()}, "1_1.amc", "frame 3 follows"),
        (
            CMU_MOCAP,
            {"1_1.amc": AMC, "1.asf": asf().replace("head", "hat")},
            "1_1.amc",
            "not that of layout hdm05-31: hat, head differ",
        ),
        (
            CMU_MOCAP,
            {"1_1.amc": AMC, "1.asf": asf().replace("rwrist rthumb", "rhand rthumb")},
            "1_1.amc",
            "hdm05-31: rthumb, rthumb differ",
        ),
        (HDM05, {"HDM_xy_clap_001_120.amc": AMC}, "HDM_xy_clap_001_120.amc", "expected HDM_{actor}_{class}"),
        (HDM05, {"HDM_bd_clap_1_120.amc": AMC}, "HDM_bd_clap_1_120.amc", "HDM_bd.asf is not in set"),
    ],
)  # fmt: skip
def test_bad_files_cost_no_good_one(folder, reader, files, bad, reason):
    good = {"9_1.amc": AMC, "9.asf": asf()}
    if reader is HDM05:
        good = {"HDM_tr_clap_9_120.amc": AMC, "HDM_tr.asf": asf()}
    clips = by_name(reader.read(folder({**files, **good})))
    assert len(clips) == 2
    assert isinstance(clips[bad], BadFile)
    with pytest.raises(ValueError, match=reason):
        raise ValueError(clips[bad].reason)
    assert isinstance(clips[next(iter(good))[:-4]], Clip)


def test_the_skeleton_of_the_folder_comes_first(folder):
    files = {f"{i}/{name}": f"{i}" for i in "123" for name in ("a_1.amc", "a.asf")}
    source = folder({**files, "a.asf": "0", "a_1.amc": "0", "4/a_1.amc": "4"})
    works = list(find_motions(source, lambda *_: None, lambda name: name[0]))
    assert {work.name: work.args[2] for work in works[:-1]} == {
        "a_1.amc": b"0",
        "1/a_1.amc": b"1",
        "2/a_1.amc": b"2",
        "3/a_1.amc": b"3",
    }
    assert works[-1].name == "4/a_1.amc"  # has none of its own


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    if "SKEL_DATA" not in os.environ:
        pytest.skip("SKEL_DATA is not set: no folder with recordings")
    folder = Path(os.environ["SKEL_DATA"]) / "hdm05-11"
    unpacked = tmp_path_factory.mktemp("hdm05")
    with tarfile.open(folder / "hdm05-11_amc_asf.tar.xz") as archive:
        archive.extractall(unpacked, filter="data")
    with np.load(folder / "hdm05_11_joints_30hz.npz") as file:
        return Source(unpacked), dict(file)


@pytest.mark.real_data
def test_hdm05_agrees_with_the_positions_made_by_others(recordings):
    source, made = recordings
    info, _ = HDM05.describe(source, None)
    assert info.classes == tuple(made["class_names"])
    parents = [joint if parent < 0 else parent for joint, parent in enumerate(made["parents"])]
    assert list(info.layout.parents) == parents
    assert info.layout.joints == tuple(name.split("_@_")[-1] for name in made["joint_names"])
    works = list(HDM05.open(source)[1])
    assert len(works) == 288
    stops = np.cumsum(made["lengths"])
    names = made["names"].tolist()
    seen = set()
    for work in works[::16]:
        (clip,) = work.clips()
        assert isinstance(clip, Clip), clip
        if clip.name not in names:  # one of them was not made
            continue
        at = names.index(clip.name)
        positions = made["positions"][stops[at] - made["lengths"][at] : stops[at]]
        # theirs are in inches; a micrometre
        np.testing.assert_allclose(clip.positions[::4, 0], positions * 0.0254, rtol=0, atol=1e-6)
        facts_here = (clip.label, info.subject_names[clip.subject], clip.split)
        assert facts_here == (made["labels"][at], made["subjects"][at], made["split"][at])
        bones = [clip.positions[:, 0, a] - clip.positions[:, 0, b] for a, b in info.layout.bones]
        assert np.ptp(np.linalg.norm(bones, axis=-1), axis=1).max() < 1e-6
        seen.add(facts_here[1:])
    assert len(seen) == 5
