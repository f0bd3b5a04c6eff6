"""Zero-shot recognition: texts, splits, the ridge regression, controls."""

import numpy as np
import pytest
import torch
from attrs import evolve

from skel_eval import UNSEEN, FeatureSet, ZeroShot, evaluate_features, load_texts
from skel_eval.zero_shot import ridge

CLASSES, WIDTH = 10, 12
NAMES = [f"action {number}" for number in range(CLASSES)]


def make(seed=0, spread=0.3, per_class=20, width=WIDTH):
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(CLASSES, width))
    labels = np.tile(np.arange(CLASSES), per_class)
    x = means[labels] + spread * rng.normal(size=(len(labels), width))
    half = len(labels) // 2
    rows = np.arange(len(labels))
    groups = np.arange(len(labels)) // CLASSES % 5
    return FeatureSet(x, labels, rows[:half], rows[half:], groups=groups, class_names=NAMES), means


def write(path, texts, names=NAMES):
    np.savez(path, names=np.array(names), texts=texts)
    return path


@pytest.fixture
def meaningful(tmp_path):
    features, means = make()
    return features, write(tmp_path / "means.npz", means)


def test_texts_that_are_the_class_means_name_unseen_classes(meaningful):
    """Seven classes span six of 12 dimensions: no certainty, but far more than permuted texts tell."""
    features, path = meaningful
    outcome = evaluate_features(features, ZeroShot(path, unseen="3", repeats=10, permutations=30))
    value = outcome.metrics["accuracy"].value
    assert value > 0.6
    assert outcome.details["p"] == pytest.approx(1 / 31)
    assert outcome.metrics["permuted_texts"].value == pytest.approx(1 / 3, abs=0.06)
    assert outcome.details["gain"] == pytest.approx(value - outcome.metrics["permuted_texts"].value)
    assert outcome.metrics["accuracy"].std > 0
    assert len(outcome.details["unseen"]) == 10
    assert outcome.details["notes"][0] == "chance: 33.3 %"
    fixed = evaluate_features(features, ZeroShot(path, unseen=f"{NAMES[0]},{NAMES[3]}", permutations=2))
    assert fixed.counts == {"test": int(np.isin(features.labels[features.test], (0, 3)).sum())}


def test_enough_seen_classes_reach_nearest_mean_accuracy(tmp_path):
    """40 of 43 classes are seen and span the 12 dimensions: unseen means are found as by nearest mean."""
    rng, count, per = np.random.default_rng(3), 43, 20
    labels = np.tile(np.arange(count), per)
    x = rng.normal(size=(count, WIDTH))[labels] + 0.3 * rng.normal(size=(count * per, WIDTH))
    names, rows, half = [f"action {one}" for one in range(count)], np.arange(len(x)), len(x) // 2
    means = np.stack([x[labels == one].mean(0) for one in range(count)])
    features = FeatureSet(x, labels, rows[:half], rows[half:], class_names=names)
    path = write(tmp_path / "t.npz", means, names)
    outcome = evaluate_features(features, ZeroShot(path, unseen="3", repeats=8, permutations=2))
    for unseen, accuracy in zip(outcome.details["unseen"], outcome.details["accuracies"], strict=True):
        classes = np.array([names.index(one) for one in unseen])
        asked = rows[half:][np.isin(labels[half:], classes)]
        distance = ((x[asked][:, None] - means[classes]) ** 2).sum(2)
        assert (classes[distance.argmin(1)] == labels[asked]).mean() == accuracy == 1


def test_a_direction_that_no_seen_class_has_is_not_learned(tmp_path):
    """Why few seen classes do not suffice: what is predicted is a sum of seen texts.

    Two unseen classes differ in the last dimension alone, in which seen classes are equal. By nearest mean
    every clip is classified correctly. With texts it is chance: both are equally far from every prediction.
    """
    rng = np.random.default_rng(4)
    means = rng.normal(size=(CLASSES, 5))
    means[1, :4] = means[0, :4]
    means[:, 4] = 0
    means[:2, 4] = 3, -3
    labels, rows = np.tile(np.arange(CLASSES), 200), np.arange(200 * CLASSES)
    x = means[labels] + 0.1 * rng.normal(size=(len(labels), 5))
    half = len(rows) // 2
    features = FeatureSet(x, labels, rows[:half], rows[half:], class_names=NAMES)
    path = write(tmp_path / "t.npz", means)
    outcome = evaluate_features(features, ZeroShot(path, unseen=f"{NAMES[0]},{NAMES[1]}", permutations=2))
    asked = np.isin(labels, (0, 1))
    assert ((x[asked, 4] < 0) == labels[asked]).all()
    assert outcome.metrics["accuracy"].value == pytest.approx(0.5, abs=0.1)


def test_random_texts_are_near_chance_over_splits(tmp_path):
    features, _ = make()
    found = []
    for seed in range(4):
        texts = np.random.default_rng(50 + seed).normal(size=(CLASSES, 40))
        protocol = ZeroShot(write(tmp_path / f"{seed}.npz", texts), repeats=20, permutations=2, seed=seed)
        found.append(evaluate_features(features, protocol).metrics["accuracy"].value)
    assert np.mean(found) == pytest.approx(0.2, abs=0.06)


def test_responses_are_a_ridge_regression_to_the_texts():
    rng = np.random.default_rng(1)
    z, q, y = rng.normal(size=(30, 6)), rng.normal(size=(5, 6)), np.arange(30) % 4
    texts = rng.normal(size=(4, 9))
    given = ridge.responses(*map(torch.from_numpy, (z, y)), 4, torch.from_numpy(q), (2.0,))[0].numpy()
    centred, wanted = z - z.mean(0), texts[y]
    weight = np.linalg.solve(centred.T @ centred + 2 * np.eye(6), centred.T @ (wanted - wanted.mean(0)))
    np.testing.assert_allclose(given @ texts, (q - z.mean(0)) @ weight + wanted.mean(0), atol=1e-10)


def test_relations_are_cosines_of_centred_texts():
    rng = np.random.default_rng(2)
    texts, seen = rng.normal(size=(6, 5)), np.array([0, 2, 3])
    orders = np.stack([np.arange(6), rng.permutation(6)])
    found = ridge.relations(*map(torch.from_numpy, (texts @ texts.T, orders, seen))).numpy()
    for order, cosines in zip(orders, found, strict=True):
        own = texts[order] - texts[order][seen].mean(0)
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        np.testing.assert_allclose(cosines, own @ own.T, atol=1e-10)


def test_wide_features_are_rotated_not_changed():
    rng = np.random.default_rng(3)
    x, q, y = rng.normal(size=(20, 90)), rng.normal(size=(7, 90)), torch.arange(20) % 4
    narrow = ridge.prepare(torch.from_numpy(x), torch.from_numpy(q))
    assert narrow[0].shape == (20, 20)
    mean, std = x.mean(0), x.std(0)
    wide = [torch.from_numpy((one - mean) / std) for one in (x, q)]
    found, expected = (ridge.responses(a, y, 4, b, (5.0,))[0] for a, b in (narrow, wide))
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_generalised_by_counting(meaningful):
    """S, U and AUSUC of the margins, against a loop over all gammas between them."""
    features, path = meaningful
    outcome = evaluate_features(features, ZeroShot(path, unseen="3", repeats=2, generalised=True))
    s, u, h = (outcome.metrics[name].value for name in ("seen_accuracy", "unseen_accuracy", "harmonic_mean"))
    assert s > 0.7
    assert u > 0.3
    assert 0 < h <= max(s, u)
    assert outcome.metrics["ausuc"].value > 0.4
    assert len(outcome.settings["stacking_gamma"]) == 2


def test_seen_unseen_and_harmonic_mean_by_hand(meaningful):
    """Clip by clip, by a regression to the texts themselves: no responses, margins or inner products."""
    features, path = meaningful
    outcome = evaluate_features(features, ZeroShot(path, unseen="3", repeats=3, generalised=True))
    texts, names = load_texts(path, NAMES), list(NAMES)
    x, y = features.features, features.labels
    found = []
    for unseen, gamma, strength in zip(
        outcome.details["unseen"],
        outcome.settings["stacking_gamma"],
        outcome.settings["strength"],
        strict=True,
    ):
        novel = np.isin(np.arange(CLASSES), [names.index(one) for one in unseen])
        known = features.train[~novel[y[features.train]]]
        wanted = texts - texts[~novel].mean(0)
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        mean, std = x[known].mean(0), x[known].std(0)
        z, target = (x[known] - mean) / std, wanted[y[known]]
        weight = np.linalg.solve(z.T @ z + strength * np.eye(WIDTH), z.T @ (target - target.mean(0)))
        hits = {False: [], True: []}
        for clip in features.test:
            predicted = (x[clip] - mean) / std @ weight + target.mean(0)
            scores = wanted @ predicted / np.linalg.norm(predicted) + gamma * novel
            hits[bool(novel[y[clip]])].append(scores.argmax() == y[clip])
        s, u = np.mean(hits[False]), np.mean(hits[True])
        found.append((s, u, 2 * s * u / (s + u)))
    for name, expected in zip(
        ("seen_accuracy", "unseen_accuracy", "harmonic_mean"), np.mean(found, 0), strict=True
    ):
        assert outcome.metrics[name].value == pytest.approx(expected)


def test_area_by_trapezoids():
    rng = np.random.default_rng(4)
    gap, right, novel = rng.normal(size=80).round(1), rng.random(80) < 0.7, rng.random(80) < 0.4
    points = [
        ((gap >= g)[~novel & right].sum() / (~novel).sum(), (gap < g)[novel & right].sum() / novel.sum())
        for g in [-9, *np.unique(gap) + 1e-6]
    ]
    s, u = np.array(points).T
    found = ridge.area(*map(torch.from_numpy, (gap, right, novel)))
    assert found == pytest.approx(float((np.diff(u) * (s[1:] + s[:-1]) / 2).sum()))


def test_names_of_classes_and_published_splits(meaningful):
    features, path = meaningful
    outcome = evaluate_features(features, ZeroShot(path, unseen="action 3, action 1", permutations=5))
    assert outcome.details["unseen"] == [["action 1", "action 3"]]
    assert outcome.metrics["accuracy"].std is None
    assert "one split" in outcome.details["notes"][2]
    outcome = evaluate_features(features, ZeroShot(path, unseen="purls-ucla-5", permutations=5))
    assert outcome.details["unseen"] == [[NAMES[number] for number in (1, 3, 4, 6, 8)]]
    with pytest.raises(ValueError, match="60 classes of NTU RGB"):
        evaluate_features(features, ZeroShot(path, unseen="synse-5"))
    other = evolve(features, class_names=["throw", *NAMES[1:]])
    with pytest.raises(ValueError, match="another order"):
        UNSEEN["purls-ucla-5"].check(other.class_names)


def test_published_splits_are_of_their_size():
    for name, split in UNSEEN.items():
        numbers = split.numbers
        assert list(numbers) == sorted(set(numbers)), name
        assert max(numbers) < split.classes
        family, _, size = name.rpartition("-")
        if family != "smie":
            assert len(numbers) == int(size)


@pytest.mark.parametrize("head", ["smie", "infocpl"])
def test_trained_heads(head, tmp_path):
    features, means = make(spread=0.1, per_class=6)
    rng = np.random.default_rng(5)
    texts = means[:, None] + 0.1 * rng.normal(size=(CLASSES, 7, WIDTH))
    path = write(tmp_path / "t.npz", texts)
    settings = {"head": head, "unseen": "2", "repeats": 1, "epochs": 1, "permutations": 20}
    outcome = evaluate_features(features, ZeroShot(path, **settings))
    assert outcome.metrics["permuted_texts"].value == pytest.approx(0.5, abs=0.3)
    assert evaluate_features(features, ZeroShot(path, **settings)).metrics == outcome.metrics


def test_errors(meaningful, tmp_path):
    features, path = meaningful
    with pytest.raises(ValueError, match="--texts FILE"):
        evaluate_features(features, "zero-shot")
    for unseen in ("1", "7", "11"):
        with pytest.raises(ValueError, match="leave 4 to learn from"):
            evaluate_features(features, ZeroShot(path, unseen=unseen))
    with pytest.raises(ValueError, match="no class 'dance'"):
        evaluate_features(features, ZeroShot(path, unseen="dance,action 1"))
    with pytest.raises(ValueError, match="K \\+ 1"):
        evaluate_features(features, ZeroShot(path, head="infocpl"))
    with pytest.raises(ValueError, match="goes with the head ridge"):
        evaluate_features(features, ZeroShot(path, head="smie", generalised=True))
    with pytest.raises(FileNotFoundError, match="no texts at"):
        load_texts(tmp_path / "none.npz", NAMES)


def test_files_of_texts(tmp_path):
    texts = np.random.default_rng(6).normal(size=(CLASSES, 4))
    path = write(tmp_path / "t.npz", texts[::-1], NAMES[::-1])
    np.testing.assert_array_equal(load_texts(path, NAMES), texts)
    np.save(tmp_path / "t.npy", texts)
    np.testing.assert_array_equal(load_texts(tmp_path / "t.npy", NAMES), texts)
    with pytest.raises(ValueError, match="one row for each class"):
        load_texts(tmp_path / "t.npy", NAMES[1:])
    with pytest.raises(ValueError, match="no text for 'dance'"):
        load_texts(path, ["dance"])
    with pytest.raises(ValueError, match="twice"):
        load_texts(write(tmp_path / "d.npz", texts, ["a"] * CLASSES), NAMES)
    for bad, words in ((np.zeros((CLASSES, 3)), "all zeros"), (np.full((CLASSES, 3), np.nan), "finite")):
        with pytest.raises(ValueError, match=words):
            load_texts(write(tmp_path / "bad.npz", bad), NAMES)
    np.savez(tmp_path / "other.npz", x=texts)
    with pytest.raises(ValueError, match="not names and texts"):
        load_texts(tmp_path / "other.npz", NAMES)
    (tmp_path / "text.npz").write_text("walk")
    with pytest.raises(ValueError, match="is no"):
        load_texts(tmp_path / "text.npz", NAMES)


def test_a_changed_file_is_another_protocol(meaningful):
    _, path = meaningful
    before = repr(ZeroShot(path))
    write(path, np.ones((CLASSES, 2)))
    assert repr(ZeroShot(path)) != before
