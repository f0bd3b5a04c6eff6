"""Trains by several recipes, one after the other: what `torchrun` starts in test_world.py."""

import os
import sys
from pathlib import Path

import torch

from skel_data import Store
from skel_recipes import load_recipe, pretrain
from skel_recipes.common.device import joined

if __name__ == "__main__":
    torch.set_num_threads(1)
    store, out, *recipes = sys.argv[1:]
    with joined("cpu") as (world, _):
        assert world.size == int(os.environ.get("WORLD_SIZE", "1"))
        for recipe in recipes:
            pretrain(load_recipe(recipe), Store.open(store), Path(out) / Path(recipe).stem, device="cpu")
