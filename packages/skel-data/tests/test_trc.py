import numpy as np
import pytest

from skel_data import SkeletonLayout, get_layout, import_dataset
from skel_data.readers.mocap._trc import parse_trc

LEG = SkeletonLayout.from_dict(
    {"name": "leg", "joints": ["hip", "knee", "ankle"], "bones": [["knee", "hip"], ["ankle", "knee"]]}
)


def text(values, names=("Hip", "Ankle", "Knee"), unit="mm", end=""):
    head = ["PathFileType\t4\t(X/Y/Z)\ta.trc"]
    keys = ["DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"]
    head += ["\t".join(keys), "\t".join(["60", "60", str(len(values)), str(len(names)), unit])]
    head.append("Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t")
    head.append("\t\t" + "\t".join(f"{axis}{i}" for i in range(1, len(names) + 1) for axis in "XYZ"))
    rows = [
        "\t".join([str(t + 1), str(t / 60), *("" if v != v else str(v) for v in row.reshape(-1))]) + end
        for t, row in enumerate(values)
    ]
    return "\n".join([*head, "", *rows]) + "\n"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture
def load(tmp_path):
    def run(layout=LEG):
        return import_dataset("trc", tmp_path / "d", tmp_path / "a.store", layout=layout, overwrite=True)

    return run


@pytest.mark.parametrize(("unit", "scale"), [("mm", 0.001), ("m", 1), ("cm", 0.01)])
@pytest.mark.parametrize("end", ["", "\t"])
def test_trc(tmp_path, load, unit, scale, end):
    values = np.random.default_rng(0).normal(size=(6, 3, 3)).round(3)
    write(tmp_path / "d" / "run" / "a.trc", text(values, unit=unit, end=end))
    write(tmp_path / "d" / "walk" / "b.trc", text(values, unit=unit))
    store = load()
    assert (store.classes, store.labels.tolist(), store.units) == (("run", "walk"), [0, 1], "metres")
    assert np.array_equal(store.clip(0)[:, 0], (values[:, [0, 2, 1]] * scale).astype(np.float32))
    assert parse_trc(text(values).encode())[2] == 60


@pytest.mark.parametrize("bad", ["x", "1\t" * 12])
def test_a_damaged_row_costs_no_other(tmp_path, load, bad):
    values = np.random.default_rng(0).normal(size=(4, 3, 3)).round(3)
    content = text(values, unit="m")
    write(tmp_path / "d" / "a.trc", content.replace(str(values[1, 2, 1]), bad))
    store = load()
    assert [bad.reason.partition(":")[0] for bad in store.bad_files] == ["line 8"]
    assert store.bad_files[0].reason.endswith("; the frame is missing")
    clip = store.clip(0)[:, 0]
    assert np.isnan(clip[1]).all()
    assert np.array_equal(clip[[0, 2, 3]], values[[0, 2, 3]][:, [0, 2, 1]].astype(np.float32))


def test_empty_fields_are_missing(tmp_path, load):
    values = np.random.default_rng(0).normal(size=(6, 3, 3)).round(3)
    values[2, 1] = np.nan
    values[3, 2] = np.nan
    write(tmp_path / "d" / "a.trc", text(values).replace("\t\t\t\n", "\n"))
    clip = load().clip(0)
    assert np.isnan(clip[2, 0, 2]).all()
    assert np.isnan(clip[3, 0, 1]).all()
    assert np.isfinite(clip[4:]).all()


def test_markers_of_pose2sim_have_a_preset(tmp_path, load):
    names = [
        "Hip", "RHip", "RKnee", "RAnkle", "RBigToe", "RSmallToe", "RHeel", "LHip", "LKnee", "LAnkle",
        "LBigToe", "LSmallToe", "LHeel", "Neck", "Head", "Nose", "RShoulder", "RElbow", "RWrist", "LShoulder",
        "LElbow", "LWrist", "LEye", "REye", "LEar", "REar",
    ]  # fmt: skip
    values = np.random.default_rng(0).normal(size=(4, 26, 3)).round(3)
    write(tmp_path / "d" / "a.trc", text(values, names, "m"))
    store = load(None)
    assert (store.layout.name, store.layout.dims, store.layout.confidence) == ("halpe-26", 3, False)
    knee = get_layout("halpe-26").joints.index("left knee")
    assert np.array_equal(store.clip(0)[:, 0, knee], values[:, names.index("LKnee")].astype(np.float32))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: "x" + t, "not a TRC file"),
        (lambda t: t.replace("mm", "?"), "unit '\\?', but the first"),
        (lambda t: t.replace("Ankle", "Toe"), "no joint ankle"),
        (lambda t: t.replace("Ankle", "Hip"), "names of markers"),
        (lambda t: "\n".join(t.split("\n")[:5]), "no frame"),
        (lambda t: t.rstrip() + "\tx\n", "line 9: 12 fields|not a number"),
    ],
)
def test_files_that_are_none(tmp_path, load, change, reason):
    good = text(np.ones((3, 3, 3)))
    write(tmp_path / "d" / "a.trc", good)
    write(tmp_path / "d" / "b.trc", change(good))
    (bad,) = load().bad_files
    assert any(__import__("re").search(word, bad.reason) for word in reason.split("|"))


def test_a_layout_is_needed(tmp_path, load):
    write(tmp_path / "d" / "a.trc", text(np.ones((3, 3, 3))))
    with pytest.raises(
        ValueError, match="3 joints, Hip, Ankle, Knee, of which no preset has all, so a layout"
    ):
        load(None)
