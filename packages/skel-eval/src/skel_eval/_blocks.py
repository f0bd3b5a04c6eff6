"""How much of a large comparison is held at a time."""

NUMBERS = 2**26  # 256 MiB in single precision


def rows_per_block(width: int, chunk: int | None) -> int:
    """Rows of `width` numbers that are worked on together: `chunk`, or as many as memory is meant to hold.

    Raises:
        ValueError: If `chunk` is below 1.
    """
    if chunk is None:
        return max(1, NUMBERS // width)
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    return chunk
