"""Facts of clips as files tell them: names of classes, subjects and cameras, and parts of a split."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from attrs import define

from skel_data._layout import SkeletonLayout

MOST_CLASSES = 10_000
"""More are no data set."""
_SPLITS = {
    **dict.fromkeys(("train", "training"), 1),
    **dict.fromkeys(("test", "testing", "val", "valid", "validation", "dev", "eval"), 2),
}


@define(frozen=True)
class Names:
    """The values that text columns have in the whole source, sorted, and so what their numbers are."""

    label: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    camera: tuple[str, ...] = ()

    @classmethod
    def of(cls, seen: Mapping[str, AbstractSet[str]]) -> "Names":
        """The names among all values of each fact; a fact whose values are all numbers has none.

        Numbered labels have their numbers as names.
        """
        text = {fact: sorted(values - {""}) for fact, values in seen.items()}
        text = {
            fact: values
            for fact, values in text.items()
            if fact == "label" or not all(value.isdecimal() for value in values)
        }
        labels = text.get("label", [])
        if all(value.isdecimal() for value in labels):
            highest = max(map(int, labels), default=-1)
            if highest >= MOST_CLASSES:
                raise ValueError(f"a label is {highest}; more than {MOST_CLASSES} classes are no data set")
            text["label"] = list(map(str, range(highest + 1)))
        return cls(**{fact: tuple(values) for fact, values in text.items()})

    def code(self, fact: str, value: str) -> int:
        """Number of a value; -1 for an empty one."""
        names: tuple[str, ...] = getattr(self, fact)
        if value == "":
            return -1
        return names.index(value) if names else _whole(value, fact)


def _whole(value: str, fact: str) -> int:
    try:
        number = float(value)
    except ValueError:
        number = -1.5
    if number != int(number) or not -1 <= number < 2**53:
        raise ValueError(f"{fact} {value[:40]!r}, expected a whole number")
    return int(number)


def split_code(value: str) -> int:
    """Part of a split by its name: 1 train, 2 test, 0 for an empty one.

    Raises:
        ValueError: If it is none.
    """
    if value and value.lower() not in _SPLITS:
        raise ValueError(f"split {value[:40]!r}, expected {', '.join(_SPLITS)}")
    return _SPLITS[value.lower()] if value else 0


def usual_up(layout: SkeletonLayout) -> str:
    """What points up in arrays of a layout: in MediaPipe's, whose y points down, -y; empty if unknown."""
    return "-y" if layout.name == "mediapipe-33" and layout.dims == 3 else ""
