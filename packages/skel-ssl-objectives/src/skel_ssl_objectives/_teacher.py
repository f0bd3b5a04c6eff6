"""The teacher: an exponential moving average of the student (MoCo's key encoder, BYOL's target)."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Teacher(nn.Module):
    """A copy of a module that follows it: teacher = m teacher + (1 - m) student.

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
        """What the teacher's module returns, without gradients."""
        result: Tensor = self.module(*args, **kwargs)
        return result

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """Move every parameter towards the student's.

        Args:
            student: A module of the same structure.
            momentum: m in [0, 1]; 1 leaves the teacher as it is.
        """
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {momentum}")
        mine, theirs = list(self.module.parameters()), list(student.parameters())
        if [p.shape for p in mine] != [p.shape for p in theirs]:
            raise ValueError("teacher and student have different parameters")
        if mine:
            get_ema_multi_avg_fn(momentum)(mine, theirs, 0)  # type: ignore[no-untyped-call]
