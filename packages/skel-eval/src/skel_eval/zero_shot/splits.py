"""Published splits of zero-shot recognition into seen and unseen classes.

They are those of SynSE (Gupta et al. 2021), PURLS (Zhu et al. 2024) and SMIE (Zhou et al. 2023). The classes
are numbered as the stores of this project number them: for NTU RGB+D, PKU-MMD, NW-UCLA and UTD-MHAD the
orders were compared.
"""

from collections.abc import Mapping, Sequence

from attrs import define


@define(frozen=True)
class UnseenClasses:
    """The unseen classes of a published split.

    Attributes:
        dataset: The data set, as people write it.
        classes: How many classes the set has.
        numbers: Unseen classes, numbered from 0.
        last: Name of the last unseen class, to see whether a store numbers its classes in another order.
    """

    dataset: str
    classes: int
    numbers: tuple[int, ...]
    last: str

    def check(self, names: Sequence[str]) -> None:
        """Check the number and the order of the classes of a set.

        Raises:
            ValueError: If they are others than those of the split.
        """
        if len(names) != self.classes:
            raise ValueError(
                f"the split is of the {self.classes} classes of {self.dataset}, got {len(names)}"
            )
        lowered = [name.lower() for name in names]
        if self.last in lowered and lowered.index(self.last) != self.numbers[-1]:
            raise ValueError(
                f"class {self.numbers[-1]} of {self.dataset} is {self.last!r}, here it is "
                f"{names[self.numbers[-1]]!r}: the classes are in another order"
            )


def _of(dataset: str, classes: int, last: str, numbers: str) -> UnseenClasses:
    return UnseenClasses(dataset, classes, tuple(map(int, numbers.split())), last)


UNSEEN: Mapping[str, UnseenClasses] = {
    "synse-5": _of(
        "NTU RGB+D",
        60,
        "touch other person's pocket",
        "10 11 19 26 56",
    ),
    "synse-12": _of(
        "NTU RGB+D",
        60,
        "walking apart from each other",
        "3 5 9 12 15 40 42 47 51 56 58 59",
    ),
    "purls-20": _of(
        "NTU RGB+D",
        60,
        "handshaking",
        "0 12 13 14 15 16 17 22 23 26 29 30 31 35 36 42 43 48 56 57",
    ),
    "purls-30": _of(
        "NTU RGB+D",
        60,
        "walking apart from each other",
        "0 1 2 6 7 8 10 12 13 15 16 18 20 21 25 26 27 31 32 33 39 42 45 47 48 51 52 55 58 59",
    ),
    "smie-1": _of(
        "NTU RGB+D",
        60,
        "pushing other person",
        "4 19 31 47 51",
    ),
    "smie-2": _of(
        "NTU RGB+D",
        60,
        "walking apart from each other",
        "12 29 32 44 59",
    ),
    "smie-3": _of(
        "NTU RGB+D",
        60,
        "walking towards each other",
        "7 20 28 39 58",
    ),
    "synse-10": _of(
        "NTU RGB+D 120",
        120,
        "wield knife towards other person",
        "4 13 37 43 49 65 88 95 99 106",
    ),
    "synse-24": _of(
        "NTU RGB+D 120",
        120,
        "finger-guessing game (playing rock-paper-scissors)",
        "5 9 11 16 18 20 22 29 35 39 45 49 59 68 70 81 84 87 93 94 104 113 114 119",
    ),
    "purls-40": _of(
        "NTU RGB+D 120",
        120,
        "finger-guessing game (playing rock-paper-scissors)",
        "11 12 18 22 23 26 28 34 37 38 42 44 46 47 48 57 59 64 66 70 73 74 75 83 86 90 92 93 95 96 "
        "102 104 107 108 110 112 115 116 118 119",
    ),
    "purls-60": _of(
        "NTU RGB+D 120",
        120,
        "support somebody with hand",
        "0 1 4 6 7 8 9 17 18 21 23 25 26 28 30 32 33 34 37 38 39 40 41 42 44 45 50 51 52 53 56 61 "
        "62 65 67 68 69 70 74 77 78 81 83 87 89 90 91 92 94 95 96 97 100 101 109 111 114 115 116 "
        "118",
    ),
    "smie-4": _of(
        "NTU RGB+D 120",
        120,
        "step on foot",
        "3 18 26 38 41 60 87 99 102 110",
    ),
    "smie-5": _of(
        "NTU RGB+D 120",
        120,
        "finger-guessing game (playing rock-paper-scissors)",
        "5 12 14 15 17 42 67 82 100 119",
    ),
    "smie-6": _of(
        "NTU RGB+D 120",
        120,
        "support somebody with hand",
        "6 20 27 33 42 55 71 97 104 118",
    ),
    "smie-7": _of(
        "PKU-MMD",
        51,
        "writing",
        "1 9 20 34 50",
    ),
    "smie-8": _of(
        "PKU-MMD",
        51,
        "wipe face",
        "3 14 29 31 49",
    ),
    "smie-9": _of(
        "PKU-MMD",
        51,
        "touch head (headache)",
        "2 15 39 41 43",
    ),
    "purls-ucla-2": _of(
        "NW-UCLA",
        10,
        "sit down",
        "1 4",
    ),
    "purls-ucla-5": _of(
        "NW-UCLA",
        10,
        "throw",
        "1 3 4 6 8",
    ),
    "purls-utd-5": _of(
        "UTD-MHAD",
        27,
        "stand to sit",
        "4 14 17 23 24",
    ),
    "purls-utd-9": _of(
        "UTD-MHAD",
        27,
        "knock",
        "0 1 3 6 7 11 13 16 18",
    ),
    "purls-utd-13": _of(
        "UTD-MHAD",
        27,
        "stand to sit",
        "0 1 6 8 9 10 12 13 19 20 21 23 24",
    ),
    "purls-uwa-6": _of(
        "UWA3D II",
        30,
        "sitting down (chair)",
        "2 12 15 22 26 27",
    ),
    "purls-uwa-10": _of(
        "UWA3D II",
        30,
        "squatting",
        "0 2 6 7 9 10 14 15 25 28",
    ),
    "purls-uwa-15": _of(
        "UWA3D II",
        30,
        "squatting",
        "1 3 5 6 7 11 12 18 21 22 23 24 26 27 28",
    ),
}
"""Splits by name: the paper's name, and the number of unseen classes or, for SMIE, that of the split."""
