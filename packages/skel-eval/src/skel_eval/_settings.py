"""Checks that classes of settings share."""

from typing import Any

from attrs import Factory, fields, validators

# validators.ge(0) is one for int only, to a type checker
AT_LEAST_0: Any = validators.ge(0)
AT_LEAST_1: Any = validators.ge(1)
ABOVE_0: Any = validators.gt(0)


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
