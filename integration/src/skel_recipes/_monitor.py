"""Looks at the features during pretraining that need no labels and no test clips."""

import torch
from torch import Tensor

from skel_data import stream
from skel_eval import feature_health, instance_retrieval
from skel_recipes._features import embed
from skel_recipes.methods import Method
from skel_recipes.methods._sight import Sight

_MOST = 1024


def look(method: Method, clips: Tensor, sight: Sight, *, seed: int) -> dict[str, float]:
    """How training clips lie in feature space.

    Args:
        method: The method; its encoder is put to eval mode for the time being.
        clips: Training clips (N, C, T, V, M); of more than 1,024 the first ones are taken.
        sight: What the encoder sees.
        seed: Decides the views, which are the same at every look.

    Returns:
        ``instance_1nn``: share of clips whose view finds its own clip as the nearest of all;
        ``feature_std`` and ``effective_rank``: near zero and one when features collapse.
    """
    clips = clips[:_MOST]
    (seen,) = sight.views(clips, [method.settings.view], torch.Generator(clips.device).manual_seed(seed))
    plain = embed(method.encoder, stream(clips, sight.stream, sight.layout))
    varied = embed(method.encoder, seen)
    health = feature_health(plain)
    return {
        "instance_1nn": instance_retrieval(varied, plain),
        "feature_std": health["std"],
        "effective_rank": health["effective_rank"],
    }
