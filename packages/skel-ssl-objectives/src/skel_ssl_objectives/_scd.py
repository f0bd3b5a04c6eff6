"""Interactive contrast of SCD-Net (Wu et al., AAAI 2024, arXiv 2309.05834)."""

from typing import NamedTuple

from torch import Tensor

from skel_ssl_objectives._contrast import contrast, info_nce


class Clues(NamedTuple):
    """Tensors of SCD-Net's three domains: embeddings (N, D), or keys of a queue (K, D)."""

    temporal: Tensor
    spatial: Tensor
    instance: Tensor


def scd(queries: Clues, keys: Clues, negatives: Clues, *, temperature: float = 0.2) -> dict[str, Tensor]:
    """Interactive contrast of SCD-Net: the global feature of a clip anchors its temporal and its spatial one.

    Four InfoNCE terms across domains: temporal and spatial queries among instance keys, instance queries
    among temporal and among spatial keys.

    Args:
        queries: (N, D) in each domain.
        keys: (N, D) in each domain, constants here.
        negatives: (K, D) in each domain, of unit length, such as `Queue.keys`.
        temperature: Divisor of the cosine similarities.

    Returns:
        The four terms by name, query's domain first, such as ``temporal_instance``; SCD-Net minimises their
        sum.

    Raises:
        ValueError: If shapes do not fit, see `contrast`.
    """
    pairs = [("temporal", "instance"), ("spatial", "instance")]
    pairs += [(key, query) for query, key in pairs]
    return {
        f"{query}_{key}": info_nce(
            contrast(
                getattr(queries, query), getattr(keys, key), getattr(negatives, key), temperature=temperature
            )
        )
        for query, key in pairs
    }
