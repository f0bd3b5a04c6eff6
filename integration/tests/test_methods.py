import pytest
import torch
from torch import nn
from torch.nn import functional

from skel_data import ClipShape, get_layout, stream
from skel_data import stream as stream_of
from skel_recipes import MethodContext, build_method, load_recipe, recipe_names
from skel_recipes.methods import METHODS, hiclr
from skel_recipes.methods.per_stream import PerStream

NAMES = [name for name in recipe_names() if "/" not in name and name != "compact-2s"]
ONE_VIEW = ["mamp", "mae", "after-amr", "crrl", "after-jbf", "cubism"]
NO_AVERAGE = ["compact", "vicreg", "nnclr", "pstl", "usdrl", "umurl", *ONE_VIEW]
CROSS = ["crossclr", "cmcs", "cmd"]
THREE = "joint+motion+bone"


def make(recipe, layout="utd-20", clips=40, bodies=1, world=None):
    shape = ClipShape(get_layout(layout), recipe.data.pipeline.frames, bodies)
    context = MethodContext(shape, recipe.data.stream, clips, **({"world": world} if world else {}))
    return build_method(recipe, context)


def batch(layout="utd-20", bodies=1, n=8):
    torch.manual_seed(1)
    layout = get_layout(layout)
    return torch.randn(n, layout.channels, 16, layout.num_joints, bodies)


def generator():
    return torch.Generator().manual_seed(0)


def teachers(method):
    """Pairs of a teacher and the modules that it follows."""
    if hasattr(method, "teacher_projector"):
        return [(method.teacher, [method.encoder]), (method.teacher_projector, [method.projector])]
    if hasattr(method, "student"):
        return [(method.teacher, [method.student])]
    if isinstance(method.teacher, nn.ModuleList):  # of two encoders
        students = [[method.encoder, method.projector], [method.partner, method.partner_projector]]
        return list(zip(method.teacher, students, strict=True))
    if isinstance(method.teacher, nn.ModuleDict):
        return [
            (teacher, [method.encoder[name], method.projector[name]])
            for name, teacher in method.teacher.items()
        ]
    return [(method.teacher, [method.encoder, method.projector])]


def queues(method):
    modules = method.modules()
    return [module for module in modules if type(module).__name__ == "Queue"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("layout", "bodies"), [("utd-20", 1), ("ntu-25", 2), ("coco-17", 1)])
def test_losses_on_any_layout(name, layout, bodies, tiny):
    method = make(tiny(name), layout, bodies=bodies)
    for epoch in (0, 1):
        losses = method(batch(layout, bodies), epoch=epoch, generator=generator())
        assert all(loss.shape == () and loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("streams", ["motion", "bone", "distance", "joint+distance", THREE])
def test_gradient_reaches_all_that_is_trained(name, streams, tiny):
    if name in CROSS and "+" not in streams:
        with pytest.raises(ValueError, match="learns across streams"):
            tiny(name, data__stream=streams)
        return
    if name == "umurl":  # it makes its streams of the joints
        with pytest.raises(ValueError, match="of data.stream 'joint', got '|takes no stream 'distance'"):
            make(tiny(name, data__stream=streams))
        streams = "joint"
    method = make(tiny(name, data__stream=streams))
    method(batch(), epoch=1, generator=generator())["loss"].backward()
    for key, weight in method.named_parameters():
        if "teacher" in key:
            assert weight.grad is None
        else:
            assert weight.grad is not None, key
    single = "+" not in streams
    assert isinstance(method.encoder, nn.ModuleDict) != single
    assert isinstance(method, PerStream) == (not single and name not in CROSS)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NO_AVERAGE])
def test_every_teacher_is_the_moving_average_of_its_student(name, tiny):
    method = make(tiny(name, method__momentum=0.9)).double()
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.1)
    draws = generator()
    expected = [[p.detach().clone() for p in teacher.parameters()] for teacher, _ in teachers(method)]
    for epoch in (0, 0, 1, 1):
        for place, (_, students) in enumerate(teachers(method)):
            follows = [p.detach() for student in students for p in student.parameters()]
            expected[place] = [0.9 * e + 0.1 * p for e, p in zip(expected[place], follows, strict=True)]
        optimizer.zero_grad()
        method(batch().double(), epoch=epoch, generator=draws)["loss"].backward()
        optimizer.step()
        for (teacher, _), weights in zip(teachers(method), expected, strict=True):
            for ours, theirs in zip(teacher.parameters(), weights, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name", ["skeletonclr", "crossclr", "aimclr", "hiclr", "scdnet", "cmd", "isc", "pcm3"]
)
def test_queues_hold_the_keys_of_past_clips(name, tiny):
    method = make(tiny(name, method__queue_size=0), clips=20)
    assert len(queues(method)) == {"crossclr": 3, "scdnet": 3, "cmd": 3, "isc": 2}.get(name, 1)
    before = [queue.keys.clone() for queue in queues(method)]
    method(batch(), epoch=0, generator=generator())
    for queue, old in zip(queues(method), before, strict=True):
        assert queue.keys.shape == (16, 128)  # four fifths of the set
        assert (queue.keys[:8] != old[:8]).any(1).all()
        assert torch.equal(queue.keys[8:], old[8:])


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("aimclr", "mining_epoch"),
        ("hiclr", "mining_epoch"),
        ("crossclr", "cross_epoch"),
        ("cmcs", "cross_epoch"),
    ],
)
def test_second_stage_begins_at_its_epoch(name, setting, tiny):
    recipe = tiny(name, **{f"method__{setting}": 5, "encoder__dropout": 0.0})
    losses = [make(recipe)(batch(), epoch=epoch, generator=generator())["loss"] for epoch in (3, 4, 5)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("name", ["aimclr", "crossclr", "cmcs"])
def test_mined_positives_count_in_the_form_of_the_recipe(name, tiny):
    """As the programs have it unless asked; the first stage has one positive, of which both forms are one."""
    losses = {}
    for form in ("default", "each", "sum"):
        setting = {} if form == "default" else {"method__positives": form}
        if name == "cmcs":  # so that there are labels beside the clip itself
            setting |= {"method__neighbors": 8}
        recipe = tiny(name, encoder__dropout=0.0, **setting)
        assert recipe.data.positives == "clip"
        losses[form] = [make(recipe)(batch(), epoch=epoch, generator=generator())["loss"] for epoch in (0, 1)]
    assert losses["default"] == losses["each"]
    assert losses["sum"][0] == losses["each"][0]
    assert losses["sum"][1] < losses["each"][1]
    with pytest.raises(ValueError, match=r"method\.positives"):
        tiny(name, method__positives="mean")


def test_streams_see_the_same_draws(tiny):
    recipe = tiny("crossclr", method__view="aimclr.normal")  # which hides nothing
    method = make(recipe)
    context, view = method.context, recipe.method.view
    first, second = context.views_by_stream(batch(), [view, view], generator())
    assert not torch.equal(first["joint"], second["joint"])
    for seen in (first, second):
        for name in ("motion", "bone"):
            assert torch.equal(seen[name], stream(seen["joint"], name, context.layout))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ONE_VIEW])
def test_second_view_may_be_of_other_clips(name, tiny):
    losses = []
    for second in (None, 2 * batch().flip(0)):
        method = make(tiny(name))
        method.context.second.clips = second
        losses.append(method(batch(), epoch=0, generator=generator())["loss"])
        assert method.context.second.used == (second is not None)
    assert losses[0] != losses[1]


def test_hidden_joints_have_no_bones(tiny):
    recipe = tiny("scdnet", data__stream="bone")
    context = make(recipe).context
    (seen,) = context.views(batch() + 5, [recipe.method.view], generator())
    joints = (seen == 0).all(4).all(2).all(1)  # (N, V), zero throughout
    assert joints.sum(1).max() >= 6  # a third of 20, on some clips


class TestCrosSCLROptions:
    def test_heads_are_shared_only_when_asked(self, tiny):
        def shared(method):
            weights = [set(map(id, method.projector[name].parameters())) for name in method.context.streams]
            keys = [
                set(map(id, method.teacher[name].module[1].parameters())) for name in method.context.streams
            ]
            return [[len(a & b) for a in kind for b in kind if a is not b] for kind in (weights, keys)]

        assert not any(map(any, shared(make(tiny("crossclr")))))
        released = make(tiny("crossclr", method__shared_heads=True, method__batch_norm=False))
        assert all(map(all, shared(released)))
        layers = [len(released.projector[name]) for name in released.context.streams]
        assert layers == [3, 3, 3]  # linear, ReLU, linear; and linear, ReLU, the first projector
        assert released.projector["bone"][2] is released.projector["joint"]

    def test_key_encoders_go_stale_only_when_asked(self, tiny):
        for stale in (False, True):
            method = make(tiny("crossclr", method__stale_keys=stale))
            with torch.no_grad():
                for weight in method.encoder.parameters():
                    weight += 1
            before = {
                name: [p.clone() for p in teacher.parameters()] for name, teacher in method.teacher.items()
            }
            method(batch(), epoch=1, generator=generator())
            moved = {
                name: any(not torch.equal(a, b) for a, b in zip(before[name], t.parameters(), strict=True))
                for name, t in method.teacher.items()
            }
            assert moved == {"joint": not stale, "motion": True, "bone": not stale}


def test_teacher_of_cmcs_goes_stale_only_when_asked(tiny):
    for stale in (False, True):
        method = make(tiny("cmcs", method__stale_teacher=stale))
        with torch.no_grad():
            for weight in method.encoder.parameters():
                weight += 1
        before = [p.clone() for p in method.teacher.parameters()]
        method(batch(), epoch=1, generator=generator())
        moved = any(not torch.equal(a, b) for a, b in zip(before, method.teacher.parameters(), strict=True))
        assert moved != stale


class TestPSTL:
    def test_clips_draw_by_themselves_unless_the_batch_shares(self, tiny):
        clip = batch(n=1).expand(8, -1, -1, -1, -1)
        for shared in (False, True):
            method = make(tiny("pstl", method__per_batch=shared))
            (seen,) = method.context.views(clip, [method.settings.view], generator(), same=shared)
            assert torch.equal(seen[0], seen[1]) == shared

    def test_part_without_joints(self, tiny, monkeypatch):
        method = make(tiny("pstl"))
        asked = []
        real = method.encoder.forward_features
        monkeypatch.setattr(
            method.encoder, "forward_features", lambda x, joints=None: asked.append(joints) or real(x, joints)
        )
        method(batch(), epoch=0, generator=generator())
        whole, temporal, spatial = asked
        assert whole is None
        assert temporal is None
        assert spatial.shape == (8, 14)  # of 20 joints, 6 are hidden
        assert len({tuple(row.tolist()) for row in spatial}) > 1

    def test_part_without_frames_is_shorter(self, tiny):
        method = make(tiny("pstl"))
        (seen,) = method.context.views(batch(), [method.settings.temporal], generator())
        assert seen.shape[2] == 16 - 2 * 3

    def test_encoder_without_a_graph_sees_zeros(self):
        recipe = load_recipe("pstl", {"encoder.name": "tcn", "method.projection_dim": 16})
        assert make(recipe)(batch(), epoch=0, generator=generator())["loss"].isfinite()


class TestNNCLR:
    def make(self, tiny, **settings):
        return make(tiny("nnclr", method__queue_size=8, **settings))

    def test_a_clip_is_never_its_own_neighbor(self, tiny):
        method = self.make(tiny)
        method.context.batch.ids = torch.arange(8)
        method(batch(), epoch=0, generator=generator())
        assert method.queue.ids.tolist() == list(range(8))
        keys = method.queue.keys.clone()
        others, own = (method._neighbor(keys, torch.arange(8) + first, None) for first in (0, 100))
        assert torch.equal(own, keys)  # clips that the queue does not know find the nearest of all
        assert not (others == keys).all(1).any()

    def test_one_view_is_encoded_once(self, tiny):
        method = self.make(tiny, method__views=1)
        seen = []
        method.encoder.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
        losses = method(batch(), epoch=0, generator=generator())
        assert seen == [8]
        assert losses["loss"].isfinite()

    def test_neighbors_are_drawn_of_several(self, tiny):
        losses = []
        for neighbors in (1, 4, 100):
            method = self.make(tiny, method__neighbors=neighbors)
            losses.append(method(batch(), epoch=0, generator=generator())["loss"].item())
        assert len(set(losses)) == 3

    def test_heads_are_those_of_stars(self, tiny):
        method = self.make(tiny, method__projection_dim=0)
        assert [type(layer).__name__ for layer in method.projector] == ["BatchNorm1d"]
        kinds = [type(layer).__name__ for layer in method.predictor]
        assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
        assert method.predictor[0].bias is None

    @pytest.mark.parametrize("layout", ["coco-17", "ntu-25"])
    def test_absent_body_changes_no_loss(self, layout, tiny):
        """A second place that nobody takes: the encoder averages over those who are there."""
        losses = []
        one = batch(layout)
        for clips in (one, torch.cat([one, torch.zeros_like(one)], 4)):
            method = make(tiny("nnclr", method__view=[{"name": "yaw"}]), layout, bodies=clips.shape[4])
            losses.append(method(clips, epoch=0, generator=generator())["loss"])
        torch.testing.assert_close(*losses)


def test_usdrl_needs_two_halves_and_takes_either_encoder(tiny):
    with pytest.raises(ValueError, match="needs encoder dste or scd, .* got TCN"):
        make(load_recipe("usdrl", {"encoder.name": "tcn"}))
    scd = {"encoder.name": "scd", "encoder.channels": 12, "encoder.hidden_dim": 8, "encoder.heads": 2}
    recipe = load_recipe("usdrl", {"data.pipeline.frames": 16, "method.projection_dim": 8, **scd})
    assert make(recipe)(batch(), epoch=0, generator=generator())["loss"].isfinite()


def test_cross_correlation_of_usdrl_is_an_option(tiny):
    first, second = (
        make(tiny("usdrl", method__correlation_weight=weight))(batch(), epoch=0, generator=generator())
        for weight in (0.0, 1e-3)
    )
    assert all(second[name] > first[name] for name in ("temporal", "spatial", "instance"))


def test_modalities_of_umurl_are_those_of_its_encoder(tiny):
    with pytest.raises(ValueError, match="method umurl needs encoder umurl, got TCN"):
        make(load_recipe("umurl", {"encoder.name": "tcn"}))
    method = make(tiny("umurl", encoder__modalities=["joint", "distance"]))
    assert list(method.projector) == ["joint", "distance"]
    embedded = []
    real, method.encoder.embed = method.encoder.embed, lambda seen: embedded.append(seen) or real(seen)
    assert method(batch(), epoch=0, generator=generator())["loss"].isfinite()
    assert [list(seen) for seen in embedded] == [["joint"], ["distance"], ["joint", "distance"]]
    views = [seen["joint"] for seen in (embedded[0], embedded[2])]
    assert not torch.equal(*views)  # of draws of their own


class TestHiCLR:
    @pytest.mark.parametrize("stream", ["joint", "motion", "bone", "distance"])
    def test_a_learned_number_stands_for_hidden_joints_of_who_is_there(self, stream, tiny):
        masked, still = [{"name": "joint_mask"}], [{"name": "time_flip", "p": 0}]
        recipe = tiny("hiclr", data__stream=stream, method__masked=masked, method__strong=still)
        method = make(recipe, bodies=2)
        torch.nn.init.constant_(method.mask_value, 0.37)
        clips = batch(bodies=2)
        clips[3, ..., 1] = 0
        passed = []
        method.encoder.register_forward_hook(lambda _, inputs, __: passed.append(inputs[0]))
        method(clips, epoch=0, generator=generator())
        seen = passed[2].detach()
        hidden = (seen == 0.37).all(2).all(1)  # (N, V, M)
        assert (hidden.sum(1) == 5).sum() == 15
        assert not seen[3, ..., 1].any()
        rest = stream_of(clips, stream, method.context.layout)
        assert torch.equal(seen, torch.where(hidden[:, None, None], torch.tensor(0.37), rest))

    def test_absent_body_changes_no_loss(self):
        """A second place that nobody takes stays empty: no learned number is put there."""
        yaw, mask = [{"name": "yaw"}], [{"name": "joint_mask"}]
        views = {"method.view": yaw, "method.strong": yaw, "method.masked": mask}
        recipe = load_recipe("hiclr", {"encoder.name": "tcn", "data.pipeline.frames": 16, **views})
        losses = []
        one = batch()
        for clips in (one, torch.cat([one, torch.zeros_like(one)], 4)):
            method = make(recipe, bodies=clips.shape[4])
            torch.nn.init.constant_(method.mask_value, 0.37)
            losses.append(method(clips, epoch=0, generator=generator())["loss"])
        torch.testing.assert_close(*losses)

    def test_each_view_learns_from_the_next_weaker_one(self, tiny, monkeypatch):
        chain = []
        real = hiclr.d3m
        monkeypatch.setattr(hiclr, "d3m", lambda view, of: chain.append((view, of)) or real(view, of))
        make(tiny("hiclr"))(batch(), epoch=0, generator=generator())
        (strong, _), (_, of) = chain
        assert of is strong


class TestPCM3:
    def test_masked_filled_and_mixed_clips(self, tiny):
        still = [{"name": "time_flip", "p": 0}]
        masked = [{"name": "part_mask", "parts": 3, "segments": 2}]
        method = make(tiny("pcm3", method__view=still, method__masked=masked), bodies=2)
        predictions, passed = [], []
        method.decoder.register_forward_hook(lambda _, __, out: predictions.append(out))
        real = method.encoder.forward_features
        method.encoder.forward_features = lambda x, *rest: passed.append(x) or real(x, *rest)
        clips = batch(bodies=2)
        clips[3, ..., 1] = 0
        losses = method(clips, epoch=0, generator=generator())
        seen, plain, filled, mixed = passed
        hidden = (seen != clips).any(1)
        assert not seen.movedim(1, -1)[hidden].any()
        assert not hidden[3, ..., 1].any()  # who is absent has nothing to predict
        assert torch.equal(plain, clips)
        assert torch.equal(filled, torch.where(hidden[:, None], predictions[0], clips))
        assert torch.equal(predictions[0], predictions[1])
        error = (predictions[1] - clips).square().movedim(1, -1)[hidden].mean()
        torch.testing.assert_close(losses["prediction"], error)
        assert (mixed != clips).flatten(1).any(1).all()

    def test_keys_are_mixed_as_clips_are(self, tiny):
        method = make(tiny("pcm3", method__blended=1.0, method__squeezed=0.0))
        view, key = batch(), torch.nn.functional.normalize(torch.randn(8, 5), dim=1)
        mixed, keys = method.mixed(view, key, generator())
        found = []
        for shift in range(1, 8):
            change = view.roll(-shift, 0) - view
            share = ((mixed - view) * change).flatten(1).sum(1) / change.square().flatten(1).sum(1)
            if torch.allclose(mixed, view + share.view(-1, 1, 1, 1, 1) * change, atol=1e-5):
                found.append(functional.normalize(key.lerp(key.roll(-shift, 0), share[:, None]), dim=1))
        (expected,) = found
        torch.testing.assert_close(keys, expected, rtol=1e-4, atol=1e-5)

    def test_errors(self, tiny):
        with pytest.raises(ValueError, match="needs encoder gru, with a feature of each frame, got TCN"):
            make(load_recipe("pcm3", {"encoder.name": "tcn"}))
        for masked in ([{"name": "shear"}], [{"name": "joint_mask"}, {"name": "shear"}]):
            for name in ("pcm3", "hiclr"):
                with pytest.raises(ValueError, match="masked must end with masks"):
                    tiny(name, method__masked=masked)
        with pytest.raises(ValueError, match="squeezed and blended must not exceed 1"):
            tiny("pcm3", method__squeezed=0.9)


def test_cmd_teaches_no_more_than_its_queue_holds(tiny):
    with pytest.raises(ValueError, match="neighbors must be from 1 to the queue's 16 keys, got 17"):
        make(tiny("cmd", method__neighbors=17))
    first, second = (
        make(tiny("cmd", method__weight=weight))(batch(), epoch=0, generator=generator())
        for weight in (0.0, 1.0)
    )
    torch.testing.assert_close(second["loss"] - first["loss"], first["distillation"])


def test_encoders_of_isc_look_for_each_others_keys(tiny):
    method = make(tiny("isc"))
    before = method(batch(), epoch=0, generator=generator())
    method = make(tiny("isc"))
    method.queue[1].keys.neg_()  # the partner's, among which the own query looks
    after = method(batch(), epoch=0, generator=generator())
    assert after["own"] != before["own"]
    assert after["partner"] == before["partner"]
    with pytest.raises(ValueError, match="no encoder 'agcm'"):
        make(tiny("isc", method__partner="agcm"))


def test_scdnet_needs_two_paths():
    with pytest.raises(ValueError, match="needs encoder scd, of two paths, got STGCN"):
        make(load_recipe("scdnet", {"encoder.name": "stgcn"}))


@pytest.mark.parametrize("name", NAMES)
def test_weights_follow_from_the_seed(name, tiny):
    first, again, other = (make(tiny(name, train__seed=seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_papers_settings_are_the_defaults():
    aimclr, crossclr, cmcs, scdnet, pstl = (
        METHODS[name]() for name in ("aimclr", "crossclr", "cmcs", "scdnet", "pstl")
    )
    for moco in (aimclr, crossclr):
        assert (moco.queue_size, moco.temperature, moco.momentum) == (32768, 0.07, 0.999)
    assert (aimclr.mining_epoch, aimclr.keep, aimclr.neighbors) == (150, 0.7, 1)
    assert (crossclr.cross_epoch, crossclr.neighbors, crossclr.context) == (150, 1, True)
    assert (cmcs.cross_epoch, cmcs.neighbors, cmcs.agree, cmcs.weight) == (60, 2, 2, 10.0)
    assert (cmcs.momentum, cmcs.hidden_dim, cmcs.projection_dim) == (0.996, 2048, 512)
    assert (scdnet.queue_size, scdnet.temperature, scdnet.momentum) == (8192, 0.2, 0.999)
    assert (pstl.off_diagonal, pstl.projection_dim) == (2e-4, 6144)


def test_deviations_of_released_programs_are_off_by_default():
    flags = {"shared_heads", "stale_keys", "stale_teacher", "per_batch"}
    found = {
        (name, flag): getattr(kind(), flag)
        for name, kind in METHODS.items()
        for flag in flags
        if hasattr(kind(), flag)
    }
    assert found == {
        ("crossclr", "shared_heads"): False,
        ("crossclr", "stale_keys"): False,
        ("cmcs", "stale_teacher"): False,
        ("pstl", "per_batch"): False,
    }
