"""Registry of the evaluation protocols: those on frozen features, and those that need the encoders."""

from typing import Any

from attrs import has

from skel_data import Registry
from skel_eval import PROTOCOLS as FROZEN

PROTOCOLS: Registry[Any] = Registry(
    "protocol",
    {
        **FROZEN,
        "finetune": "skel_recipes.evaluate.finetune:FineTune",
        "semi": "skel_recipes.evaluate.finetune:SemiSupervised",
        "transfer": "skel_recipes.evaluate.finetune:Transfer",
        "cross-dataset": "skel_recipes.evaluate.cross_dataset:CrossDataset",
        "detect": "skel_recipes.evaluate.detect:Detection",
        "robustness": "skel_recipes.evaluate.robustness:Robustness",
    },
    fits=lambda part: isinstance(part, type) and has(part) and callable(part) and hasattr(part, "title"),
    expected="an attrs class with a title that can be called",
)
"""Protocols by name.

A class that says what it ``fuses`` is called with features: see `skel_eval.FrozenProtocol`. Any other is
called with `EvaluationInputs` and its name, and gives an `Outcome` and the results of its baselines. With a
method ``narrowed`` it chooses the test clips itself, and with ``needs_labels = False`` the split needs none.
"""
