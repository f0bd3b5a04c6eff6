import numpy as np
import pytest

from skel_data import get_layout, layout_names
from skel_encoders import adjacency

PUBLISHED_LAYOUTS = {"ntu-rgb+d": "ntu-25", "openpose": "openpose-18"}


@pytest.mark.parametrize("name", layout_names())
@pytest.mark.parametrize(
    ("strategy", "max_hop", "subsets"),
    [("uniform", 1, 1), ("distance", 2, 3), ("spatial", 2, 5), ("directed", 1, 3)],
)
def test_shapes(name, strategy, max_hop, subsets):
    layout = get_layout(name)
    stack = adjacency(layout, strategy, max_hop=max_hop)
    assert stack.shape == (subsets, layout.num_joints, layout.num_joints)
    assert stack.dtype == np.float32


def test_errors():
    with pytest.raises(ValueError, match="no strategy 'ring'"):
        adjacency(get_layout("ntu-25"), "ring")
    with pytest.raises(ValueError, match="max_hop"):
        adjacency(get_layout("ntu-25"), max_hop=-1)
    with pytest.raises(ValueError, match="max_hop must be 1, got 2"):
        adjacency(get_layout("ntu-25"), "directed", max_hop=2)


@pytest.mark.vectors("graph")
def test_published_numbers(vector):
    config = vector.config
    layout = get_layout(PUBLISHED_LAYOUTS[config["layout"]])
    if config["strategy"] == "ctrgcn-spatial":  # there, a row holds what flows into a joint
        np.testing.assert_array_equal(adjacency(layout, "directed"), vector["out.A"].transpose(0, 2, 1))
    else:
        stack = adjacency(layout, config["strategy"], max_hop=config["max_hop"])
        np.testing.assert_array_equal(stack, vector["out.A"])


@pytest.mark.parametrize("name", layout_names())
@pytest.mark.parametrize("strategy", ["uniform", "distance", "spatial"])
def test_subsets_split_one_normalised_graph(name, strategy):
    stack = adjacency(get_layout(name), strategy, max_hop=2)
    assert ((stack > 0).sum(0) <= 1).all()
    np.testing.assert_allclose(stack.sum((0, 1)), 1, rtol=1e-6)


@pytest.mark.parametrize("name", layout_names())
def test_directed_subsets_follow_the_bones(name):
    layout = get_layout(name)
    own, inward, outward = adjacency(layout, "directed")
    np.testing.assert_array_equal(own, np.eye(layout.num_joints))
    np.testing.assert_array_equal(np.argwhere(inward), sorted(layout.bones))
    np.testing.assert_array_equal(outward > 0, inward.T > 0)
    for subset in (inward, outward):
        np.testing.assert_allclose(subset.sum(1), subset.any(1), rtol=1e-6)
