"""Convolutions of size 1."""

import math

import torch
from torch import Tensor, nn


class Pointwise(nn.Module):
    """A convolution of size 1 as a matrix product, which trains up to twice as fast as `Conv2d` on a CPU.

    Several convolutions can be joined in one; fan_out is that of each.
    """

    def __init__(self, in_channels: int, out_channels: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        init_kaiming(self.weight, self.bias, fan_out)

    def forward(self, x: Tensor) -> Tensor:
        # Not len(x), which an export would take for a constant.
        y = torch.baddbmm(self.bias[:, None], self.weight.expand(x.shape[0], -1, -1), x.flatten(2))
        return y.view(*y.shape[:2], *x.shape[2:])


def projection(in_channels: int, out_channels: int) -> nn.Module:
    """What a residual needs where channels change."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(Pointwise(in_channels, out_channels, out_channels), nn.BatchNorm2d(out_channels))


def init_kaiming(weight: Tensor, bias: Tensor | None, fan_out: int) -> None:
    """Kaiming's normal weights."""
    nn.init.normal_(weight, 0.0, math.sqrt(2 / fan_out))
    if bias is not None:
        nn.init.zeros_(bias)
