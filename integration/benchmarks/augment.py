"""Views of clips."""

from pathlib import Path

import torch

from rate import rate
from skel_augment import preset
from skel_data import get_layout


def measure(seconds: float, device: torch.device, _: Path) -> dict[str, float]:
    """Triples of views per second: two normal ones and an extreme one, as AimCLR takes them."""
    layout = get_layout("ntu-25")
    batch = torch.randn(128, 3, 50, 25, 2, device=device)
    views = [preset(name) for name in ("aimclr.normal", "aimclr.normal", "aimclr.extreme")]
    work = rate(lambda: [view(batch, layout) for view in views], seconds, device, len(batch))
    return {"AimCLR view triples": work}
