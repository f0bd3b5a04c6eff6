"""Unsupervised domain adaptation: what is minimised beside the labels of a source set."""

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from skel_augment import View
from skel_recipes.evaluate.finetune import augmented
from skel_recipes.evaluate.inputs import Ints
from skel_recipes.methods.context import MethodContext
from skel_recipes.methods.cubism import Pretext, count_of, permutation, permuted
from skel_recipes.run.clips import Floats
from skel_ssl_objectives import cubism, mmd

if TYPE_CHECKING:
    from skel_recipes.evaluate.cross_dataset import CrossDataset

_DOMAIN_HIDDEN = 100


class Adaptation(nn.Module):
    """What is minimised beside the labels of the source: a pretext, MMD or DANN, on clips of both sets.

    DANN (Ganin et al., JMLR 2016): a perceptron with 100 hidden units tells the sets apart. Its gradient is
    reversed before it reaches the encoder. The weight rises as 2 / (1 + exp(-10 p)) - 1, p from 0 to 1.

    Args:
        protocol: The settings.
        task: temporal, spatial, mmd or dann.
        context: Of the encoder.
        clips: Clips of the target (N, C, T, V, M).
        rows: Those that help without labels; each step draws as many as it has labelled ones.
        width: Features of the encoder.
        seed: Of the initial weights of the classifier of permutations or of sets.
    """

    def __init__(
        self,
        protocol: "CrossDataset",
        task: str,
        context: MethodContext,
        clips: Floats,
        rows: Ints,
        width: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.protocol, self.task, self.context, self.clips, self.rows = protocol, task, context, clips, rows
        self.view, self.learned = protocol.view or View(()), 0
        width, settings = protocol.settings.hidden or width, protocol.settings
        if task in ("temporal", "spatial"):
            self.step = permutation(cast("Pretext", task), protocol.segments)
            classes = count_of(self.step, context)
            self.weight = nn.Parameter(torch.empty(classes, width))
            self.bias = nn.Parameter(torch.zeros(classes))
            nn.init.normal_(self.weight, 0, settings.head_std, generator=Generator().manual_seed(seed))
        elif task == "dann":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                layers = nn.Linear(width, _DOMAIN_HIDDEN), nn.ReLU(), nn.Linear(_DOMAIN_HIDDEN, 1)
                self.domain = nn.Sequential(*layers)

    def forward(self, model: Any, clips: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        """The loss of labelled clips (N, C, T, V, M)."""
        drawn = self.rows[torch.randint(len(self.rows), (len(clips),), generator=generator).numpy()]
        other = torch.from_numpy(np.array(self.clips[drawn])).to(clips)
        both = torch.cat([clips, other])
        if self.task in ("mmd", "dann"):
            features = model.features(augmented(self.context, self.view, both, generator))
            source, target = features.chunk(2)
            entropy = functional.cross_entropy(model.head(source), labels)
            if self.task == "mmd":
                return entropy + self.protocol.mmd_weight * mmd(source, target)
            return entropy + self._domain_loss(features)
        seen, orders = permuted(self.context, both, self.view, self.step, generator)
        if self.protocol.actions_of == "both":
            seen = torch.cat([seen, augmented(self.context, self.view, clips, generator)])
            labels = labels.repeat(2)
        features = model.features(seen)
        taught = torch.cat([features[: len(clips)], features[len(both) :]])
        terms = cubism(
            functional.linear(features[: len(both)], self.weight, self.bias),
            orders,
            model.head(taught),
            labels,
            order_weight=self.protocol.pretext_weight,
        )
        return terms["action"] + terms["order"]

    def _domain_loss(self, features: Tensor) -> Tensor:
        """Cross-entropy of the set, of features whose first half is of the source, with reversed gradient."""
        progress = self.learned / (self.protocol.settings.epochs * self.context.num_train_clips)
        self.learned += len(features) // 2
        weight = self.protocol.dann_weight * (2 / (1 + math.exp(-10 * progress)) - 1)
        reversed_ = features.detach() * (1 + weight) - weight * features  # equal, with gradient -weight
        logits = self.domain(reversed_).squeeze(1)
        wanted = (torch.arange(len(features), device=features.device) >= len(features) // 2).to(logits)
        return functional.binary_cross_entropy_with_logits(logits, wanted)
