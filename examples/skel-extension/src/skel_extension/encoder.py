"""A perceptron on where the joints are and how far they move."""

import torch
from torch import Tensor, nn

from skel_data import SkeletonLayout


class MeanMLP(nn.Module):
    """Perceptron on the mean and the range of every joint over time, of the first body.

    Args:
        layout: The skeleton.
        feature_dim: Dimension of the features.
    """

    def __init__(self, layout: SkeletonLayout, feature_dim: int = 64) -> None:
        super().__init__()
        self.layout, self.feature_dim = layout, feature_dim
        inputs, hidden = 2 * layout.channels * layout.num_joints, 2 * feature_dim
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, feature_dim))

    def forward(self, clips: Tensor) -> Tensor:
        """Features (N, D) of clips (N, C, T, V, M)."""
        body = clips[..., 0]
        inputs = torch.cat([body.mean(2), body.amax(2) - body.amin(2)], 1).flatten(1)
        features: Tensor = self.layers(inputs)
        return features
