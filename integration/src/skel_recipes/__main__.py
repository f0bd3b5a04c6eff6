"""``python -m skel_recipes`` is the ``skel`` command."""

from skel_recipes.cli import command

command()
