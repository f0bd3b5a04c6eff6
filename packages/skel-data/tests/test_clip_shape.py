import numpy as np
import pytest

from skel_data import ClipShape, get_layout


@pytest.fixture
def coco():
    return get_layout("coco-17")


def test_shape_of_clips(ntu, coco):
    shape = ClipShape.of(np.zeros((2, 3, 9, 25, 2)), ntu)
    assert (shape.frames, shape.bodies, shape.joints, shape.channels, shape.dims) == (9, 2, 25, 3, 3)
    shape = ClipShape.of(np.zeros((2, 3, 9, 17, 1)), coco)
    assert (shape.bodies, shape.joints, shape.channels, shape.dims) == (1, 17, 3, 2)


@pytest.mark.parametrize("size", [(3, 9, 25, 2), (2, 2, 9, 25, 2), (2, 3, 9, 17, 2)])
def test_wrong_shape_is_named(ntu, size):
    with pytest.raises(ValueError, match=r"clips.*" + str(size).replace("(", r"\(").replace(")", r"\)")):
        ClipShape.of(np.zeros(size), ntu)


def test_clips_must_be_floats(ntu):
    with pytest.raises(TypeError, match="int64"):
        ClipShape.of(np.zeros((2, 3, 9, 25, 2), np.int64), ntu)


def test_wrong_types_are_named(ntu):
    with pytest.raises(TypeError, match="clips must be a tensor or an array, got list"):
        ClipShape.of([0.0], ntu)
    with pytest.raises(TypeError, match="must be a SkeletonLayout, as of get_layout, got 25"):
        ClipShape.of(np.zeros((2, 3, 9, 25, 2)), 25)  # a name is taken
    with pytest.raises(TypeError, match="frames must be a whole number, got 5.0"):
        ClipShape(ntu, 5.0)


@pytest.mark.parametrize("key", ["frames", "bodies"])
def test_shape_counts_from_one(ntu, key):
    with pytest.raises(ValueError, match=key):
        ClipShape(**{"layout": ntu, "frames": 5, "bodies": 1, key: 0})
