"""Checks that classes of settings share."""

import math
from collections.abc import Callable
from typing import Any

from attrs import Factory, fields

from skel_eval._arrays import as_count


def whole(least: int) -> Callable[[Any, Any, Any], None]:
    """A validator: a whole number of at least this size."""

    def check(_: Any, attribute: Any, value: Any) -> None:
        as_count(value, attribute.name, least)

    return check


def number(
    *, above: float = -math.inf, least: float = -math.inf, below: float = math.inf
) -> Callable[..., None]:
    """A validator: a finite number in these bounds."""

    def check(_: Any, attribute: Any, value: Any) -> None:
        if not (above < value < below and least <= value):
            limits = (("above", above), ("at least", least), ("below", below))
            bounds = [f"{word} {limit:g}" for word, limit in limits if math.isfinite(limit)]
            raise ValueError(f"{attribute.name} must be finite, {' and '.join(bounds)}, got {value!r}")

    return check


AT_LEAST_0, ABOVE_0, SHARE = number(least=0), number(above=0), number(least=0, below=1)


def only(**conditions: tuple[str, ...]) -> dict[str, Any]:
    """Metadata of a setting that is used only with these values of other settings."""
    return {"only": conditions}


def refuse_unused(settings: Any) -> None:
    """Check that no setting that is not used has been set: it can only have its default.

    Raises:
        ValueError: If one has another value.
    """
    for setting in fields(type(settings)):
        value, default = getattr(settings, setting.name), setting.default
        if isinstance(default, Factory):  # type: ignore[arg-type]
            default = default.factory(settings)
        for name, allowed in setting.metadata.get("only", {}).items():
            if getattr(settings, name) not in allowed and value != default:
                raise ValueError(
                    f"{setting.name} is not used with {name} {getattr(settings, name)!r}, only with "
                    f"{' or '.join(map(repr, allowed))}; got {setting.name}={value!r}"
                )


def refuse_long_warmup(warmup_epochs: int, epochs: int) -> None:
    """Check that something is left to train after the warm-up.

    Raises:
        ValueError: If nothing is.
    """
    if warmup_epochs >= epochs:
        raise ValueError(f"warmup_epochs must be fewer than the {epochs} epochs, got {warmup_epochs}")
