import json

import numpy as np
import pytest

from skel_data import BadFile, missing_joints, summarise


def test_counts(make_store, make_clip):
    clips = [
        make_clip(0, (5, 1, 5, 3), subject=0, camera=2),
        make_clip(1, (7, 2, 5, 3), subject=1, camera=2, tracks=np.array([[1, 0]] * 6 + [[1, 4]])),
        make_clip(1, (9, 1, 5, 3), label=-1),
    ]
    store = make_store([*clips, BadFile("x", "bad")], subject_names=("ann", "bob"))
    told = summarise(store)
    assert json.loads(json.dumps(told)) == told
    assert told["frames"] == {
        "min": 5, "lower quartile": 6, "median": 7, "upper quartile": 8, "max": 9, "sum": 21,
    }  # fmt: skip
    assert told["bodies"] == {"1": 2, "2": 1}
    assert (told["subjects"], told["cameras"], told["setups"]) == ({"ann": 1, "bob": 1}, {"2": 2}, {})
    assert (told["classes"], told["unlabelled"]) == ({"a": 1, "b": 1}, 1)
    assert (told["bad_files"], told["missing_joints"]) == ({"x": "bad"}, {})


def test_missing_joints_are_those_of_present_bodies(make_store, make_clip):
    gaps = make_clip(0, (4, 2, 5, 3)).positions.copy()
    gaps[:, 1] = 0
    gaps[0, 0, 2], gaps[1, 0, 2, 1], gaps[3, 0, 4] = 0, np.nan, 0
    store = make_store([make_clip(0, (4, 2, 5, 3)), make_clip(0)])
    assert missing_joints(store).tolist() == [0] * 5
    clip = make_clip(0)
    store = make_store([type(clip)(gaps, "gaps")], name="gaps.store")
    assert missing_joints(store) == pytest.approx([0, 0, 2 / 4, 0, 1 / 4])
    assert summarise(store)["missing_joints"] == {"right hip": 0.5, "right knee": 0.25}
