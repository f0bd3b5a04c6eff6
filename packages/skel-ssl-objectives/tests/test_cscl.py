import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_ssl_objectives import TwoViews, cmal, cscl

NAMES = ("joint", "motion", "bone")


def streams(count=3, n=6, seed=0, dtype=torch.double):
    torch.manual_seed(seed)
    return [TwoViews(*(torch.randn(n, 5, dtype=dtype) for _ in range(4))) for _ in range(count)]


def test_errors():
    with pytest.raises(ValueError, match=r"one shape from one stream or more, got \[\]"):
        cscl([])
    with pytest.raises(ValueError, match=r"one shape"):
        cscl([TwoViews(*[torch.zeros(2, 3)] * 3, torch.zeros(2, 4))])
    with pytest.raises(ValueError, match="agree from 1 to the 1 streams, got 2"):
        cscl(streams(1))
    with pytest.raises(ValueError, match="k from 1 to the 6 clips"):
        cscl(streams(2), k=7)
    with pytest.raises(ValueError, match="each or sum, got 'mean'"):
        cscl(streams(2), over_positives="mean")


@pytest.mark.vectors("cscl")
def test_published_numbers(vector, agree):
    predictions = {
        f"{p}_{name}": torch.from_numpy(vector[f"in.{p}_{name}"]).requires_grad_()
        for name in NAMES
        for p in ("p1", "p2")
    }
    views = [
        TwoViews(
            predictions[f"p1_{name}"],
            predictions[f"p2_{name}"],
            torch.from_numpy(vector[f"in.t1_{name}"]),
            torch.from_numpy(vector[f"in.t2_{name}"]),
        )
        for name in NAMES
    ]
    single = [cmal(*view) for view in views]
    total = sum(single) + vector.config["weight"] * sum(cscl(views, k=vector.config["topk"]))
    total.backward()
    agree([(loss, vector[f"out.cmal_{name}"]) for name, loss in zip(NAMES, single, strict=True)])
    agree([(total, vector["out.cscl_total"])])
    gradients = vector.group("grad.")
    agree([(prediction.grad, gradients[key]) for key, prediction in predictions.items()])


@settings(max_examples=20)
@given(
    st.integers(1, 4),
    st.integers(2, 3),
    st.integers(1, 2),
    st.sampled_from(["each", "sum"]),
    st.integers(0, 100),
)
def test_by_hand(k, count, agree_on, form, seed):
    """Sets of clips instead of masks."""
    views = [TwoViews(*(one.requires_grad_() for one in view)) for view in streams(count, seed=seed)]

    def scores(a, b):
        return torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=2)

    directions = [(scores(v.prediction1, v.target2), scores(v.prediction2, v.target1)) for v in views]

    def positives(row, i):
        return {i, *row.argsort(descending=True)[:k].tolist()}

    labels = [
        {
            j
            for j in range(6)
            if sum(j in positives(one[i], i) & positives(two[i], i) for one, two in directions) >= agree_on
        }
        for i in range(6)
    ]
    losses = cscl(views, k=k, agree=agree_on, over_positives=form)
    for view, both, loss in zip(views, directions, losses, strict=True):
        rows = [
            torch.stack([d[i].exp()[j] / d[i].exp().sum() for j in labels[i]]) for d in both for i in range(6)
        ]
        expected = -sum(row.sum().log() if form == "sum" else row.log().sum() for row in rows) / 6
        torch.testing.assert_close(loss, expected)
        found, wanted = (torch.autograd.grad(one, view[:2], retain_graph=True) for one in (loss, expected))
        torch.testing.assert_close(found, wanted)


def test_every_clip_is_its_own_label():
    """Streams that share nothing still agree on the clip itself."""
    for losses in (cscl(streams(3), k=1), cscl(streams(2, n=2), k=1)):
        assert all(loss > 0 for loss in losses)


def test_two_processes_agree_with_one():
    views = streams()
    everyone = [target for v in views for target in (v.target2, v.target1)]
    halves = []
    for rank in (0, 1):
        mine = slice(3 * rank, 3 * rank + 3)
        queue = iter(everyone)

        def gather(_, queue=queue):
            return torch.nn.functional.normalize(next(queue), dim=1)

        local = [TwoViews(*(x[mine] for x in v)) for v in views]
        halves.append(torch.stack(cscl(local, gather=gather, rank=rank)))
    torch.testing.assert_close(torch.stack(halves).mean(0), torch.stack(cscl(views)))


def test_gradient_reaches_predictions_only():
    views = [TwoViews(*(x.requires_grad_() for x in v)) for v in streams()]
    sum(cscl(views)).backward()
    for v in views:
        assert v.prediction1.grad.abs().sum() > 0
        assert v.prediction2.grad.abs().sum() > 0
        assert v.target1.grad is None
        assert v.target2.grad is None


def test_compiles_and_keeps_its_precision(compiles, same_under_autocast):
    def loss(*tensors):
        return cscl([TwoViews(*tensors[:4]), TwoViews(*tensors[4:])])

    tensors = [torch.randn(6, 5) for _ in range(8)]
    compiles(loss, *tensors)
    same_under_autocast(loss, *tensors)
