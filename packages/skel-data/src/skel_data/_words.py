"""Words of messages."""


def counted(number: object, noun: str) -> str:
    """A number with its noun, in the plural where it is not one: 1 clip, 2 clips, 2 classes, 2 bodies."""
    plural = f"{noun}es" if noun.endswith(("s", "x", "sh")) else f"{noun}s"
    if noun.endswith("ody"):
        plural = f"{noun[:-1]}ies"
    return f"{number} {noun if number == 1 else plural}"
