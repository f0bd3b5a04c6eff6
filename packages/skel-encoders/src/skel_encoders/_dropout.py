"""Dropout that does not dominate a training step on the CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """Dropout as `torch.nn.Dropout`, with p rounded to 1/65536.

    PyTorch draws one number per element, on one core, which took a quarter of an ST-GCN training
    step; four elements can share the 64 bits of one draw. Other devices have a fused kernel already.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Zero each element with probability p while training; scale the others by 1 / (1 - p)."""
        dropped = round(self.p * _LEVELS)
        if not self.training or dropped == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
        kept = torch.empty_like(x, requires_grad=False)
        numbers = words.view(torch.int16).as_strided(kept.shape, kept.stride())
        torch.ge(numbers, dropped - _LEVELS // 2, out=kept)
        return x * kept.mul_(_LEVELS / (_LEVELS - dropped))

    def extra_repr(self) -> str:
        """Settings for printing."""
        return f"p={self.p}"
