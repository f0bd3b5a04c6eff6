import numpy as np
import pytest

from skel_data import get_layout, layout_names
from skel_encoders import adjacency

PUBLISHED_LAYOUTS = {"ntu-rgb+d": "ntu-25", "openpose": "openpose-18"}


@pytest.mark.parametrize("name", layout_names())
@pytest.mark.parametrize(
    ("strategy", "max_hop", "subsets"), [("uniform", 1, 1), ("distance", 2, 3), ("spatial", 2, 5)]
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


@pytest.mark.vectors("graph")
def test_published_numbers(vector):
    config = vector.config
    if config["strategy"] == "ctrgcn-spatial":
        pytest.skip("graph of CTR-GCN: not covered yet")
    stack = adjacency(
        get_layout(PUBLISHED_LAYOUTS[config["layout"]]), config["strategy"], max_hop=config["max_hop"]
    )
    np.testing.assert_array_equal(stack, vector["out.A"])


@pytest.mark.parametrize("name", layout_names())
@pytest.mark.parametrize("strategy", ["uniform", "distance", "spatial"])
def test_subsets_split_one_normalised_graph(name, strategy):
    stack = adjacency(get_layout(name), strategy, max_hop=2)
    assert ((stack > 0).sum(0) <= 1).all()
    np.testing.assert_allclose(stack.sum((0, 1)), 1, rtol=1e-6)
