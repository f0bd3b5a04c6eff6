"""Speed on this machine: the parts of the main job, on synthetic data of the usual size.

Each group of parts is a module beside this one with a function ``measure(seconds, device, folder)``, which
returns figures by name, in units per second unless the name says otherwise.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import augment
import data
import evaluation
import predict
import train
from skel_recipes.cli.output import say, say_json, table
from skel_recipes.common.device import pick_device

GROUPS = {
    "data": data.measure,
    "augment": augment.measure,
    "train": train.measure,
    "eval": evaluation.measure,
    "predict": predict.measure,
}


def main() -> None:
    """Measure the groups that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="bench", description="Speed on this machine.")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--seconds", type=float, default=2.0, help="time spent on each part (2)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()

    where = pick_device(chosen.device)
    figures: dict[str, float] = {}
    for group in chosen.groups or GROUPS:
        with TemporaryDirectory() as folder:
            figures |= GROUPS[group](chosen.seconds, where, Path(folder))
    facts = {"device": str(where), "threads": torch.get_num_threads(), "torch": torch.__version__}
    if chosen.json:
        say_json({**facts, "per_second": {name: round(value, 1) for name, value in figures.items()}})
    else:
        say(", ".join(f"{key} {value}" for key, value in facts.items()))
        say(table([("", "per second"), *((name, f"{value:,.1f}") for name, value in figures.items())]))


if __name__ == "__main__":
    main()
