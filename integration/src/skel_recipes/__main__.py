"""``python -m skel_recipes`` is the ``skel`` command."""

import sys

from skel_recipes.cli import main

sys.exit(main())
