import json

import numpy as np

from skel_data import Store, validate_store


def test_a_store_as_written_is_sound(make_store, make_clip):
    clips = [make_clip(0), make_clip(1, (5, 2, 5, 3), tracks=np.array([[7, 0]] * 5))]
    assert validate_store(make_store(clips)) == []
    assert validate_store(make_store(clips, name="named.store", listed_names=["xsub"])) == []


def test_every_change_is_found(make_store, make_clip):
    store = make_store([make_clip(0), make_clip(1)])
    frames = np.load(store.path / "frames.npy", mmap_mode="r+")
    frames[-1, 0, 0] += 1e-3
    frames.flush()
    assert validate_store(Store.open(store.path)) == [
        "clip 1, clip 1: its coordinates are not those that were written"
    ]
    frames[-1, 0, 0] = make_clip(1).positions[-1, 0, 0, 0]
    frames.flush()
    assert validate_store(Store.open(store.path)) == []

    tracks = np.load(store.path / "tracks.npy", mmap_mode="r+")
    tracks[3] += 1
    tracks.flush()
    assert "body ids" in validate_store(Store.open(store.path))[0]
    tracks[3] -= 1
    tracks.flush()

    header = json.loads((store.path / "header.json").read_text())
    (store.path / "header.json").write_text(json.dumps({**header, "classes": ["b"]}))
    wrong = validate_store(Store.open(store.path))
    assert "hash differs" in wrong[0]
    assert wrong[1:] == ["clip 1, clip 1: label 1"]
