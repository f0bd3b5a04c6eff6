"""What is read again is checked again: no damage reaches a result in silence."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from skel_data import Default, Store, build_clips, convert_store, merge_stores, validate_store
from skel_data.files import check_all_blocks
from skel_recipes import Run, embed_windows, evaluate, pretrain


def halve(array):
    array[len(array) // 2 :] = 0


def permute(array):
    array[:] = array[::-1].copy()


def one_hot(array):
    array[:] = 0
    array.reshape(len(array), -1)[np.arange(len(array)), np.arange(len(array)) % 3] = 1


def one_bit(array):
    array.reshape(-1).view(np.uint8)[array.nbytes // 3] ^= 1


DAMAGE = [halve, permute, one_hot, one_bit]


def write_over(file, damage):
    array = np.load(file, mmap_mode="r+")
    damage(array)
    array.flush()


@pytest.fixture
def cache(own_store):
    """The clip cache of a store, and the clips."""
    clips = build_clips(own_store, Default())
    (file,) = (own_store.path / "cache").glob("*.npy")
    return file, clips


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_clip_cache_that_was_written_over(own_store, cache, damage, caplog):
    file, clips = cache
    write_over(file, damage)
    assert "is damaged" in validate_store(own_store)[0]
    assert not caplog.text
    np.testing.assert_array_equal(build_clips(own_store, Default()), clips)
    assert f"{file} is damaged: block" in caplog.text
    assert "made again" in caplog.text
    caplog.clear()
    np.testing.assert_array_equal(build_clips(own_store, Default(), mmap=True), clips)
    assert not caplog.text
    assert validate_store(own_store) == []


def test_damage_that_left_the_time_as_it_was(own_store, cache, flip):
    """As of a disk: what an opening does not sample, `validate` finds."""
    file, _ = cache
    before = file.stat()
    flip(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "is damaged: block" in validate_store(own_store)[0]


@pytest.mark.parametrize("change", ["cut", "more", "digests", "seal", "length", "empty", "folder"])
def test_a_cache_whose_digests_were_damaged(own_store, cache, change, flip, caplog):
    file, clips = cache
    data = file.read_bytes()
    match change:
        case "cut":
            file.write_bytes(data[:-100])
        case "more":
            file.write_bytes(data + b"x")
        case "digests":
            flip(file, len(data) - 200)
        case "seal":
            flip(file, len(data) - 30)
        case "length":
            file.write_bytes(data[:-24] + b"\xff" * 8 + data[-16:])
        case "empty":
            file.write_bytes(b"")
        case "folder":
            file.unlink()
            file.mkdir()
    np.testing.assert_array_equal(build_clips(own_store, Default()), clips)
    assert str(file) in caplog.text


def test_a_cache_of_other_clips_under_this_name(own_store, cache, caplog):
    file, clips = cache
    build_clips(own_store, Default(face=False))
    (other,) = set(file.parent.glob("*.npy")) - {file}
    shutil.copy(other, file)
    np.testing.assert_array_equal(build_clips(own_store, Default()), clips)
    assert "something else than its name says" in caplog.text


def test_caches_of_earlier_versions_are_made_anew(own_store, cache, caplog):
    file, clips = cache
    np.save(file, clips + 1)
    np.testing.assert_array_equal(build_clips(own_store, Default()), clips)
    assert "has no digests: an earlier version wrote it" in caplog.text


def test_a_copied_cache_is_checked_and_used(own_store, cache, caplog):
    file, clips = cache
    stamp = file.stat().st_mtime_ns
    os.utime(file)
    np.testing.assert_array_equal(build_clips(own_store, Default()), clips)
    assert not caplog.text
    assert file.stat().st_mtime_ns == stamp


def test_every_flipped_byte_of_a_recording_is_found(own_store, own_run, tmp_path, flip):
    flip(own_store.path / "frames.npy")
    (told,) = validate_store(Store.open(own_store.path))
    assert "its coordinates are not those that were written" in told
    said = r"the coordinates of clip \d+, '.*', are not those that were written; import it again"
    for use in (
        lambda store: build_clips(store, Default()),
        lambda store: build_clips(store, Default(), cache=False),
        lambda store: merge_stores([store, store], tmp_path / "merged.store"),
        lambda store: convert_store(store, tmp_path / "converted.store", store.layout),
        lambda store: evaluate(own_run, store, "knn"),
        lambda store: embed_windows(own_run, store, length=8, step=4),
    ):
        with pytest.raises(ValueError, match=said):
            use(Store.open(own_store.path))
    assert not list(tmp_path.glob("*merged*")) + list(tmp_path.glob("*converted*"))
    assert not list((own_store.path / "cache").glob("*"))


@pytest.mark.parametrize("column", ["label", "subject", "length", "tracks"])
def test_changed_metadata_are_not_trained_or_evaluated_with(own_store, own_run, tmp_path, tiny, column):
    if column == "tracks":
        tracks = np.load(own_store.path / "tracks.npy", mmap_mode="r+")
        tracks[3] += 1
        tracks.flush()
    else:
        with np.load(own_store.path / "clips.npz") as file:
            table = {name: file[name] for name in file.files}
        table[column] = table[column][::-1]
        np.savez(own_store.path / "clips.npz", **table)
    said = "not those that were written|clips do not lie one after another"
    for use in (
        lambda store: pretrain(tiny("compact"), store, tmp_path / "run"),
        lambda store: evaluate(own_run, store, "knn"),
        lambda store: build_clips(store, Default()),
    ):
        with pytest.raises(ValueError, match=said):
            use(Store.open(own_store.path))
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_features_that_were_written_over(own_store, own_run, damage, caplog):
    first = evaluate(own_run, own_store, "linear")
    for file in (own_run.path / "features").glob("*.npy"):
        write_over(file, damage)
    shutil.rmtree(own_run.path / "baselines")
    again = evaluate(Run.open(own_run.path), own_store, "linear")
    assert again.metrics == first.metrics
    np.testing.assert_array_equal(again.predictions.classes, first.predictions.classes)
    assert "is damaged: block" in caplog.text
    for file in (own_run.path / "features").glob("*.npy"):
        check_all_blocks(file)


def test_a_result_of_a_baseline_that_was_written_over(own_store, own_run, caplog):
    first = evaluate(own_run, own_store, "knn")
    files = [*(own_run.path / "baselines").glob("*.json"), *own_store.path.glob("cache/baselines/*.json")]
    assert len(files) == 3
    for file in files:
        result = json.loads(file.read_text())
        result["metrics"]["accuracy"]["value"] = 0.0
        file.write_text(json.dumps(result))
    again = evaluate(own_run, own_store, "knn")
    assert [one.metrics for one in again.baselines] == [one.metrics for one in first.baselines]
    assert caplog.text.count("it is measured again") == 3
    assert [one.metrics for one in evaluate(own_run, own_store, "knn").baselines] == [
        one.metrics for one in first.baselines
    ]


def test_one_flipped_bit_of_the_weights(own_run, own_store, flip):
    file = own_run.path / "encoder.safetensors"
    flip(file)
    with pytest.raises(ValueError, match="encoder.safetensors is damaged.* skel pretrain --resume") as told:
        evaluate(own_run, own_store, "knn")
    assert "weights_only" not in str(told.value)


def test_files_reach_the_disk_before_they_get_their_name(own_store, own_run, tmp_path, monkeypatch):
    """Of every file that is renamed to its name, the content was brought to the disk before."""
    synced, bad, renamed = set(), [], []
    fsync, replace = os.fsync, os.replace

    def note_sync(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def note_replace(old, new, **more):
        renamed.append(str(new))
        if Path(old).stat().st_ino not in synced:
            bad.append(str(new))
        replace(old, new, **more)

    monkeypatch.setattr(os, "fsync", note_sync)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, note_replace)
    evaluate(own_run, own_store, "linear")
    merge_stores([own_store, own_store], tmp_path / "merged.store")
    kinds = {name.rpartition(".")[2] for name in renamed}
    assert {"npy", "json", "npz", "digest", "store"} <= kinds
    assert bad == []
