"""Progress of long work: a bar with the time left on a terminal, plain lines without one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from skel_recipes.common.words import count

LONGEST_SILENCE = 30.0
"""Seconds between two lines."""


@contextmanager
def progress_bar(name: str, unit: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show on standard error how much is done; what it gives is called with the number of units so far.

    Args:
        name: What is being done.
        unit: Of what, in the singular.
        total: How much there is, if that is known: only then is there a time left.
    """
    from tqdm import tqdm

    said = monotonic()
    with tqdm(total=total, unit=unit, desc=name, disable=None) as bar:  # None: shown on a terminal only

        def advance(done: int) -> None:
            nonlocal said
            bar.update(done - bar.n)
            if bar.disable and monotonic() - said >= LONGEST_SILENCE:
                whole = "" if total is None else f" of {total}"
                tqdm.write(f"{name}: {count(done, unit)}{whole}", file=sys.stderr)
                said = monotonic()

        yield advance
