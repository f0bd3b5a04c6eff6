"""Evaluation settings of published programs, which stand in published.toml."""

import tomllib
from importlib.resources import files
from typing import Any

from attrs import define

from skel_eval.protocols.finetune import Finetune
from skel_eval.protocols.linear import SGD, Adam, LinearProbe


@define(frozen=True)
class PublishedProtocol:
    """How a published program evaluates an encoder, read from that program, for NTU RGB+D 60 cross-subject.

    Attributes:
        name: Name of the method.
        source: The program: repository, commit, files.
        linear: Linear probe, with how it takes several streams; the seed is not the program's.
        finetune: Settings of `finetune`; None if the program comes without them.
        layer_decay: Fine-tuning: layer-wise learning-rate decay, from a layer to the one before it.
        drop_path: Fine-tuning: probability to skip the last block of a Transformer; None: as in pretraining.
        keep_joints: Fine-tuning: the head sees the features of all joints, and not their mean.
    """

    name: str
    source: str
    linear: LinearProbe
    finetune: Finetune | None = None
    layer_decay: float = 1.0
    drop_path: float | None = None
    keep_joints: bool = False


def _read() -> dict[str, PublishedProtocol]:
    file = files("skel_eval.protocols") / "published.toml"
    found = {}
    for name, table in tomllib.loads(file.read_text(encoding="utf-8")).items():
        linear, finetune = _settings(table["linear"]), table.get("finetune")
        solver = {"sgd": SGD, "adam": Adam}[linear.pop("solver", "sgd")]
        found[name] = PublishedProtocol(
            name,
            table["source"],
            LinearProbe(solver(**linear), table.get("fusion", "late")),
            None if finetune is None else Finetune(**_settings(finetune)),
            table.get("layer_decay", 1.0),
            table.get("drop_path"),
            table.get("keep_joints", False),
        )
    return found


def _settings(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


PUBLISHED_PROTOCOLS = _read()
"""Published evaluation protocols by the name of their method."""


def published_protocol(name: str) -> PublishedProtocol:
    """The evaluation protocol of a published method; `PUBLISHED_PROTOCOLS` has all of them by name.

    Raises:
        ValueError: If none of that name is known.
    """
    if name not in PUBLISHED_PROTOCOLS:
        known = ", ".join(sorted(PUBLISHED_PROTOCOLS))
        raise ValueError(f"no published protocol is called {name!r}; known are {known}")
    return PUBLISHED_PROTOCOLS[name]
