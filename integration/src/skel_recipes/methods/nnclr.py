"""NNCLR (Dwibedi et al., ICCV 2021, arXiv 2104.14548), as STARS (arXiv 2407.10935) tunes with it.

The positive of a clip is its nearest neighbour among the projections of other clips. It tunes an encoder
that some method has trained, in a few epochs, or trains one from scratch.
"""

from typing import Any, ClassVar, Literal

import torch
from attrs import define, field, validators
from torch import Tensor, nn

from skel_augment import View, preset
from skel_recipes.methods.context import MethodContext
from skel_ssl_objectives import Queue, mlp_head, nnclr, queue_neighbor


@define(frozen=True)
class NNCLRSettings:
    """Settings of `NNCLR`; the defaults of the heads are those of STARS.

    Attributes:
        view: The view that is drawn.
        views: How often it is drawn for each clip. 1: a view finds its own neighbour, as in STARS, which
            varies nothing. 2: each view finds the neighbour of the other.
        queue_size: Projections of past clips; 0 to scale them to the training set.
        neighbors: The neighbour is drawn from this many nearest ones; 1 for the nearest.
        temperature: Softmax temperature.
        projection_dim: Width of a linear layer before the projector's BatchNorm; 0 for none, as in STARS.
        hidden_dim: Width of the predictor's hidden layer.
    """

    tunes: ClassVar[bool] = True

    view: View = preset("compact.view")
    views: Literal[1, 2] = 2
    queue_size: int = 32768
    neighbors: int = field(default=1, validator=validators.ge(1))
    temperature: float = field(default=0.07, validator=validators.gt(0))
    projection_dim: int = field(default=0, validator=validators.ge(0))
    hidden_dim: int = 4096

    @property
    def one_view(self) -> bool:
        """Whether one view is drawn, so that no second one can come from another recording."""
        return self.views == 1

    def build(self, encoder: Any, context: MethodContext) -> "NNCLR":
        """The method around a fresh encoder."""
        return NNCLR(self, encoder, context)


class NNCLR(nn.Module):
    """One encoder, a projector, a predictor, and a queue of projections with the ids of their clips."""

    def __init__(self, settings: NNCLRSettings, encoder: Any, context: MethodContext) -> None:
        super().__init__()
        self.settings, self.context, self.encoder = settings, context, encoder
        dim = settings.projection_dim or encoder.feature_dim
        layers: list[nn.Module] = [nn.BatchNorm1d(dim)]
        if settings.projection_dim:
            layers.insert(0, nn.Linear(encoder.feature_dim, dim, bias=False))
        self.projector = nn.Sequential(*layers)
        self.predictor = mlp_head(dim, settings.hidden_dim, dim, batch_norm=True)
        size = context.queue_size(settings.queue_size)
        self.queue = Queue(size, dim, gather=context.world.gather, with_ids=True)

    def forward(
        self, clips: Tensor, *, epoch: int, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Losses of a batch of clips (N, C, T, V, M); ``loss`` is the one to minimise."""
        del epoch
        s, world, ids = self.settings, self.context.world, self.context.ids_by_view(self.settings.views)
        views = self.context.views(clips, [s.view] * s.views, generator)
        features = self.encoder(torch.cat(views)).chunk(s.views)
        projections = [self.projector(feature) for feature in features]
        predictions = [self.predictor(projection) for projection in projections]
        losses = [
            nnclr(
                prediction,
                self._neighbor(projection, own, generator),
                temperature=s.temperature,
                gather=world.gather,
                rank=world.rank,
            )
            for prediction, projection, own in zip(
                predictions, reversed(projections), reversed(ids), strict=True
            )
        ]
        self.queue.push(projections[0], ids[0])
        return {"loss": torch.stack(losses).mean()}

    def _neighbor(self, projection: Tensor, ids: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """A neighbour of each projection (N, D) in the queue, of another clip."""
        rank, most = None, min(self.settings.neighbors, len(self.queue.keys))
        if most > 1:
            uniform = self.context.uniforms(projection, 1, generator)[:, 0]
            rank = (uniform * most).long().clamp(max=most - 1)
        return queue_neighbor(projection, self.queue.keys, ids=ids, queue_ids=self.queue.ids, rank=rank)
