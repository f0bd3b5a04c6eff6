"""Check that evaluation does not change the encoder."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from skel_eval._words import counted


@contextmanager
def unchanged(module: nn.Module) -> Iterator[nn.Module]:
    """Use a module in eval mode and without gradients, and check afterwards that no tensor of it changed.

    All parameters and buffers count, BatchNorm statistics and buffers outside of the state dict included,
    bit by bit; they are copied for that. Afterwards each submodule is in the mode that it was in before.

    Example:
        ``with unchanged(encoder): features = encoder(clips)``

    Args:
        module: The module, for instance a pretrained encoder.

    Yields:
        The module.

    Raises:
        RuntimeError: At the end, if a tensor is not what it was, or tensors came or went.
    """
    before = {name: tensor.detach().clone() for name, tensor in _tensors(module)}
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield module
    finally:
        for part, training in modes:
            part.training = training
    after = dict(_tensors(module))
    changed = [name for name in before if name not in after or not _same(before[name], after[name])]
    changed += [name for name in after if name not in before]
    if changed:
        raise RuntimeError(
            f"{counted(len(changed), 'tensor')} of the module changed while it was evaluated: "
            f"{', '.join(changed[:5])}{', ...' if len(changed) > 5 else ''}"
        )


def state_digest(state: Mapping[str, Tensor]) -> str:
    """Hash of the names and bits of all tensors of a state dict, to tell whether any has changed."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in state.items():
        digest.update(name.encode())
        digest.update(_bits(value.detach().cpu()).numpy().tobytes())
    return digest.hexdigest()


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())


def _bits(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal bit by bit, so that NaN equals itself and -0.0 is not 0.0."""
    same_kind = a.dtype == b.dtype and a.shape == b.shape and a.device == b.device
    return same_kind and torch.equal(_bits(a), _bits(b.detach()))
