"""Feature diagnostics during pretraining, which need no labels and no test clips."""

from typing import Any

import numpy as np
import torch

from skel_data import ClipLoader, stream
from skel_eval import alignment, feature_health, instance_retrieval, uniformity
from skel_recipes.methods.context import MethodContext, encoders_of
from skel_recipes.run.clips import centre_window
from skel_recipes.run.embedding import embed

_MOST = 1024


def feature_diagnostics(
    method: Any, loader: ClipLoader, context: MethodContext, *, seed: int, crop: float = 1.0
) -> dict[str, float]:
    """Diagnostics of the features of training clips: do views agree, do features collapse.

    Args:
        method: The method; its encoders are put to eval mode for the time being.
        loader: Training clips; of more than 1,024 the first ones are taken.
        context: The context of the method.
        seed: Seed of the views, which are the same each time.
        crop: Of the window from the middle of each clip, where clips are longer than what encoders see.

    Returns:
        ``instance_1nn``: share of clips whose view finds its own clip as the nearest of all;
        ``alignment``: mean squared distance of a clip and its view; ``uniformity``: 0 when features
        collapse, the lower the more evenly they are spread; ``feature_std`` and ``effective_rank``: near
        zero and one when features collapse. Of several streams each has its own, such as ``alignment.bone``.
    """
    clips = loader.take(np.arange(min(len(loader), _MOST)))
    generator = torch.Generator(clips.device).manual_seed(seed)
    # One process computes them on all clips: the draws of a share of the batch are not meant.
    alone = MethodContext(context.shape, context.stream, context.num_train_clips)
    (views,) = alone.views_by_stream(clips, [method.settings.view], generator)
    clips = centre_window(clips, context.shape.frames, crop)
    found: dict[str, float] = {}
    for name, encoder in encoders_of(method, context.streams).items():
        plain = embed(encoder, stream(clips, name, context.layout))
        varied = embed(encoder, views[name])
        health = feature_health(plain)
        values = {
            "instance_1nn": instance_retrieval(varied, plain),
            "feature_std": health["std"],
            "effective_rank": health["effective_rank"],
            "alignment": alignment(varied, plain),
            "uniformity": uniformity(plain),
        }
        tail = f".{name}" if len(context.streams) > 1 else ""
        found |= {f"{key}{tail}": value for key, value in values.items()}
    return found
