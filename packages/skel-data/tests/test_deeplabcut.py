import csv

import numpy as np
import pytest

from skel_data import SkeletonLayout, import_dataset

MOUSE = SkeletonLayout.from_dict(
    {"name": "mouse", "dims": 2, "joints": ["tail", "snout"], "bones": [["snout", "tail"]]}
)


def write(path, values, individuals=None, lead=1):
    """Values (T, M, V, 3) of snout, tail."""
    path.parent.mkdir(parents=True, exist_ok=True)
    who = individuals or [""]
    columns = [
        (name, part, axis) for name in who for part in ("snout", "tail") for axis in ("x", "y", "likelihood")
    ]
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["scorer"] + [""] * (lead - 1) + ["net"] * len(columns))
        if individuals:
            out.writerow(["individuals"] + [""] * (lead - 1) + [column[0] for column in columns])
        out.writerow(["bodyparts"] + [""] * (lead - 1) + [column[1] for column in columns])
        out.writerow(["coords"] + [""] * (lead - 1) + [column[2] for column in columns])
        for t, row in enumerate(values.reshape(len(values), -1).tolist()):
            out.writerow([t, "video", "img.png"][:lead] + ["" if value != value else value for value in row])


@pytest.fixture
def load(tmp_path):
    def run(layout=MOUSE):
        return import_dataset(
            "deeplabcut", tmp_path / "d", tmp_path / "a.store", layout=layout, overwrite=True
        )

    return run


@pytest.mark.parametrize("lead", [1, 3])
def test_one_animal(tmp_path, load, lead):
    values = np.random.default_rng(0).random((5, 1, 2, 3)).round(4)
    write(tmp_path / "d" / "groom" / "a.csv", values, lead=lead)
    write(tmp_path / "d" / "rear" / "b.csv", values)
    store = load()
    assert (store.classes, store.labels.tolist()) == (("groom", "rear"), [0, 1])
    assert store.layout.confidence
    assert np.array_equal(store.clip(0), values[:, :, ::-1].astype(np.float32))


@pytest.mark.parametrize("bad", ["x", None])
def test_a_damaged_field_costs_its_joint_there(tmp_path, load, bad):
    values = np.random.default_rng(0).random((5, 1, 2, 3)).round(4)
    path = tmp_path / "d" / "a.csv"
    write(path, values)
    last = f",{values[3, 0, 1, 2]}"
    path.write_text(path.read_text().replace(last, "" if bad is None else f",{bad}"))
    store = load()
    assert [bad.reason for bad in store.bad_files] == [
        "row 7, column 7: a field is missing or not a number; the joint is missing there"
    ]
    clip = store.clip(0)[:, 0]
    assert np.isnan(clip[3, 0]).any()
    assert np.array_equal(clip[:3], values[:3, 0, ::-1].astype(np.float32))
    assert np.array_equal(clip[3:, 1], values[3:, 0, 0].astype(np.float32))


def test_several_animals_and_empty_fields(tmp_path, load):
    values = np.random.default_rng(0).random((5, 2, 2, 3)).round(4)
    values[1, 1] = np.nan
    values[2, 0, 0] = np.nan
    write(tmp_path / "d" / "a.csv", values, ["one", "two"])
    store = load()
    clip = store.clip(0)
    assert store.tracks(0).tolist() == [[1, 2], [1, 0], [1, 2], [1, 2], [1, 2]]
    assert np.isnan(clip[2, 0, 1]).all()
    assert np.array_equal(clip[3:], values[3:, :, ::-1].astype(np.float32))


def test_any_ends_of_lines_and_a_field_beyond_all_limits(tmp_path, load):
    values = np.ones((2, 1, 2, 3))
    write(tmp_path / "d" / "a.csv", values)
    text = (tmp_path / "d" / "a.csv").read_text()
    (tmp_path / "d" / "b.csv").write_bytes(text.replace("\n", "\r").encode())
    (tmp_path / "d" / "c.csv").write_text(text + '"' + "9" * 140_000)
    store = load()
    np.testing.assert_array_equal(store.clip(0), store.clip(1))
    assert [bad.reason[:38] for bad in store.bad_files] == ["not a table of separated fields (CSV):"]


def test_files_and_layouts_that_do_not_fit(tmp_path, load):
    write(tmp_path / "d" / "a.csv", np.ones((2, 1, 2, 3)))
    (tmp_path / "d" / "b.csv").write_text("a,b\n1,2\n")
    text = (tmp_path / "d" / "a.csv").read_text()
    (tmp_path / "d" / "c.csv").write_text(text + "9,1,2,3,4,5,x\n")
    (tmp_path / "d" / "e.csv").write_text("".join(text.splitlines(keepends=True)[:3]))
    reasons = [bad.reason for bad in load().bad_files]
    assert ["no header" in reasons[0], "not a number" in reasons[1], "no row" in reasons[2]] == [True] * 3
    with pytest.raises(
        ValueError, match="2 joints, snout, tail, of which no preset has all, so a layout must"
    ):
        load(None)
    with pytest.raises(ValueError, match="no joint nose"):
        load("coco-17")
