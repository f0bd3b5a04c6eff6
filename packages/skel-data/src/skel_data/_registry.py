"""Registry: parts that a recipe or a command names, built in, installed or a user's own."""

import sys
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from skel_data._static import static_doc, static_fields

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Registry of the parts of one kind, such as encoders.

    A part is found by one of three names:

    - a name that comes with the packages, such as ``stgcn``;
    - a name that an installed package registers as a Python entry point of the group ``skel.encoders`` (the
      plural of the kind);
    - ``module:Name``, where the module has been imported already. Looking a name up never imports a module
      that only a file names, so that a recipe of somebody else's runs no code: import yours first, on the
      command line with ``--import module``.

    Iterating gives the names of the first two kinds.

    Args:
        kind: What the parts are, in the singular, such as ``encoder``.
        parts: Built-in parts by name: the part, or ``module:Name`` for one that is imported when it is used.
        fits: Whether a part from elsewhere is one of this kind; ``expected`` says so in words.
        expected: What a part has to be, for the message.
        by_module: Whether a part is documented by its module, as a method is whose settings are the part.
    """

    def __init__(
        self,
        kind: str,
        parts: Mapping[str, T | str],
        *,
        fits: Callable[[Any], bool] = lambda _: True,
        expected: str = "",
        by_module: bool = False,
    ) -> None:
        self.kind = kind
        self.group = f"skel.{kind}s"
        self._parts = dict(parts)
        self._loaded: dict[str, T] = {name: part for name, part in parts.items() if not isinstance(part, str)}
        self._fits, self._expected = fits, expected
        self._by_module = by_module

    @cached_property
    def _installed(self) -> "dict[str, EntryPoint]":
        """Entry points by name; a name that comes with the packages stays theirs."""
        from importlib.metadata import entry_points  # takes longer than all else here

        found = {point.name: point for point in entry_points(group=self.group)}
        return {name: point for name, point in sorted(found.items()) if name not in self._parts}

    def __iter__(self) -> Iterator[str]:
        yield from self._parts
        yield from self._installed

    def __len__(self) -> int:
        return len(self._parts) + len(self._installed)

    def __contains__(self, name: object) -> bool:
        return name in self._parts or name in self._installed

    def __getitem__(self, name: str) -> T:
        """The part of a name.

        Raises:
            KeyError: If there is no part of this name; see `lookup` for a message that helps a user.
        """
        if name not in self and ":" not in name:
            raise KeyError(name)
        return self.lookup(name)

    def lookup(self, name: str) -> T:
        """The part of a name.

        Raises:
            ValueError: If there is no such part, it lies in a module that nobody imported, it cannot be
                imported, or it is no part of this kind.
        """
        if name in self._parts:
            return self._built_in(name)
        try:
            if name in self._installed:
                part = self._installed[name].load()
            elif ":" in name:
                part = self._imported(name)
            else:
                raise ValueError(f"no {self.kind} {name!r}; {self._hint(name)}")
        except (ImportError, AttributeError) as error:
            raise ValueError(f"no {self.kind} {name!r}: {error}") from error
        if not self._fits(part):
            raise ValueError(f"{self.kind} {name!r} must be {self._expected}, got {part!r}")
        found: T = part
        return found

    def name_of(self, part: Any) -> str:
        """The name under which `lookup` finds a part."""
        lazy = {key: str(value) for key, value in self._parts.items() if key not in self._loaded}
        lazy |= {key: point.value.replace(" ", "") for key, point in self._installed.items()}
        for name, known in self._loaded.items():
            if known is part:
                return name
        for name, value in lazy.items():
            module, _, attribute = value.partition(":")
            if module in sys.modules and getattr(sys.modules[module], attribute, None) is part:
                return name
        home, qualname = getattr(part, "__module__", None), getattr(part, "__qualname__", None)
        return f"{home}:{qualname}" if home and qualname else repr(part)

    def summary(self, name: str) -> str:
        """The first sentence of a part's documentation, read without importing the part."""
        value = self._parts.get(name)
        if value is not None and not isinstance(value, str):
            doc = getattr(value, "summary", None) or getattr(value, "__doc__", None) or ""
        else:
            found = value or self._installed[name].value
            doc = static_doc(found.partition(":")[0] + ":" if self._by_module else found)
        return " ".join(doc.strip().partition("\n\n")[0].split())

    def settings(self, name: str) -> dict[str, str] | None:
        """Fields of a part that is an attrs class, with their annotations, read without importing the part.

        None where the source of the part does not say.
        """
        value = self._parts.get(name)
        if value is None and name in self._installed:
            value = self._installed[name].value
        return static_fields(value) if isinstance(value, str) else None

    def _built_in(self, name: str) -> T:
        if name not in self._loaded:
            module, _, attribute = str(self._parts[name]).partition(":")
            self._loaded[name] = getattr(import_module(module), attribute)
        return self._loaded[name]

    def _imported(self, name: str) -> Any:
        module, _, attribute = name.partition(":")
        if module not in sys.modules:
            raise ValueError(
                f"{self.kind} {name!r} is code of your own: import {module} first (in a command: "
                f"--import {module})"
            )
        part: Any = sys.modules[module]
        for step in attribute.split("."):
            part = getattr(part, step)
        return part

    def _hint(self, name: str) -> str:
        near = get_close_matches(name, list(self), 1)
        known = f"did you mean {near[0]!r}? There are" if near else "there are"
        return f"{known} {', '.join(self)}, or give module:Name"
