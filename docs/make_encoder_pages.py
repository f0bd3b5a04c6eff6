"""Measures the encoders and writes the figures of the pages below encoders/.

python docs/make_encoder_pages.py [--seconds S] [--machine TEXT] [--check]

Figures go into ``encoders/figures.json``; then the text between ``<!-- figures: NAME -->`` and
``<!-- end -->`` is written again in every page, and all other text is left alone. With --check nothing is
measured or written, and the exit status is 1 if a page, or a number of parameters or operations, is not as
it would be written.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from skel_encoders import create_encoder, list_encoders
from skel_eval import Code, table_text
from skel_recipes.common.device import computes_bfloat16

PAGES = Path(__file__).parent / "encoders"
ENCODERS = list_encoders()
FRAMES = {"stgcn": 50, "transformer": 120}
"""Of the published recipes; 64 for all others."""
BATCH = 16
ROUNDS = 3
"""Each speed is the best of this many times, minutes apart: others may use the machine."""


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="time spent on each speed")
    parser.add_argument("--machine", default="", help="what the speeds are measured on")
    parser.add_argument("--check", action="store_true", help="measure and write nothing")
    options = parser.parse_args()
    file = PAGES / "figures.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    sizes = {name: size(name) for name in ENCODERS}
    if options.check:
        figures = kept
        wrong = [name for name in sizes if sizes[name].items() - kept.get(name, {}).items()]
    else:
        figures = {name: dict(size) for name, size in sizes.items()}
        for _ in range(ROUNDS):
            for name in ENCODERS:
                for kind, found in speeds(name, options.seconds / ROUNDS).items():
                    figures[name][kind] = max(found, figures[name].get(kind, 0))
        figures["machine"] = options.machine or kept.get("machine", "")
        file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        wrong = []
    for page in sorted(PAGES.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = rendered(before, figures)
        if after != before:
            wrong.append(page.name)
            if not options.check:
                page.write_text(after, encoding="utf-8")
    if wrong:
        sys.stdout.write(f"{'not up to date' if options.check else 'written'}: {', '.join(wrong)}\n")
    return int(options.check and bool(wrong))


def built(name: str) -> tuple[nn.Module, torch.Tensor]:
    """An encoder with its default settings, and clips for it."""
    torch.manual_seed(0)
    frames = FRAMES.get(name, 64)
    encoder = create_encoder(name, "ntu-25", frames=frames, bodies=2)
    return encoder, torch.randn(BATCH, 3, frames, 25, 2)


def size(name: str) -> dict[str, float]:
    """Parameters, and multiplications and additions for one clip of two bodies."""
    encoder, clips = built(name)
    # fused attention is counted by some releases of PyTorch and not by others
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        encoder.eval()(clips[:2])
    return {
        "frames": clips.shape[2],
        "feature": encoder.feature_dim,
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "flops": round(counter.get_total_flops() / 2),
    }


def speeds(name: str, seconds: float) -> dict[str, float]:
    """Clips per second."""
    encoder, clips = built(name)
    alone = clips.clone()
    alone[..., 1] = 0

    def infer(batch: torch.Tensor) -> Callable[[], object]:
        def work() -> None:
            with torch.no_grad():
                encoder.eval()(batch)

        return work

    def train(precision: torch.dtype) -> Callable[[], object]:
        def work() -> None:
            with torch.autocast("cpu", precision, enabled=precision != torch.float32):
                features = encoder.train()(clips)
            encoder.zero_grad(set_to_none=True)
            features.float().square().mean().backward()

        return work

    rates = {
        "two bodies": rate(infer(clips), seconds),
        "one body": rate(infer(alone), seconds),
        "training": rate(train(torch.float32), seconds),
    }
    # where it is emulated, a step can take minutes
    if computes_bfloat16(torch.device("cpu")):
        rates["training in bfloat16"] = rate(train(torch.bfloat16), seconds)
    return rates


def rate(work: Callable[[], object], seconds: float) -> float:
    """Clips per second by the quickest call."""
    work()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return float(f"{BATCH / best:.3g}")


SPEEDS = {
    "two bodies": "two bodies",
    "one body": "one body",
    "training": "training",
    "training in bfloat16": "in bfloat16",
}
HEAD = ["encoder", "frames", "feature", "parameters", "operations", *SPEEDS.values()]


def row(name: str, figures: dict) -> list:
    """A line of the table."""
    of = figures[name]
    return [
        Code(name),
        str(of["frames"]),
        str(of["feature"]),
        f"{of['parameters'] / 1e6:.2f} M",
        f"{of['flops'] / 1e9:.2f} G",
        *(f"{of[key]:,.0f}" if key in of else "" for key in SPEEDS),
    ]


def rendered(page: str, figures: dict) -> str:
    """The page with its figures written again."""

    def table(match: re.Match[str]) -> str:
        names = ENCODERS if match[2] == "all" else [match[2]]
        lines = [HEAD, *(row(name, figures) for name in names if name in figures)]
        note = f"Clips per second on {figures['machine']}." if figures.get("machine") else ""
        return (
            f"{match[1]}\n\n{table_text(lines, numbers=range(1, len(HEAD))).strip()}\n\n{note}\n\n{match[3]}"
        )

    return re.sub(r"(<!-- figures: (\S+) -->)\n.*?(<!-- end -->)", table, page, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
