"""The ``skel`` command: one file for each command."""

from skel_recipes.cli.app import main

__all__ = ["main"]
