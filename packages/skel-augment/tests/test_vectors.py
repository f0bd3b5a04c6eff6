"""Results number by number: the set in $SKEL_VECTORS, else the small one beside this file."""

import numpy as np
import pytest
import torch

from skel_augment import (
    AxisMask,
    GaussianBlur,
    LimbSwap,
    RandomAxisRotation,
    SegmentShuffle,
    Shear,
    SpatialFlip,
    StructuralSpatialMask,
    TemporalCrop,
    TemporalSegmentMask,
    TimeFlip,
    TimePosition,
    limb_swaps,
)
from skel_data import ClipShape, get_layout

EXACT = {
    "axis_mask",
    "spatial_flip",
    "structural_spatial_mask",
    "temporal_crop",
    "temporal_segment_mask",
    "time_flip",
}


def from_uniforms(step, *uniforms):
    """Parameters that these numbers give; the leading zero says that the clip is augmented."""

    def params(x):
        rows = torch.tensor([[0.0, *map(float, uniforms)]], dtype=x.dtype)
        return step.params(rows, ClipShape.of(x, get_layout("ntu-25")))

    return params


def params_of(config, case):
    """A function from the clips to the parameters of a case; None for an op that this package lacks."""
    match config["op"]:
        case "temporal_crop":
            ratio, start = config["padding_ratio"], config["start"]
            places = 2 * (case["in.x"].shape[1] // ratio) + 1
            return from_uniforms(TemporalCrop(padding_ratio=ratio), (start + 0.5) / places)
        case "shear":
            return from_uniforms(Shear(amplitude=0.5), *(case["in.factors"] + 0.5))
        case "rotate":
            axis, angles = config["main_axis"], case["in.angles"].copy()
            angles[axis] /= 30
            return from_uniforms(RandomAxisRotation(main=30, other=1), (axis + 0.5) / 3, *angles)
        case "spatial_flip":
            return from_uniforms(SpatialFlip())
        case "time_flip":
            return from_uniforms(TimeFlip())
        case "gaussian_blur":
            low = config["sigma"]
            blur = GaussianBlur(kernel=config["kernel"], sigma=(low, low), normalised=config["normalised"])
            return from_uniforms(blur, 0)
        case "axis_mask":
            return from_uniforms(AxisMask(), (config["axis"] + 0.5) / 3)
        case "structural_spatial_mask":
            seeds, hidden = case["in.seeds"], (case["out.y"] == 0).all((0, 1, 3))
            assert hidden.sum() == config["joints"]
            step = StructuralSpatialMask(len(seeds) / 25, config["joints"] / 25)
            # ties go to the joints hidden there, so that only those of highest score can agree
            return from_uniforms(step, *((seeds + 0.5) / 25), *(0.1 + 0.8 * hidden))
        case "temporal_segment_mask":
            lots = np.full(config["segments"], 0.9)
            lots[case["in.segments"]] = 0.1
            return from_uniforms(TemporalSegmentMask(len(lots), len(case["in.segments"])), *lots)
        case "temporal_crop_resize":
            window = (
                torch.tensor([float(config[key])], dtype=torch.float64) for key in ("start", "crop_length")
            )
            params = TimePosition.crop(*window, config["output_frames"])
            return lambda _: params
    return None


@pytest.mark.vectors("augment")
def test_published_numbers(vector):
    params = params_of(vector.config, vector)
    if params is None:
        pytest.fail(f"no augmentation is compared with the operation {vector.config['op']!r}")

    x = torch.from_numpy(vector["in.x"])[None]
    y = params(x).apply(x)[0]
    expected = torch.from_numpy(vector["out.y"])
    if vector.config["op"] in EXACT:
        assert torch.equal(y, expected)
    elif x.dtype == torch.float64:
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-13 * expected.abs().max().item())
    else:
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-6 * expected.abs().max().item())


@pytest.mark.vectors("cubism.temporal")
def test_published_orders_of_segments(vector):
    x, draws = (torch.from_numpy(vector[key]) for key in ("in.x", "in.draws"))
    orders = torch.from_numpy(vector["out.orders"])
    shape = ClipShape(get_layout("ntu-25"), x.shape[2], x.shape[4])
    count = orders.shape[1]
    uniforms = torch.nn.functional.pad(orders[draws].double() / count, (1, 0))
    params = SegmentShuffle(count, equal=True).params(uniforms, shape)
    assert torch.equal(params.order, orders[draws])
    assert torch.equal(params.label, torch.from_numpy(vector["out.labels"]))
    assert torch.equal(params.index, torch.from_numpy(vector["out.frame"]))
    assert torch.equal(params.apply(x), torch.from_numpy(vector["out.y"]))


@pytest.mark.vectors("cubism.spatial")
def test_published_swaps_of_limbs(vector):
    layout = get_layout(vector.config["skeleton"])
    x, draws = (torch.from_numpy(vector[key]) for key in ("in.x", "in.draws"))
    chances = torch.tensor(vector.config["chances"], dtype=torch.float64)
    middle = chances.cumsum(0) - chances / 2
    uniforms = torch.nn.functional.pad(middle[draws][:, None], (1, 0))
    params = LimbSwap(vector.config["chances"][0]).params(uniforms, ClipShape.of(x, layout))
    assert torch.equal(limb_swaps(layout), torch.from_numpy(vector["out.joint"]))
    assert torch.equal(params.label, torch.from_numpy(vector["out.labels"]))
    assert torch.equal(params.apply(x), torch.from_numpy(vector["out.y"]))
