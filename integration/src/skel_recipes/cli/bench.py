"""``skel bench``: speed on this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import tyro

Group = Literal["data", "augment", "train", "eval"]


def bench(
    groups: Annotated[tuple[Group, ...], tyro.conf.Positional] = (),
    /,
    *,
    seconds: float = 2.0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure the parts of the main job on synthetic data of the usual size.

    Args:
        groups: Which parts; all of them if none is named.
        seconds: Time spent on each part, warm-up aside.
        device: cpu, cuda, or auto.
        json: Print JSON.
    """
    import torch

    from skel_recipes._bench import _augment, _data, _eval, _train
    from skel_recipes.cli.output import say, say_json, table
    from skel_recipes.common.device import pick_device

    known = {
        "data": _data.measure,
        "augment": _augment.measure,
        "train": _train.measure,
        "eval": _eval.measure,
    }
    where = pick_device(device)
    figures: dict[str, float] = {}
    for group in groups or known:
        with TemporaryDirectory() as folder:
            figures |= known[group](seconds, where, Path(folder))
    facts = {"device": str(where), "threads": torch.get_num_threads(), "torch": torch.__version__}
    if json:
        say_json({**facts, "per_second": {name: round(value, 1) for name, value in figures.items()}})
    else:
        say(", ".join(f"{key} {value}" for key, value in facts.items()))
        say(table([("", "per second"), *((name, f"{value:,.1f}") for name, value in figures.items())]))
