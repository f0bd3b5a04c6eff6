"""Looks at the features during pretraining that need no labels and no test clips."""

from typing import Any

import numpy as np
import torch

from skel_data import ClipLoader, stream
from skel_eval import alignment, feature_health, instance_retrieval, uniformity
from skel_recipes._features import embed, encoders_of
from skel_recipes._seen import centre_window
from skel_recipes.methods import Sight

_MOST = 1024


def look(method: Any, loader: ClipLoader, sight: Sight, *, seed: int, crop: float = 1.0) -> dict[str, float]:
    """How training clips lie in feature space.

    Args:
        method: The method; its encoders are put to eval mode for the time being.
        loader: Training clips; of more than 1,024 the first ones are taken.
        sight: What the encoders see.
        seed: Decides the views, which are the same at every look.
        crop: Of the window from the middle of each clip, where clips are longer than what encoders see.

    Returns:
        ``instance_1nn``: share of clips whose view finds its own clip as the nearest of all;
        ``alignment``: mean squared distance of a clip and its view; ``uniformity``: 0 when features
        collapse, the lower the more evenly they are spread; ``feature_std`` and ``effective_rank``: near
        zero and one when features collapse. Of several streams each has its own, such as ``alignment.bone``.
    """
    clips = loader.take(np.arange(min(len(loader), _MOST)))
    generator = torch.Generator(clips.device).manual_seed(seed)
    # One process looks, at all clips: the draws of a share of the batch are not meant.
    alone = Sight(sight.shape, sight.stream, sight.clips)
    (seen,) = alone.views_by_stream(clips, [method.settings.view], generator)
    clips = centre_window(clips, sight.shape.frames, crop)
    found: dict[str, float] = {}
    for name, encoder in encoders_of(method.encoder, sight.streams).items():
        plain = embed(encoder, stream(clips, name, sight.layout))
        varied = embed(encoder, seen[name])
        health = feature_health(plain)
        values = {
            "instance_1nn": instance_retrieval(varied, plain),
            "feature_std": health["std"],
            "effective_rank": health["effective_rank"],
            "alignment": alignment(varied, plain),
            "uniformity": uniformity(plain),
        }
        tail = f".{name}" if len(sight.streams) > 1 else ""
        found |= {f"{key}{tail}": value for key, value in values.items()}
    return found
