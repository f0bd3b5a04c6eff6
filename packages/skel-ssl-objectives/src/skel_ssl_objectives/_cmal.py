"""Cross-model adversarial loss of CMCS (Liu et al., IEEE THMS 2024, arXiv 2307.07791)."""

from torch import Tensor

from skel_ssl_objectives._byol import cosine_distance


def cmal(prediction1: Tensor, prediction2: Tensor, target1: Tensor, target2: Tensor) -> Tensor:
    """Cross-model adversarial loss: predictions attract, each is repelled by its own view's target.

    The adversary is the teacher: the student has to leave what the slower model already makes of the
    same view, and can agree only on what the views share. There is no discriminator.

    Args:
        prediction1: (N, D) of the student's predictor for view 1.
        prediction2: (N, D), likewise for view 2.
        target1: (N, D) of the teacher's projector for view 1; a constant here.
        target2: (N, D), likewise for view 2.

    Returns:
        The loss, a scalar from -4 to 4.

    Raises:
        ValueError: If the shapes differ.
    """
    apart = cosine_distance(prediction1, target1.detach()) + cosine_distance(prediction2, target2.detach())
    return cosine_distance(prediction1, prediction2) - apart / 2
