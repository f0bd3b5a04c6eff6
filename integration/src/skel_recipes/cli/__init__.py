"""The ``skel`` command: one file for each command."""

from skel_recipes.cli.app import command, main

__all__ = ["command", "main"]
