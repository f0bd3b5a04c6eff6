"""How much of a large comparison is held at a time."""

from skel_eval._arrays import as_count

NUMBERS = 2**26  # 256 MiB in single precision


def rows_per_block(width: int, chunk: int | None) -> int:
    """Rows of `width` numbers that are worked on together: `chunk`, or as many as memory is meant to hold.

    Raises:
        TypeError: If `chunk` is no integer.
        ValueError: If it is below 1.
    """
    if chunk is None:
        return max(1, NUMBERS // width)
    return as_count(chunk, "chunk")
