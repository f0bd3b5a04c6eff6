"""Settings of the synthesiser; they import nothing heavy, so that a command line can show them."""

import math
from typing import Any

from attrs import define, field, validators

MOST_CLASSES, MOST_PAIRS = 12, 10
"""How many actions there are of one person, and of two."""

LIMITS = {"noise": math.inf, "hidden": 1.0, "spread": 180.0, "variety": 2.0, "tempo": 2.0}
"""What `difficulty` multiplies, and how far each goes."""


def _between(low: float, high: float) -> Any:
    return [validators.ge(low), validators.le(high)]


def _knob(name: str, default: float) -> Any:
    return field(default=default, validator=_between(0, LIMITS[name]))


@define(frozen=True)
class SynthSettings:
    """Settings of synthetic recordings.

    Every subject performs every action `repetitions` times, each time before all cameras at once.
    Subjects differ in proportions, size of movements, tempo, bearing and the hand they use;
    performances in start, speed profile and way of standing; cameras in direction, height and
    distance, and in what is hidden from them. In actions of two the subject acts and a partner, who is
    always the same for a subject and never a subject, answers.

    Attributes:
        classes: How many of the actions of one person, from the first.
        subjects: How many subjects.
        cameras: How many cameras.
        repetitions: Performances of each action by each subject.
        shortest: Fewest frames of a clip.
        longest: Most frames of a clip, without idle time.
        noise: Standard deviation of the error of each coordinate, in metres.
        hidden: Share of clips, for each body, in which a limb is missing for some time.
        seed: Same seed, same recordings.
        pairs: How many of the actions of two persons follow, from the first.
        difficulty: Factor on noise, hidden, spread, variety and tempo, none of which goes beyond its limit.
        spread: Degrees between the outermost cameras, at most 180.
        variety: How much subjects differ: 0 not at all, 1 as people do, at most 2.
        tempo: How much performances differ in start, end, tempo and speed profile; from 0 to 2.
        idle: Most idle time before the action, and most after, as a share of its own length.
        late: Share of clips of two in which one body comes late or leaves early.
        swapped: Share of clips of two in which the bodies change places in the order for some time.
        ghosts: Share of clips, of any action, in which an object is detected as another body for some time.
        layout: A joint layout that can be had from ntu-25 by the names of its joints. One of two
            dimensions is in pixels of a colour image, y down.
    """

    classes: int = field(default=MOST_CLASSES, validator=_between(0, MOST_CLASSES))
    subjects: int = field(default=10, validator=_between(2, 1000))
    cameras: int = field(default=3, validator=_between(1, 100))
    repetitions: int = field(default=2, validator=_between(1, 1000))
    shortest: int = field(default=30, validator=validators.ge(1))
    longest: int = field(default=120, validator=validators.ge(1))
    noise: float = _knob("noise", 0.012)
    hidden: float = _knob("hidden", 0.4)
    seed: int = 0
    pairs: int = field(default=0, validator=_between(0, MOST_PAIRS))
    difficulty: float = field(default=1.0, validator=_between(0, 10))
    spread: float = _knob("spread", 80.0)
    variety: float = _knob("variety", 1.0)
    tempo: float = _knob("tempo", 1.0)
    idle: float = field(default=0.0, validator=_between(0, 10))
    late: float = field(default=0.2, validator=_between(0, 1))
    swapped: float = field(default=0.2, validator=_between(0, 1))
    ghosts: float = field(default=0.0, validator=_between(0, 1))
    layout: str = "ntu-25"

    def __attrs_post_init__(self) -> None:
        if self.longest < self.shortest:
            raise ValueError(f"longest must be at least shortest = {self.shortest}, got {self.longest}")
        if self.classes + self.pairs < 2:
            raise ValueError(
                f"classes and pairs must be at least 2 together, got {self.classes} and {self.pairs}"
            )
        if self.layout != "ntu-25":
            from skel_data._convert import conversion
            from skel_data._layout import get_layout

            conversion(get_layout("ntu-25"), get_layout(self.layout), most_parents=1)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class, in the order of the labels."""
        from skel_data.synth._actions import ACTIONS
        from skel_data.synth._pairs import PAIRS

        return (*list(ACTIONS)[: self.classes], *list(PAIRS)[: self.pairs])
