import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_augment import token_mask, token_motion, token_uniforms
from skel_data import SkeletonLayout, get_layout

CHAIN = SkeletonLayout.from_dict(  # of 13 joints, some in no part
    {
        "joints": [f"joint {number}" for number in range(13)],
        "bones": [[f"joint {number}", f"joint {number - 1}"] for number in range(1, 13)],
        "parts": {"one": [f"joint {number}" for number in (3, 1, 2)], "two": ["joint 7", "joint 8"]},
    }
)
LAYOUTS = [CHAIN, *map(get_layout, ("coco-17", "utd-20", "ntu-25", "hdm05-31"))]
KINDS = ("uniform", "motion", "tubes")


def draw(layout, steps=6, count=3, tubelet=4, kind="motion", seed=0):
    torch.manual_seed(seed)
    bodies = torch.randn(count, 3, steps * tubelet, layout.num_joints)
    return bodies, torch.rand(count, token_uniforms(kind, steps * layout.num_joints))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 6])
def test_shapes(layout, kind, steps):
    bodies, uniforms = draw(layout, steps, kind=kind)
    tokens = steps * layout.num_joints
    for keep in (1, tokens // 10 or 1, tokens):
        mask = token_mask(bodies, uniforms, tubelet=4, keep=keep, kind=kind, layout=layout)
        assert mask.keep.shape == (3, keep)
        assert mask.keep.dtype == torch.int64
        assert mask.hidden.shape == (3, tokens)
        assert (mask.hidden.sum(1) == tokens - keep).all()
        assert not mask.hidden.gather(1, mask.keep).any()
    assert token_motion(bodies, 4).shape == (3, tokens)
    assert token_mask(bodies[:0], uniforms[:0], tubelet=4, keep=2, kind=kind, layout=layout).keep.shape == (
        0,
        2,
    )


def test_errors():
    bodies, uniforms = draw(CHAIN)
    options = {"tubelet": 4, "keep": 7}
    with pytest.raises(ValueError, match=r"T a multiple of tubelet 5, got \(3, 3, 24, 13\)"):
        token_mask(bodies, uniforms, tubelet=5, keep=7)
    for keep in (0, 79):
        with pytest.raises(ValueError, match=f"between 1 and the 78 tokens, got {keep}"):
            token_mask(bodies, uniforms, tubelet=4, keep=keep)
    with pytest.raises(ValueError, match=r"expected uniforms \(3, 78\) for kind 'motion', got \(3, 77\)"):
        token_mask(bodies, uniforms[:, 1:], **options)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        token_mask(bodies, uniforms, temperature=0, **options)
    with pytest.raises(ValueError, match="kind must be uniform, motion or tubes, got 'motions'"):
        token_mask(bodies, uniforms, kind="motions", layout=CHAIN, **options)
    bodies, uniforms = draw(CHAIN, kind="tubes")
    with pytest.raises(ValueError, match="needs the layout"):
        token_mask(bodies, uniforms, kind="tubes", **options)
    with pytest.raises(ValueError, match="'utd-20' has 20 joints, the bodies 13"):
        token_mask(bodies, uniforms, kind="tubes", layout="utd-20", **options)
    names = list("abcdefghijklm")
    bare = SkeletonLayout.from_dict({"joints": names, "bones": [[name, "a"] for name in names[1:]]})
    with pytest.raises(ValueError, match="0 body parts"):
        token_mask(bodies, uniforms, kind="tubes", layout=bare, **options)


@pytest.mark.vectors("mamp_mask")
def test_published_masks(vector):
    config = vector.config
    bodies = torch.from_numpy(vector["in.x"]).movedim(4, 1).flatten(0, 1)
    kind = {"kind": "motion", "temperature": config["tau"]} if config["tau"] else {"kind": "uniform"}
    for count in ("published", "rounded"):
        mask = token_mask(
            bodies,
            torch.from_numpy(vector["in.u"]),
            tubelet=config["tubelet"],
            keep=config[f"keep_{count}"],
            **kind,
        )
        assert torch.equal(mask.keep, torch.from_numpy(vector[f"out.ids_keep_{count}"]))
        assert torch.equal(mask.hidden.float(), torch.from_numpy(vector[f"out.mask_{count}"]))


def test_motion_of_tokens_in_plain_loops():
    bodies, _ = draw(CHAIN, steps=3)
    motion = token_motion(bodies, 4).view(3, 3, 13)
    for t in (1, 2):
        step = bodies[:, :, 4 * t : 4 * t + 4] - bodies[:, :, 4 * t - 4 : 4 * t]
        torch.testing.assert_close(motion[:, t], step.abs().mean((1, 2)))
    assert torch.equal(motion[:, 0], motion[:, 1])
    assert not token_motion(bodies[:, :, :4], 4).any()  # one step has none before it


def test_what_moves_is_hidden_more_often_the_lower_the_temperature():
    bodies = torch.zeros(4000, 3, 24, 20)
    bodies[:, 0, :, 5] = torch.arange(24.0)
    torch.manual_seed(0)
    uniforms = torch.rand(4000, 120)
    shares = []
    for temperature in (0.2, 0.8, 1e9):
        mask = token_mask(bodies, uniforms, tubelet=4, keep=60, temperature=temperature)
        shares.append(mask.hidden.view(-1, 6, 20)[..., 5].float().mean().item())
    assert shares[0] > shares[1] + 0.1 > shares[2] + 0.2
    assert shares[2] == pytest.approx(0.5, abs=0.02)  # uniform
    absent = token_mask(bodies[:, :, :, :5], uniforms[:, :30], tubelet=4, keep=15)  # no motion at all
    assert absent.hidden.float().mean(0).sub(0.5).abs().max() < 0.05


def test_tubes_hide_neighbours_together():
    layout = get_layout("ntu-25")
    bodies, uniforms = draw(layout, count=500, kind="tubes")
    mask = token_mask(bodies, uniforms, tubelet=4, keep=75, kind="tubes", layout=layout)
    grid = mask.hidden.view(500, 6, 25)
    arm = [4, 5, 6, 7]
    together = (grid[:, 1:, arm] == grid[:, :-1, arm]).float().mean()
    along = (grid[:, :, arm[1:]] == grid[:, :, arm[:-1]]).float().mean()
    assert together > 0.75
    assert along > 0.75  # 0.5 in uniform masks


def test_tubes_reach_every_token_in_the_end():
    bodies, uniforms = draw(CHAIN, count=200, kind="tubes")
    mask = token_mask(bodies, uniforms, tubelet=4, keep=8, kind="tubes", layout=CHAIN)
    hidden = mask.hidden.view(200, 6, 13).float().mean((0, 1))
    assert (hidden[[1, 2, 3, 7, 8]] > 0.95).all()  # those of a part first
    assert (hidden > 0.5).all()


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.integers(1, 5), st.integers(0, 99), st.data())
def test_less_kept_is_part_of_more_kept(kind, steps, seed, data):
    bodies, uniforms = draw(CHAIN, steps, kind=kind, seed=seed)
    more = data.draw(st.integers(1, 13 * steps))
    fewer = data.draw(st.integers(1, more))
    masks = [
        token_mask(bodies, uniforms, tubelet=4, keep=keep, kind=kind, layout=CHAIN) for keep in (fewer, more)
    ]
    assert torch.equal(masks[0].keep, masks[1].keep[:, :fewer])


def test_a_body_does_not_depend_on_its_batch():
    for kind in KINDS:
        bodies, uniforms = draw(CHAIN, kind=kind)
        whole = token_mask(bodies, uniforms, tubelet=4, keep=9, kind=kind, layout=CHAIN)
        for row in range(3):
            rows = slice(row, row + 1)
            one = token_mask(bodies[rows], uniforms[rows], tubelet=4, keep=9, kind=kind, layout=CHAIN)
            assert torch.equal(one.keep, whole.keep[rows])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_compiles(kind):
    bodies, uniforms = draw(CHAIN, kind=kind)

    def masked(bodies, uniforms):
        return token_mask(bodies, uniforms, tubelet=4, keep=9, kind=kind, layout=CHAIN)

    compiled = torch.compile(masked, fullgraph=True, backend="eager")
    assert torch.equal(compiled(bodies, uniforms).keep, masked(bodies, uniforms).keep)
