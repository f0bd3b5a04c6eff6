"""BatchNorm over the clips of all processes, so that one process and many see the same statistics."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from skel_recipes.common.device import World
from skel_ssl_objectives import Gather


def synchronise_norms(module: nn.Module, world: World, device: torch.device) -> nn.Module:
    """The module with every BatchNorm replaced by one whose statistics are those of all processes.

    Weights and names stay. On a GPU it is PyTorch's `SyncBatchNorm`, which a CPU does not have.
    """
    if world.gather is None:
        return module
    if device.type == "cuda":
        synchronised: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return synchronised
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm) and not isinstance(child, SyncNorm):
                setattr(parent, name, SyncNorm.of(child, world.gather))
    return module


class SyncNorm(_BatchNorm):
    """BatchNorm for inputs (N, C, ...) whose N is spread over processes.

    Processes may hold different numbers of rows, also none.
    """

    gather: Gather

    @classmethod
    def of(cls, norm: _BatchNorm, gather: Gather) -> "SyncNorm":
        """The same with weights and buffers shared."""
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        new._parameters, new._buffers = norm._parameters, norm._buffers  # shared, not copied
        new.gather = gather
        return new.train(norm.training)

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of axes is allowed."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, ...) by statistics over all but C, of all processes."""
        if not self.training:
            return super().forward(x)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        wide = x if x.dtype == torch.float64 else x.float()
        count = wide.new_tensor([x.numel() // x.shape[1]])
        mean = wide.sum(axes) / count.clamp(min=1)
        variance = (wide - mean.view(shape)).square().sum(axes) / count.clamp(min=1)

        gathered = self.gather(torch.cat([count, mean, variance])[None])
        counts, (means, variances) = gathered[:, :1], gathered[:, 1:].chunk(2, dim=1)
        share = counts / counts.sum()
        mean = (share * means).sum(0)
        variance = (share * (variances + (means - mean).square())).sum(0)
        self._follow(mean, variance, counts.sum())
        y: Tensor = (wide - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        factor = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), factor)
