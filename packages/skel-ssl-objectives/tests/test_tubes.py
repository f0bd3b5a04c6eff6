import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import tube_mask

GROUPS = ((0, 1, 4), (2, 3), (5, 6, 7, 8))


def draw(masks=6, proposals=64, seed=0):
    return torch.rand(masks, proposals, 5, generator=torch.Generator().manual_seed(seed)).double()


def test_shapes():
    budgets = torch.tensor([0, 5, 9, 12, 18, 20])
    found = tube_mask(draw(), budgets, GROUPS, 4, 9)
    assert found.shape == (6, 36)
    assert found.dtype == torch.bool
    assert not found[0].any()
    assert tube_mask(draw(0), budgets[:0], GROUPS, 4, 9).shape == (0, 36)


def test_errors():
    with pytest.raises(ValueError, match=r"expected uniforms \(B, P, 5\) and budgets \(B,\)"):
        tube_mask(draw(), torch.zeros(5, dtype=torch.int64), GROUPS, 4, 9)
    for groups in ((), ((0, 1), ()), ((0, 9),), ((-1, 2),)):
        with pytest.raises(ValueError, match="groups must be lists of joints from 0 to 8"):
            tube_mask(draw(), torch.zeros(6, dtype=torch.int64), groups, 4, 9)


@pytest.mark.vectors("slim_mask")
def test_published_masks(vector):
    """Masks of given proposals, and of those that Python's random draws from the seed."""
    config = vector.config
    rows, joints = config["grid"]
    groups, budgets = config["groups"], config["budgets"]
    names = ("group", "width", "first_joint", "area", "first_row")
    given = list(zip(*(vector[f"in.{name}"].tolist() for name in names), strict=True))
    python = random.Random(config["seed"])
    start, uniforms = 0, []
    for budget, count in zip(budgets, vector["in.proposals"].tolist(), strict=True):
        rest = iter(given[start : start + count])
        start += count
        uniforms.append(replay(rest, python, budget, config))
        assert next(rest, None) is None
    longest = max(map(len, uniforms))
    padded = torch.full((len(budgets), longest + 1, 5), 0.5).double()
    for row, mine in zip(padded, uniforms, strict=True):
        row[: len(mine)] = torch.tensor(mine).reshape(-1, 5)
    found = tube_mask(
        padded,
        torch.tensor(budgets),
        groups,
        rows,
        joints,
        smallest=config["smallest_area"],
        largest=config["largest_area"],
    )
    assert torch.equal(found.view(-1, rows, joints), torch.from_numpy(vector["out.masks"]))


def replay(proposals, python, budget, config):
    """The uniform numbers that make these proposals; the seed must give the same."""
    rows, joints = config["grid"]
    mask, found, misses = torch.zeros(rows, joints, dtype=torch.bool), [], 0
    while mask.sum() < budget and misses < config["tries"]:
        group, width, first, area, row = next(proposals)
        left = min(budget - int(mask.sum()), config["largest_area"])
        members = config["groups"][group]
        height = min(max(1, round(area / width)), rows)
        least = config["smallest_area"]
        drawn = (
            python.randint(0, len(config["groups"]) - 1),
            python.randint(1, len(members)),
            python.randint(0, len(members) - width),
            python.uniform(least, left),
            python.randint(0, rows - height),
        )
        assert drawn == (group, width, first, pytest.approx(area, rel=1e-12), row)
        share = 0.0 if left == least else (area - least) / (left - least)
        found.append(
            (
                (group + 0.5) / len(config["groups"]),
                (width - 0.5) / len(members),
                (first + 0.5) / (len(members) - width + 1),
                share,
                (row + 0.5) / (rows - height + 1),
            )
        )
        tube = torch.zeros_like(mask)
        for joint in members[first : first + width]:
            tube[row : row + height, joint] = True
        added = int((tube & ~mask).sum())
        if 0 < added <= left:
            mask |= tube
            misses = 0
        else:
            misses += 1
    return found


@settings(max_examples=25)
@given(st.integers(1, 8), st.integers(0, 1000), st.floats(0.05, 0.95))
def test_budgets_are_kept(rows, seed, ratio):
    budgets = torch.full((16,), int(ratio * rows * 9))
    found = tube_mask(draw(16, 128, seed), budgets, GROUPS, rows, 9, smallest=max(1, rows // 2))
    assert (found.sum(1) <= budgets).all()
    if ratio < 0.5:  # up to there, ten tries nearly always find room
        assert found.sum(1).float().mean() >= 0.8 * budgets[0]


def test_masks_do_not_depend_on_each_other():
    budgets = torch.tensor([3, 9, 12, 20, 25, 30])
    whole = tube_mask(draw(), budgets, GROUPS, 4, 9)
    for number in range(6):
        one = tube_mask(draw()[number : number + 1], budgets[number : number + 1], GROUPS, 4, 9)
        assert torch.equal(one[0], whole[number])


def test_joints_of_no_group_stay():
    found = tube_mask(draw(), torch.full((6,), 15), GROUPS[:2], 4, 9).view(6, 4, 9)
    assert found.any()
    assert not found[:, :, 5:].any()
