"""Words of messages."""


def counted(number: object, noun: str) -> str:
    """A number with its noun, in the plural where it is not one: 1 clip, 2 clips, 2 classes."""
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"
