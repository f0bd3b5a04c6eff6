"""Reference pages list every public name of their package, in one group each."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from reference_groups import MARK, groups, members

PAGES = sorted((Path(__file__).parent / "reference").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_public_name_is_in_one_group(page):
    (mark,) = MARK.finditer(page.read_text(encoding="utf-8"))
    assert mark[1] == page.stem
    listed = [name for pairs in groups(mark[1]).values() for name, _ in pairs]
    assert sorted(listed) == sorted(import_module(mark[1]).__all__)


def test_constants_have_their_text():
    assert "Names of the simple baselines" in members("skel_eval")
    assert "``fuses`` is called with features" in members("skel_recipes")


def test_options_reach_every_member():
    text = members("skel_ssl_objectives", [":no-index:"])
    assert text.count(":no-index:") == len(import_module("skel_ssl_objectives").__all__)
