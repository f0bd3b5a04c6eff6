"""The layout of a recording, written as TOML."""

import pytest

from skel_data import get_layout, layout_names, layout_of, layout_toml


@pytest.mark.parametrize("name", layout_names())
def test_the_text_is_read_again(tmp_path, name):
    layout = get_layout(name)
    (tmp_path / "a.toml").write_text(layout_toml(layout), encoding="utf-8")
    assert get_layout(tmp_path / "a.toml") == layout


def test_layout_of_recordings(tmp_path):
    text = b"HIERARCHY\nROOT Hips {\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    text += b"JOINT L\xc3\xa4g {\nOFFSET 0 1 0\n} }\n"
    text += b"MOTION\nFrames: 1\nFrame Time: 0.1\n0 0 0\n"
    (tmp_path / "a.bvh").write_bytes(text)
    layout = layout_of(tmp_path / "a.bvh")
    assert layout.joints == ("Hips", "L\u00e4g")
    (tmp_path / "mine.toml").write_text(layout_toml(layout), encoding="utf-8")
    assert layout_of(tmp_path / "mine.toml") == layout
    assert layout_of("ntu-25") == get_layout("ntu-25")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no \.bvh and no \.c3d file"):
        layout_of(tmp_path / "empty")
