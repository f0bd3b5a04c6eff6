import pickle
import re
import tarfile

import numpy as np
import pytest

from skel_data import get_layout, get_split, import_dataset

NAMES = [
    f"S00{s}C00{c}P00{p}R00{r}A0{a:02}"
    for s, c, p, r, a in [(1, 2, 3, 1, 1), (2, 1, 3, 2, 60), (1, 3, 8, 1, 5)]
]


def annotation(name=NAMES[0], label=0, shape=(1, 6, 25, 3), score=False, **changes):
    random = np.random.default_rng(0)
    fields = {
        "frame_dir": name,
        "label": label,
        "total_frames": shape[1],
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
        "keypoint": random.normal(size=shape).astype(np.float16),
    }
    if score:
        fields["keypoint_score"] = random.uniform(0.5, 1, shape[:3]).astype(np.float16)
    return {**fields, **changes}


@pytest.fixture
def load(tmp_path):
    """Import what is pickled."""

    def run(content, layout=None, protocol=4, name="mine.pkl", **settings):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
        return import_dataset("pyskl", path, tmp_path / "a.store", layout=layout, overwrite=True, **settings)

    return run


@pytest.mark.parametrize("protocol", range(6))
def test_three_dimensions(load, protocol):
    annotations = [
        annotation(NAMES[0], 0),
        annotation(NAMES[1], 59, (2, 4, 25, 3)),
        annotation(NAMES[2], np.int64(4)),
    ]
    store = load({"split": {}, "annotations": annotations}, protocol=protocol)
    assert store.layout == get_layout("ntu-25")
    assert (store.dataset, store.units, store.listed_split) == ("mine", "metres", None)
    assert store.names.tolist() == NAMES
    assert store.labels.tolist() == [0, 59, 4]
    assert store.classes[59] == "walking apart from each other"
    assert store.setups.tolist() == [1, 2, 1]
    assert store.cameras.tolist() == [2, 1, 3]
    assert store.subjects.tolist() == [3, 3, 8]
    assert store.replications.tolist() == [1, 2, 1]
    for i, item in enumerate(annotations):
        assert np.array_equal(store.clip(i), item["keypoint"].transpose(1, 0, 2, 3).astype(np.float32))


def test_two_dimensions_and_score(load):
    item = annotation("v_dive", 2, (2, 5, 17, 2), score=True)
    item["keypoint"][1, 3:] = item["keypoint_score"][1, 3:] = 0
    store = load([item])
    assert store.layout == get_layout("coco-17")
    assert (store.units, store.classes) == ("pixels", ("0", "1", "2"))
    assert np.array_equal(store.clip(0)[..., :2], item["keypoint"].transpose(1, 0, 2, 3).astype(np.float32))
    assert np.array_equal(store.clip(0)[..., 2], item["keypoint_score"].transpose(1, 0, 2).astype(np.float32))
    assert store.tracks(0).tolist() == [[1, 2]] * 3 + [[1, 0]] * 2
    assert store.subjects.tolist() == [-1]


def test_given_layout(load):
    assert load([annotation(shape=(1, 4, 17, 2))], layout="coco-17").layout.channels == 2
    store = load([annotation(shape=(1, 4, 18, 2), score=True)], layout="openpose-18")
    assert (store.layout.name, store.layout.channels) == ("openpose-18", 3)
    with pytest.raises(ValueError, match="18 joints x 2 coordinates with keypoint_score, so a layout"):
        load([annotation(shape=(1, 4, 18, 2), score=True)])
    with pytest.raises(ValueError, match=r"\(25, 3\), layout coco-17 has \(17, 3\)"):
        load([annotation()], layout="coco-17")


def test_classes_are_numbers_unless_the_names_tell(load):
    assert load([annotation(NAMES[0], 3), annotation(NAMES[1], 59)]).classes == tuple(map(str, range(60)))
    store = load([annotation("a", -1), annotation("b", -1)])
    assert (store.classes, store.labels.tolist()) == ((), [-1, -1])


def test_splits_in_the_order_of_the_file(load):
    a, b, c = NAMES
    store = load(
        {
            "split": {
                "xsub_train": [a, b],
                "xsub_val": [c],
                "xview_train": [c, "missing"],
                "xview_val": [a],
                "all": [a, b, c],
            },
            "annotations": [annotation(name) for name in NAMES],
        }
    )
    assert store.listed_split.tolist() == [[1, 2], [1, 0], [2, 1]]
    assert store.notes == (
        "list 'all' (3 clips) is not used",
        "list 'xview_train': 1 of 2 names is not among the clips",
        "split 'xview': 1 of 3 clips is in none of its lists",
    )
    store = load(
        {
            "split": {"train1": [a], "test1": [b], "train2": (b,), "test2": (a,), "val": [c]},
            "annotations": [annotation(name) for name in NAMES],
        }
    )
    assert store.listed_split.tolist() == [[1, 2], [2, 1], [0, 0]]
    assert store.listed_names == ("1", "2")
    assert store.notes == (
        "list 'val' (1 clip) is not used",
        "split '1': 1 of 3 clips is in none of its lists",
        "split '2': 1 of 3 clips is in none of its lists",
    )


TWENTY = [f"v{number}" for number in range(20)]


def clips_with(**lists):
    return {"split": lists, "annotations": [annotation(name) for name in TWENTY]}


@pytest.mark.parametrize(
    ("train", "test", "split"),
    [
        ("train", "valid", "listed"),
        ("training", "testing", "listed"),
        ("train", "dev", "listed"),
        ("train", "validation", "listed"),
        ("Train", "Test", "listed"),
        ("xsub_train", "xsub_valid", "xsub"),
        ("xsub_training", "xsub_validation", "xsub"),
        ("XSub-Train", "xsub.eval", "xsub"),
        ("train_set", "test_set", "listed"),
        ("train1", "test1", "1"),
        ("train_split", "val_split", "listed"),
        ("xviewtrain", "xviewtest", "xview"),
    ],
)
def test_validation_clips_never_go_into_training(load, train, test, split):
    store = load(clips_with(**{train: TWENTY[:14], test: TWENTY[14:]}))
    parts = get_split(store)
    assert (parts.name, store.notes) == (split, ())
    assert store.names[parts.train].tolist() == TWENTY[:14]
    assert store.names[parts.test].tolist() == TWENTY[14:]


def test_three_parts_are_two_splits(load):
    store = load(clips_with(train=TWENTY[:10], val=TWENTY[10:14], test=TWENTY[14:]))
    assert store.listed_names == ("listed", "listed-val")
    for name, start, stop in (("listed", 14, 20), ("listed-val", 10, 14)):
        parts = get_split(store, name)
        assert store.names[parts.train].tolist() == TWENTY[:10]
        assert store.names[parts.test].tolist() == TWENTY[start:stop]
    assert "split 'listed' tests the part test, 'listed-val' the part val" in store.notes


@pytest.mark.parametrize(
    "lists",
    [
        {"train": TWENTY[:14], "holdout": TWENTY[14:]},
        {"a": TWENTY[:14], "b": TWENTY[14:]},
        {"xsub_train": TWENTY[:14], "xview_test": TWENTY[14:]},
        {"train": TWENTY[:14]},
        {"train_test": TWENTY[:14], "contest": TWENTY[14:]},
    ],
)
def test_lists_without_plain_meaning_are_refused(load, lists):
    counts = ", ".join(f"{name!r} ({len(names)} clips)" for name, names in lists.items())
    with pytest.raises(
        ValueError, match=re.escape(f"the lists {counts} are no split: expected train and test")
    ):
        load(clips_with(**lists))


@pytest.mark.parametrize("change", [lambda n: f"{n}.avi", lambda n: f"a/b/{n}", lambda n: f"a/{n}.skeleton"])
@pytest.mark.parametrize("reverse", [False, True])
def test_names_with_and_without_folder_and_suffix(load, change, reverse):
    annotations = [annotation(change(name) if reverse else name) for name in TWENTY]
    names = TWENTY if reverse else [change(name) for name in TWENTY]
    store = load({"split": {"train": names[:14], "test": names[14:]}, "annotations": annotations})
    parts = get_split(store, "listed")
    assert parts.train.tolist() == list(range(14))
    assert parts.test.tolist() == list(range(14, 20))
    assert store.notes == ()


def test_two_dimensions_without_scores(load):
    store = load([annotation(name, shape=(1, 6, 17, 2)) for name in TWENTY[:2]])
    assert (store.layout.joints, store.layout.channels) == (get_layout("coco-17").joints, 2)


def test_a_short_name_of_two_clips_is_neither(load):
    annotations = [annotation(name) for name in ("a/x", "b/x", "y", "z")]
    store = load({"split": {"train": ["x", "y"], "test": ["z"]}, "annotations": annotations})
    assert store.listed_split.tolist() == [[0], [0], [1], [2]]
    assert "list 'train': 1 of 2 names is not among the clips" in store.notes


def test_a_list_that_matches_no_clip_is_refused(load):
    with pytest.raises(ValueError, match=r"none of the 2 names in list 'test' .* such as 'a'; .* 'v0', 'v1'"):
        load(clips_with(train=TWENTY[:14], test=["a", "b"]))


def test_variants_of_annotations(load):
    """What users of pyskl and MMAction2 have: arrays or lists, numbers as names, fields left out."""
    plain = annotation("v0")
    x = plain["keypoint"]
    less = {key: value for key, value in annotation("v4").items() if key not in ("label", "total_frames")}
    annotations = [
        plain,
        annotation("v1", keypoint=x.tolist()),
        annotation("v2", keypoint=x[0], keypoint_score=None),
        annotation(3, img_shape=None, original_shape=None),
        less,
    ]
    store = load({"split": {"train": np.array(["v0", "v1"]), "test": ["v2", 3]}, "annotations": annotations})
    assert store.names.tolist() == ["v0", "v1", "v2", "3", "v4"]
    assert store.labels.tolist() == [0, 0, 0, 0, -1]
    assert store.listed_split.tolist() == [[1], [1], [2], [2], [0]]
    for index in range(1, 5):
        assert np.array_equal(store.clip(index), store.clip(0))
    store = load({"split": None, "annotations": annotations[:2]})
    assert store.listed_split is None
    store = load(
        {item["frame_dir"]: {k: v for k, v in item.items() if k != "frame_dir"} for item in annotations[:3]}
    )
    assert store.names.tolist() == ["v0", "v1", "v2"]


@pytest.mark.parametrize(("told", "kept"), [(7, 6), (4, 4), (0, 6), ("6", 6)])
def test_wrong_total_frames_cost_no_clip(load, told, kept):
    store = load([annotation("a", total_frames=told), annotation("b")])
    assert [len(clip) for clip in (store.clip(0), store.clip(1))] == [kept, 6]
    assert np.array_equal(store.clip(0), store.clip(1)[:kept])
    (bad,) = store.bad_files
    assert f"keypoint has 6 frames, but total_frames is {told!r}; the first {kept} are" in bad.reason


def test_bad_annotations_cost_no_good_one(load):
    cases = [
        (annotation("flat", keypoint=np.ones((6, 75))), r"expected numbers (M, T, V, C)"),
        (annotation("text", keypoint=np.full((1, 6, 25, 3), "x")), "expected numbers"),
        (annotation("nobody", shape=(0, 6, 25, 3)), "expected numbers"),
        (annotation("many", label=10**9), "more than 10000 classes"),
        (annotation("below", label=-2), "label -2"),
        (annotation("several", label=[1, 2]), "label has 2 classes, and a clip has one here"),
        (annotation("scored", keypoint_score=np.ones((1, 5, 25))), "keypoint_score is float64 (1, 5, 25)"),
        (annotation("scores", keypoint_score=[1]), "keypoint_score must be an array"),
        (annotation("other", shape=(1, 6, 17, 3)), "layout ntu-25 has (25, 3)"),
        (annotation("zero", keypoint=np.zeros((1, 6, 25, 3))), "no joint in any frame"),
        (annotation("both"), "both for training and for testing"),
        ({"frame_dir": "k400", "raw_file": "x.pkl", "label": 0}, "another file (raw_file)"),
        ({"frame_dir": "empty"}, "keypoint must be a ndarray, it is missing"),
        ("text", "not a str"),
    ]
    store = load(
        {
            "split": {"a_train": [NAMES[0], "both"], "a_val": ["both"]},
            "annotations": [annotation(), *(item for item, _ in cases), annotation(NAMES[1])],
        }
    )
    assert store.names.tolist() == NAMES[:2]
    assert len(store.bad_files) == len(cases)
    for bad, (item, reason) in zip(store.bad_files, cases, strict=True):
        assert reason in bad.reason
        assert bad.name == (item["frame_dir"] if isinstance(item, dict) else "annotation 14")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"annotations": []}, "no list of annotations"),
        ({"split": [], "annotations": [annotation()]}, "no list of annotations"),
        ({"clips": [annotation()]}, "no list of annotations"),
        ([], "no list of annotations"),
        (3, "no list of annotations"),
        (["x"], "no usable annotation; an annotation is a dict"),
        ({"split": {"train": 3}, "annotations": [annotation()]}, "split 'train' is not a list"),
        ({"split": {"train": [3.5]}, "annotations": [annotation()]}, "split 'train' is not a list"),
        *(
            (data, "not a pickle of annotations: cut off or damaged")
            for data in (b"", b"\x89PNG\r\n", b"{}", b"no pickle")
        ),
    ],
)
def test_no_annotations(load, content, reason):
    with pytest.raises(ValueError, match=reason):
        load(content)


def test_one_file_is_expected(tmp_path):
    with pytest.raises(ValueError, match="found none"):
        import_dataset("pyskl", tmp_path, tmp_path / "store")
    for name in ("a.pkl", "b.pickle"):
        (tmp_path / name).write_bytes(pickle.dumps([annotation()]))
    with pytest.raises(ValueError, match=r"found a\.pkl and b\.pickle"):
        import_dataset("pyskl", tmp_path, tmp_path / "store")


def test_archive(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([annotation()]))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.pkl", "data/a.pkl")
    assert len(import_dataset("pyskl", tmp_path / "a.tar.gz", tmp_path / "store")) == 1


def test_large_files_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("skel_data.readers._source.MAX_BYTES", 1000)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([annotation()]))
    assert len(import_dataset("pyskl", tmp_path / "a.pkl", tmp_path / "store")) == 1


def test_deep_nesting_in_an_annotation(load):
    deep = b"]" * 100_000 + b"a" * 99_999
    good = pickle.dumps([annotation(label="LABEL"), annotation(NAMES[1])], 2)
    store = load(good.replace(pickle.dumps("LABEL", 2)[2:-3], deep))
    assert store.names.tolist() == [NAMES[1]]
    assert store.bad_files[0].reason.startswith("label has 1 class, and a clip has one here")
