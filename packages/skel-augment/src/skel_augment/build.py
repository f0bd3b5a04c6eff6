"""Views from plain data, so that a view can stand in a TOML file, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import fields

from skel_augment.augmentation import Augmentation
from skel_augment.choice import OneOf
from skel_augment.registry import AUGMENTATIONS
from skel_augment.view import View

_RENAMED = {("gaussian_noise", "spare"): "keep_zero", ("joint_jitter", "spare"): "keep_zero"}
"""Settings that files of earlier versions call otherwise."""


def build_view(steps: Iterable[Mapping[str, Any] | Augmentation]) -> View:
    """A view from plain data, such as a list of tables in a TOML file.

    Args:
        steps: Augmentations, or for each a mapping with its ``name`` and settings; lists among those are
            read as tuples. The name is one of `AUGMENTATIONS`, or ``module:Name`` of a class of your own in a
            module that is imported already. The ``steps`` of "one_of" are such a list again.

    Raises:
        ValueError: If there is no augmentation of that name, or a setting is unknown or out of range.
        TypeError: If a setting is of the wrong type.

    >>> build_view([{"name": "shear", "amplitude": 0.5, "p": 0.5}]).steps
    (Shear(p=0.5, amplitude=0.5),)
    """
    if isinstance(steps, str | Mapping):
        raise TypeError(f"a view is a list of steps, got {steps!r}")
    built: list[Augmentation] = []
    for number, step in enumerate(steps):
        if not isinstance(step, Mapping | Augmentation):
            raise TypeError(f"step {number} must be a table with its name and settings, got {step!r}")
        built.append(step if isinstance(step, Augmentation) else _build(number, step))
    return View(tuple(built))


def _build(number: int, step: Mapping[str, Any]) -> Augmentation:
    name = step.get("name")
    if not isinstance(name, str):
        raise ValueError(f"step {number} must have the name of an augmentation, got {dict(step)}")
    try:
        kind = AUGMENTATIONS.lookup(name)
    except ValueError as error:
        raise ValueError(f"step {number}: {error}") from error
    settings = {_RENAMED.get((name, key), key): _frozen(step[key]) for key in step if key != "name"}
    known = [field.alias for field in fields(kind) if field.init]
    unknown = sorted(settings.keys() - set(known))
    if unknown:
        raise ValueError(f"step {number}, {name!r}: unknown settings {unknown}; known are {known}")
    try:
        if issubclass(kind, OneOf) and "steps" in settings:
            settings["steps"] = build_view(settings["steps"]).steps
        return kind(**settings)
    except (TypeError, ValueError) as error:
        # attrs puts the attribute and its definition behind the message; the message is all a reader needs.
        raise type(error)(f"step {number}, {name!r}: {error.args[0] if error.args else error}") from error


def _frozen(value: Any) -> Any:
    """The value with tuples for lists, so that settings can be compared and hashed."""
    return tuple(_frozen(each) for each in value) if isinstance(value, list | tuple) else value


def describe_view(view: View) -> list[dict[str, Any]]:
    """The view as plain data that `build_view` and a TOML file can take.

    A step is called by its name in `AUGMENTATIONS`; one that has none there is called ``module:Name``.

    Raises:
        ValueError: If the class of a step is defined within a function, where no name reaches it.
    """
    steps = []
    for step in view.steps:
        name = AUGMENTATIONS.name_of(type(step))
        if "<locals>" in name:
            raise ValueError(
                f"{type(step).__name__} is defined in a function, where plain data cannot name it"
            )
        settings = {field.alias: getattr(step, field.name) for field in fields(type(step)) if field.init}
        if isinstance(step, OneOf):
            settings["steps"] = describe_view(View(step.steps))
        steps.append({"name": name, **settings})
    return steps
