import json

import numpy as np
import pytest

from skel_data import get_layout, get_split, import_dataset


def clip(frames, label="jump", index=0):
    data = [
        {
            "frame_index": number,
            "skeleton": [
                {"pose": joints[:, :2].reshape(-1).tolist(), "score": joints[:, 2].tolist()}
                for joints in people
            ],
        }
        for number, people in enumerate(frames, 1)
    ]
    return {"data": data, "label": label, "label_index": index}


def joints(seed):
    return np.random.default_rng(seed).uniform(0.1, 1, (18, 3)).round(3)


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def load(tmp_path):
    def run(source=tmp_path / "k"):
        return import_dataset("kinetics-skeleton", source, tmp_path / "a.store", overwrite=True)

    return run


def test_clips_parts_and_labels(tmp_path, load):
    folder = tmp_path / "k"
    write(folder / "kinetics_train", "a", clip([[joints(0)], [], [joints(1), joints(2)]]))
    write(folder / "kinetics_train", "b", clip([[joints(3)]], "wave", 1))
    write(folder / "kinetics_val", "c", clip([[joints(4)]], "wave", 1))
    store = load()
    assert (store.layout, store.classes) == (get_layout("openpose-18"), ("jump", "wave"))
    assert (store.names.tolist(), store.labels.tolist()) == (["a", "b", "c"], [0, 1, 1])
    assert get_split(store).train.tolist() == [0, 1]
    assert store.clip(0).shape == (3, 2, 18, 3)
    assert np.array_equal(store.clip(0)[0, 0], joints(0).astype(np.float32))
    assert not store.clip(0)[1].any()


@pytest.mark.parametrize("beside", [True, False])
def test_a_label_file_comes_first(tmp_path, load, beside):
    folder = tmp_path / "k" / "kinetics_train"
    for name in "abc":
        write(folder, name, clip([[joints(0)]], "own", 5))
    facts = {"a": {"has_skeleton": True, "label": "x", "label_index": 1}}
    facts["b"] = {"has_skeleton": False, "label": "y", "label_index": 0}
    write(tmp_path / "k", "kinetics_train_label", facts)
    store = load(folder if beside else tmp_path / "k")
    assert (store.names.tolist(), store.labels.tolist(), store.classes) == (["a", "c"], [1, -1], ("y", "x"))
    (bad,) = store.bad_files
    assert (bad.name.rpartition("/")[2], bad.listed) == ("b.json", True)


def test_names_are_json_text(tmp_path, load):
    write(tmp_path / "k", "a", clip([[joints(0)]], 'a "b" \u00e9'))
    assert load().classes == ('a "b" \u00e9',)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "no list of frames"),
        ({"data": [1]}, "no list of frames"),
        ({"data": [{"frame_index": "1"}]}, "frame_index must be"),
        (
            clip([[joints(0)]])["data"] * 2 and {"data": clip([[joints(0)]])["data"] * 2},
            "frame_index must be",
        ),
        ({"data": [{"frame_index": 1, "skeleton": [{"pose": [1.0] * 36, "score": [1.0]}]}]}, "36 numbers"),
        (clip([[], []]), "no person in any of 2 frames"),
    ],
)
def test_files_that_are_none(tmp_path, load, content, reason):
    write(tmp_path / "k", "a", clip([[joints(0)]]))
    write(tmp_path / "k", "b", content)
    store = load()
    assert reason in store.bad_files[0].reason


def test_classes_that_contradict(tmp_path, load):
    write(tmp_path / "k", "a", clip([[joints(0)]]))
    write(tmp_path / "k", "b", clip([[joints(0)]], "wave", 0))
    with pytest.raises(ValueError, match="class 0 is 'wave', but 'jump'"):
        load()


def test_a_label_file_that_is_none(tmp_path, load):
    write(tmp_path / "k", "a", clip([[joints(0)]]))
    write(tmp_path / "k", "a_label", {"a": {"label": "x"}})
    with pytest.raises(ValueError, match="'a' has no label_index"):
        load()
