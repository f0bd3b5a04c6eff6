import numpy as np
import pytest

from skel_data import get_layout, import_dataset
from skel_data.readers.mocap._mvnx import parse_mvnx

LAYOUT = get_layout("xsens-23")
LABELS = [joint.title().replace(" ", "") for joint in LAYOUT.joints]


def text(values, labels=LABELS, space=' xmlns="http://www.xsens.com/mvn/mvnx"'):
    """Values (subjects, T, V, 3)."""
    subjects = ""
    for frames in values:
        segments = "".join(f'<segment label="{label}" id="{i}"/>' for i, label in enumerate(labels, 1))
        rows = [f'<frame type="identity"><position>{"9 " * 3 * len(labels)}</position></frame>']
        rows += [
            f'<frame type="normal" time="{t}"><orientation>1</orientation>'
            f"<position>{' '.join(map(str, frame.reshape(-1)))}</position></frame>"
            for t, frame in enumerate(frames)
        ]
        parts = f"<segments>{segments}</segments><frames>{''.join(rows)}</frames>"
        subjects += f'<subject frameRate="240">{parts}</subject>'
    return f'<?xml version="1.0" encoding="UTF-8"?><mvnx{space} version="4">{subjects}</mvnx>'


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def load(tmp_path):
    def run(layout=None):
        return import_dataset("mvnx", tmp_path / "d", tmp_path / "a.store", layout=layout, overwrite=True)

    return run


@pytest.mark.parametrize("space", ["", ' xmlns="http://www.xsens.com/mvn/mvnx"'])
def test_mvnx(tmp_path, load, space):
    values = np.random.default_rng(0).normal(size=(2, 4, 23, 3)).round(4)
    for name in ("lift", "walk"):
        write(tmp_path / "d" / name / "a.mvnx", text(values, space=space))
    store = load()
    assert (store.layout, store.classes, store.units) == (LAYOUT, ("lift", "walk"), "metres")
    x, y, z = np.moveaxis(values.transpose(1, 0, 2, 3), -1, 0)
    assert np.array_equal(store.clip(1), np.stack([x, z, -y], -1).astype(np.float32))
    assert parse_mvnx(text(values).encode())[1] == 240


@pytest.mark.parametrize("bad", ["x", "1 2"])
def test_a_damaged_frame_costs_no_other(tmp_path, load, bad):
    values = np.random.default_rng(0).normal(size=(1, 4, 23, 3)).round(4)
    write(tmp_path / "d" / "a.mvnx", text(values).replace(str(values[0, 2, 5, 1]), bad))
    store = load()
    assert store.bad_files[0].reason.startswith("frame 2: ")
    assert store.bad_files[0].reason.endswith("; the frame is missing")
    clip = store.clip(0)[:, 0, :, 0]
    assert np.isnan(clip[2]).all()
    assert np.array_equal(clip[[0, 1, 3]], values[0, [0, 1, 3], :, 0].astype(np.float32))


def test_segments_in_another_order(tmp_path, load):
    values = np.random.default_rng(0).normal(size=(1, 4, 23, 3)).round(4)
    write(tmp_path / "d" / "a.mvnx", text(values[:, :, ::-1], LABELS[::-1]))
    assert np.array_equal(load().clip(0)[:, 0, :, 0], values[0, ..., 0].astype(np.float32))


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbb"><!ENTITY c "&b;&b;">]><mvnx>&c;</mvnx>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BOMB, "defines entities"),
        (BOMB.encode("utf-16"), "expected XML in UTF-8"),
        ("<mvnx>", "not XML, or cut off"),
        ('<?xml version="1.0" encoding="UTF-1"?><mvnx/>', "not XML, or cut off: unknown encoding"),
        ("<mvnx/>", "no frame with a position"),
        (text(np.ones((1, 2, 22, 3))), "66 numbers in a position, expected 3 for each of 23"),
        (text(np.ones((1, 2, 22, 3)), LABELS[1:]), "no joint pelvis"),
        (text(np.ones((1, 2, 23, 3))).replace("1.0 1.0", "1.0 x"), "not a number"),
    ],
)
def test_files_that_are_none(tmp_path, load, content, reason):
    write(tmp_path / "d" / "a.mvnx", text(np.ones((1, 2, 23, 3))))
    write(tmp_path / "d" / "b.mvnx", content)
    assert reason in load().bad_files[0].reason
