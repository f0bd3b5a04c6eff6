"""Projection and prediction heads."""

from torch import nn


def mlp_head(
    in_dim: int,
    hidden_dim: int,
    out_dim: int,
    *,
    layers: int = 2,
    batch_norm: bool = False,
    output_norm: bool = False,
) -> nn.Sequential:
    """MLP head: the projector or predictor of all methods here, (N, in_dim) to (N, out_dim).

    MoCo v2's head is two layers without BatchNorm; SimCLR's and BYOL's have BatchNorm before each ReLU.

    Args:
        in_dim: Features in.
        hidden_dim: Width of the layers between.
        out_dim: Features out.
        layers: Number of linear layers, 1 or more.
        batch_norm: Whether BatchNorm precedes each ReLU.
        output_norm: Whether BatchNorm without weights follows the last layer, as in SimSiam (Chen & He, CVPR
            2021): then what all outputs have in common does not count in their cosine similarity.

    Raises:
        ValueError: If there are fewer layers than one.
    """
    if layers < 1:
        raise ValueError(f"a head has one layer or more, got {layers}")
    modules: list[nn.Module] = []
    width = in_dim
    for _ in range(layers - 1):
        modules.append(nn.Linear(width, hidden_dim, bias=not batch_norm))
        if batch_norm:
            modules.append(nn.BatchNorm1d(hidden_dim))
        modules.append(nn.ReLU(inplace=True))
        width = hidden_dim
    modules.append(nn.Linear(width, out_dim))
    if output_norm:
        modules.append(nn.BatchNorm1d(out_dim, affine=False))
    return nn.Sequential(*modules)
