"""What is SLiM's own beyond what all methods share."""

import pytest
import torch

from skel_data import ClipShape, get_layout
from skel_recipes import MethodContext, build_method, load_recipe, pretrain
from skel_recipes.common.device import World
from skel_recipes.methods import slim
from skel_recipes.methods.slim import limbs


def make(recipe, layout="ntu-25", bodies=2, **context):
    shape = ClipShape(get_layout(layout), recipe.data.pipeline.frames, bodies)
    return build_method(recipe, MethodContext(shape, recipe.data.stream, 40, **context))


def batch(layout="ntu-25", bodies=1, n=4, frames=16):
    layout = get_layout(layout)
    torch.manual_seed(1)
    return torch.randn(n, layout.channels, frames, layout.num_joints, bodies)


def losses(method, clips, epoch=1):
    return method(clips, epoch=epoch, generator=torch.Generator().manual_seed(0))


def test_absent_bodies_change_no_loss(tiny):
    clips = batch()
    padded = torch.cat([torch.zeros_like(clips), clips], 4)
    ours, theirs = (losses(make(tiny("slim")), x) for x in (clips, padded))
    assert set(ours) == {"loss", "local", "global", "koleo", "patch"}
    assert ours["patch"] > 0
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=0)


def test_one_body_that_is_there(tiny):
    method = make(tiny("slim"))
    clips = batch(bodies=2)
    clips[0, ..., 1] = clips[1, ..., 0] = 0
    body = method.one_body(clips, torch.tensor([0.9, 0.1, 0.1, 0.9]))
    for row, place in enumerate((0, 1, 0, 1)):
        assert torch.equal(body[row, ..., 0], clips[row, ..., place])


def test_local_views_lie_inside_their_global_one(tiny):
    """Of clips whose coordinates are their frame numbers."""
    crop = {"name": "temporal_crop_sample", "min_ratio": 0.3, "max_ratio": 0.9}
    views = {
        "method__view": [crop | {"frames": 20}],
        "method__second_view": [crop | {"frames": 20}],
        "method__local_views": [[crop | {"frames": 8}], [crop | {"frames": 10}], [crop | {"frames": 8}]],
    }
    method = make(tiny("slim", **views), bodies=1)
    clips = torch.arange(1.0, 91).view(1, 1, 90, 1, 1).expand(6, 3, -1, 25, 1)
    whole, local = method.views(clips, torch.Generator().manual_seed(0))
    assert whole.shape == (12, 3, 20, 25, 1)
    assert [len(each) for each in local] == [24, 12]
    starts, ends = (whole[:, 0, edge, 0, 0].view(2, 6) for edge in (0, -1))
    for each in local:
        numbers = each[:, 0, :, 0, 0].view(2, -1, 6, each.shape[2])
        assert (numbers >= starts[:, None, :, None]).all()
        assert (numbers <= ends[:, None, :, None]).all()


def test_masks_are_stratified_over_processes(tiny):
    clips = 6

    def draw(rank, size):
        method = make(tiny("slim"), world=World(rank, size))
        generator = torch.Generator().manual_seed(0)
        hidden = method.hidden(batch(n=clips // size), 2, 40, 0.5, generator)
        return hidden.view(2, clips // size, -1)

    one, two = draw(0, 1), torch.cat([draw(0, 2), draw(1, 2)], 1)
    assert torch.equal(one, two)
    counts = one.sum(2).flatten()
    assert (counts > 0).sum() == clips  # half of the views
    assert counts.max() <= 0.9 * 200


def test_prototypes_are_still_in_the_first_epoch(tiny):
    method = make(tiny("slim"))
    losses(method, batch(), epoch=0)["loss"].backward()
    heads = list(method.projector)
    assert not any(head.direction.grad.any() or head.scale.grad.any() for head in heads)
    assert all(head.mlp[0].weight.grad.any() for head in heads)


@pytest.mark.parametrize("clips", [40091, 63026, 54468])  # NTU-60 xsub, NTU-120 xsub and xset
def test_published_length(clips):
    train = load_recipe("paper/slim").train
    steps = train.batches(clips)[1]
    assert 187_500 <= train.length(clips) * steps < 187_500 + steps


def test_warm_up_of_the_teacher_is_stretched_with_the_epochs(tiny, monkeypatch):
    found = []

    def assign(logits, *, temperature, **_):
        found.append(temperature)
        return logits.softmax(1)

    monkeypatch.setattr(slim, "sinkhorn_knopp", assign)
    settings = {"method__teacher_temperature": [0.04, 0.08], "method__teacher_warmup_epochs": 2}
    method = make(tiny("slim", **settings))
    progress = method.context.progress
    progress.epochs, progress.steps_per_epoch, progress.step = 100, 1, 10
    for progress.stretch in (1.0, 10.0):
        losses(method, batch())
    warming = 0.04 + 0.04 * 10 / 19  # the last of 20 steps has the end
    assert found == pytest.approx([0.08, 0.08, warming, warming])


def test_momentum_and_temperature_follow_the_training(tiny):
    method = make(tiny("slim", method__momentum=0.5, method__teacher_temperature=[0.04, 0.07]))
    progress = method.context.progress
    progress.epochs, progress.steps_per_epoch, progress.step = 10, 10, 100
    with torch.no_grad():
        method.encoder.class_token += 1
    before = method.teacher.module[0].class_token.clone()
    warm = losses(method, batch())
    assert torch.equal(method.teacher.module[0].class_token, before)  # momentum 1 at the end
    progress.step = 0
    assert losses(method, batch())["loss"] != warm["loss"]
    assert not torch.equal(method.teacher.module[0].class_token, before)


def test_assignment_by_a_centre(tiny):
    method = make(tiny("slim", method__assignment="centre"))
    found = losses(method, batch())
    assert found["loss"].isfinite()
    assert all(centre.mean.any() for centre in method.centre)


def test_limbs_run_along_the_skeleton():
    found = limbs(get_layout("ntu-25"))
    assert found[0] == (0, 1, 20, 2, 3)
    assert found[3:] == ((12, 13, 14, 15), (16, 17, 18, 19))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder.name": "tcn"}, "method slim needs encoder slim, got TCN"),
        ({"method.view": "compact.view"}, "view of method slim must begin with temporal_crop_sample"),
        ({"method.local_views": ["mamp.view"]}, r"local_views\[0\] of method slim must begin with"),
        ({"method.mask_ratios": [0.9, 0.5]}, "mask_ratios must be 0 < low <= high < 1, got 0.9, 0.5"),
        ({"method.teacher_temperature": [0.0, 0.07]}, "teacher_temperature must be positive"),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        make(load_recipe("slim", settings))


def test_paper_cells():
    recipe = load_recipe("paper/slim-ntu60-xsub-joint")
    assert recipe.published[0].accuracy == 87.9
    assert recipe.method.prototypes == 65536
    assert [view.steps[0].frames for view in recipe.method.local_views] == [32, 16, 16, 8]


def test_gradients_are_clipped_and_decay_changes(store, tmp_path, tiny, monkeypatch):
    """Of a training of two steps; the decay of vectors stays zero."""
    seen = []

    def step(self, closure=None):
        norms = [p.grad.norm() for group in self.param_groups for p in group["params"]]
        decays = [group["weight_decay"] for group in self.param_groups]
        seen.append((float(torch.stack(norms).norm()), *decays))

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    settings = {"optim__clip_norm": 1e-3, "optim__final_weight_decay": 0.2, "train__epochs": 2}
    pretrain(tiny("slim", **settings), store, tmp_path / "run")
    assert [norm for norm, *_ in seen] == pytest.approx([1e-3] * len(seen), rel=1e-3)
    assert [decay for _, decay, _ in seen] == pytest.approx([0.04, 0.12])
    assert {vectors for *_, vectors in seen} == {0.0}
