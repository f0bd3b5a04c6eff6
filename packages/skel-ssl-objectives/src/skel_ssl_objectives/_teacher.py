"""EMA momentum teacher: MoCo's key encoder, BYOL's target network."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Teacher(nn.Module):
    """EMA momentum teacher, a moving average of a student module: teacher = m teacher + (1 - m) student.

    Parameters follow the average; buffers such as BatchNorm statistics are the teacher's own, from the
    clips it sees, as in MoCo. No gradient reaches it.

    Args:
        student: The module to follow; the copy starts equal to it.
    """

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Forward pass of the teacher without gradients."""
        result: Tensor = self.module(*args, **kwargs)
        return result

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """Update every parameter by the moving average.

        Args:
            student: A module of the same structure.
            momentum: EMA momentum m in [0, 1]; 1 leaves the teacher as it is.

        Raises:
            ValueError: If the momentum is out of range, or the parameters have other shapes.
        """
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {momentum}")
        mine, theirs = list(self.module.parameters()), list(student.parameters())
        if [p.shape for p in mine] != [p.shape for p in theirs]:
            raise ValueError("teacher and student have different parameters")
        if mine:
            get_ema_multi_avg_fn(momentum)(mine, theirs, 0)  # type: ignore[no-untyped-call]
