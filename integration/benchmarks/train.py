"""Training steps of whole methods."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rate import rate
from skel_data import ClipShape, get_layout
from skel_eval import build_optimizer
from skel_recipes.config.recipe import load_recipe
from skel_recipes.methods.context import MethodContext
from skel_recipes.train.trainer import autocast_of, build_method

# The recipe "aimclr" has a narrower encoder; published speeds are of this one.
PAPER_SIZE = {"encoder.base_channels": 16, "encoder.feature_dim": 256, "data.pipeline.frames": 50}


def measure(seconds: float, device: torch.device, _: Path) -> dict[str, float]:
    """Clips per second: views, forward, backward, optimiser."""
    return {
        "clips trained, AimCLR on ST-GCN-16, 20 joints, 1 body": _step(
            seconds, device, "aimclr", "utd-20", 1, PAPER_SIZE
        ),
        "clips trained, AimCLR on ST-GCN-16, 25 joints, 2 bodies": _step(
            seconds, device, "aimclr", "ntu-25", 2, PAPER_SIZE
        ),
        "clips trained, compact, 20 joints, 1 body": _step(seconds, device, "compact", "utd-20", 1, {}),
    }


def _step(
    seconds: float, device: torch.device, name: str, layout_name: str, bodies: int, changes: Mapping[str, Any]
) -> float:
    recipe, layout = load_recipe(name, changes), get_layout(layout_name)
    size, frames = recipe.train.batch_size, recipe.data.pipeline.frames
    method = build_method(recipe, MethodContext(ClipShape(layout, frames, bodies), "joint", 1000)).to(device)
    optim = recipe.optim
    optimizer = build_optimizer(
        method.parameters(), optim.optimizer, optim.lr, weight_decay=optim.weight_decay
    )
    clips = torch.randn(size, layout.channels, frames, layout.num_joints, bodies, device=device)
    draws = torch.Generator(device).manual_seed(0)
    precision = autocast_of(recipe.train, device)

    def step() -> None:
        with precision:
            losses = method(clips, epoch=0, generator=draws)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimizer.step()

    return rate(step, seconds, device, size)
