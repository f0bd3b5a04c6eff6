"""Classes that occur in the train rows, among all classes."""

import torch
from torch import Tensor


def with_absent_classes(weight: Tensor, bias: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Spread the rows of the classes `present` over all classes; the others can never be predicted."""
    classes = int(present.max()) + 1
    rows = present.to(weight.device)
    full_weight = weight.new_zeros(classes, weight.shape[1]).index_copy_(0, rows, weight)
    full_bias = bias.new_full((classes,), -torch.inf).index_copy_(0, rows, bias)
    return full_weight, full_bias
