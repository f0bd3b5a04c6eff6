"""The page of published systems: every command of it is one, up to the recordings that are missing here."""

import re
from pathlib import Path

import pytest

from skel_recipes.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "systems.md"
COMMANDS = re.findall(r"`(skel [^`]+)`", PAGE.read_text(encoding="utf-8"))


def test_the_page_has_its_commands():
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("command", [one for one in COMMANDS if "synth" not in one])
def test_command_lacks_nothing_but_the_recordings(command, tmp_path, monkeypatch, capsys):
    """Recipe, options and their values are read before the store or the run is looked for."""
    monkeypatch.chdir(tmp_path)
    assert main(command.split()[1:]) == 1
    assert re.search(r"skel: no (store|run) at (utd\.store|run)", capsys.readouterr().err)
