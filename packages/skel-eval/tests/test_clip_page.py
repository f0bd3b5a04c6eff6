import re

import numpy as np
import pytest

from skel_eval import Skeleton, clip_page
from skel_eval.report.page import write_page

ARMS = Skeleton([(1, 0), (2, 0)], [0, 1, 2])


def clips(**frames):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(count, 1, 3, 2)) for name, count in frames.items()}


def test_page_is_alone_and_holds_all_clips(tmp_path, parse):
    drawn = clips(recorded=8, other=6) | {"<view>": np.full((6, 2, 3, 2), np.nan)}
    text = clip_page('<b> & "co"', drawn, ARMS, frames=4, fps=25)
    checker, text = parse(write_page(tmp_path / "c.html", text))
    assert checker.headings() == list(drawn)
    assert [data for tag, data in checker.text if tag == "h1"] == ['<b> & "co"']
    assert re.findall(r'data-frames="(\d+)" data-bodies="(\d+)"', text) == [
        ("8", "1"),
        ("6", "1"),
        ("6", "0"),
    ]
    assert ("max", "7") in checker.attributes
    assert {("data-fps", "25"), ("data-seconds", "0.32")} <= set(checker.attributes)
    assert [data for tag, data in checker.text if tag == "b"] == ["left", "right"]
    assert text.count('class="strip"') == text.count('class="motion"') == 3


def test_a_layout_without_sides_has_no_legend(tmp_path, parse):
    text = clip_page("t", clips(a=1), Skeleton(ARMS.bones))
    checker, _ = parse(write_page(tmp_path / "c.html", text))
    assert "b" not in checker.tags


def test_errors():
    with pytest.raises(ValueError, match="frames must be at least 1"):
        clip_page("t", clips(a=2), ARMS, frames=0)
