"""Registry of encoders: found by name, and built with the arguments of their constructors."""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from fnmatch import fnmatchcase
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from skel_data import Registry, SkeletonLayout, get_layout

if TYPE_CHECKING:
    from torch import nn

BUILT_IN = {
    "stgcn": "skel_encoders.stgcn:STGCN",
    "tcn": "skel_encoders.tcn:TCN",
    "jbf": "skel_encoders.jbf:JBF",
    "scd": "skel_encoders.scd:SCDEncoder",
    "agcn": "skel_encoders.agcn:AGCN",
    "ctrgcn": "skel_encoders.ctrgcn:CTRGCN",
    "hcn": "skel_encoders.hcn:HCN",
    "gru": "skel_encoders.gru:GRU",
    "dste": "skel_encoders.dste:DSTE",
    "umurl": "skel_encoders.umurl:UmURL",
    "transformer": "skel_encoders.transformer:Transformer",
    "slim": "skel_encoders.slim:SLiM",
}
_OF_CLIPS = ("frames", "bodies")


def _is_encoder(part: Any) -> bool:
    from torch import nn

    return (
        isinstance(part, type)
        and issubclass(part, nn.Module)
        and "layout" in inspect.signature(part).parameters
    )


ENCODERS: "Registry[type[nn.Module]]" = Registry(
    "encoder",
    BUILT_IN,
    fits=_is_encoder,
    expected="a subclass of torch.nn.Module whose constructor takes layout",
)
"""Classes of encoders by name; a class is imported when it is looked up."""


def list_encoders(pattern: str = "*") -> list[str]:
    """Names of the encoders that come with this package or that an installed package registers.

    Args:
        pattern: Shell pattern that a name has to match.

    >>> list_encoders("*gcn")
    ['stgcn', 'agcn', 'ctrgcn']
    """
    return [name for name in ENCODERS if fnmatchcase(name, pattern)]


def encoder_settings(name: str, /, **settings: Any) -> dict[str, Any]:
    """Settings of an encoder, those that are not given with their defaults.

    They are the arguments of its constructor, without what the clips decide: layout, frames and bodies.

    Args:
        name: Name in `list_encoders`, or ``module:Name`` of a class in an imported module.
        settings: Settings with other values. A list is taken where a tuple is wanted, as TOML has no tuples.

    Raises:
        ValueError: If there is no such encoder or setting, or a setting is missing or of another type than
            the constructor's.

    >>> encoder_settings("ctrgcn", base_channels=32)
    {'in_channels': None, 'base_channels': 32, 'part_attention': False}
    """
    kind = ENCODERS.lookup(name)
    _check_names(name, kind, settings)
    found = {key: parameter.default for key, parameter in _parameters(kind).items() if key not in _OF_CLIPS}
    return found | _converted_all(name, kind, settings)


def create_encoder(
    name: str,
    /,
    layout: SkeletonLayout | str | Path,
    *,
    frames: int | None = None,
    bodies: int | None = None,
    **settings: Any,
) -> "nn.Module":
    """An encoder with fresh weights, by name.

    Args:
        name: Name in `list_encoders`, or ``module:Name`` of a class in an imported module.
        layout: The skeleton: a layout, the name of a preset, or the path of a TOML file.
        frames: Frames of the clips; left out where the constructor does not take them.
        bodies: Bodies of the clips; left out where the constructor does not take them.
        settings: Further arguments of the constructor, see `encoder_settings`. A list is taken where a tuple
            is wanted, as TOML has no tuples.

    Raises:
        ValueError: If there is no such encoder, layout or setting, a setting is missing, of another type than
            the constructor's, or out of range.
        FileNotFoundError: If there is no such layout file.

    >>> create_encoder("stgcn", layout="ntu-25", frames=50, bodies=2, base_channels=64).base_channels
    64
    """
    settings = encoder_settings(name, **settings)
    kind, of_clips = ENCODERS.lookup(name), {"frames": frames, "bodies": bodies}
    for key, parameter in _parameters(kind).items():
        if key in _OF_CLIPS and of_clips[key] is not None:
            settings |= _converted_all(name, kind, {key: of_clips[key]})
        elif key in _OF_CLIPS and parameter.default is parameter.empty:
            raise ValueError(f"encoder {name!r} needs {key}")
    if not isinstance(layout, SkeletonLayout):
        layout = get_layout(layout)
    return kind(layout=layout, **settings)


def _parameters(kind: type) -> dict[str, inspect.Parameter]:
    """Arguments of a constructor by name, but the layout."""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p for p in parameters if p.name != "layout" and p.kind not in variadic}


def _check_names(name: str, kind: type, settings: Mapping[str, Any]) -> None:
    """Refuse settings that the constructor does not have, and require those without a default."""
    parameters = _parameters(kind)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(kind).parameters.values())
    known = [key for key in parameters if key not in _OF_CLIPS]
    unknown = [] if open_ended else [key for key in settings if key not in known]
    if unknown:
        near = get_close_matches(unknown[0], known, 1)
        hint = f"did you mean {near[0]!r}? It has" if near else "it has"
        raise ValueError(f"encoder {name!r} has no setting {unknown[0]!r}; {hint} {', '.join(known)}")
    missing = [
        key for key in known if parameters[key].default is inspect.Parameter.empty and key not in settings
    ]
    if missing:
        raise ValueError(f"encoder {name!r} needs {', '.join(missing)}")


def _converted_all(name: str, kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the constructor's annotations want them."""
    types, found = _types(kind), {}
    for key, value in settings.items():
        wanted = types.get(key, Any)
        try:
            found[key] = _converted(value, wanted)
        except TypeError:
            raise ValueError(
                f"{key} of encoder {name!r} must be {_described(wanted)}, got {value!r}"
            ) from None
    return found


def _types(kind: type) -> Mapping[str, Any]:
    """Annotations of a constructor; none where they name what only a type checker imports."""
    with suppress(NameError, TypeError):
        return get_type_hints(kind.__init__)  # type: ignore[misc]
    return {}


def _converted(value: Any, wanted: Any) -> Any:
    """A value of TOML or JSON as an annotation wants it; TypeError if it does not fit."""
    origin, options = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        for option in options:
            with suppress(TypeError):
                return _converted(value, option)
        raise TypeError
    if wanted is Any:
        return value
    if tuple in (wanted, origin) and isinstance(value, list | tuple):
        if options[1:] == (...,):
            options = options[:1] * len(value)
        if options and len(options) != len(value):
            raise TypeError
        return tuple(map(_converted, value, options)) if options else tuple(value)
    if wanted in (int, float):
        number = Integral if wanted is int else Real
        fits = isinstance(value, number) and not isinstance(value, bool)
        value = wanted(value) if fits else value
    elif origin is Literal:
        fits = value in options
    else:
        fits = not isinstance(origin or wanted, type) or isinstance(value, origin or wanted)
    if not fits:
        raise TypeError
    return value


def _described(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(map(repr, get_args(wanted)))}"
    return wanted.__name__ if type(wanted) is type else str(wanted)
