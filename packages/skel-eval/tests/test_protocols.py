import numpy as np
import pytest
from attrs import asdict, evolve, fields, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_eval import (
    KNN,
    LBFGS,
    PROTOCOLS,
    SGD,
    Clustering,
    FeatureSet,
    FewShot,
    LinearProbe,
    Metric,
    MlpProbe,
    Outcome,
    RBFProbe,
    Retrieval,
    ZeroShot,
    accuracy,
    calibration,
    clustering,
    evaluate_features,
    few_shot,
    fuse,
    knn,
    linear_probe,
    mlp_probe,
    retrieval,
    side_by_side,
)

CLASSES = 3


def make(seed=0, count=60, width=5, **more):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    features = np.eye(CLASSES, width)[labels] + 0.7 * rng.normal(size=(count, width))
    train, test = np.arange(0, count, 2), np.arange(1, count, 2)
    return FeatureSet(features, labels, train, test, groups=np.arange(count) // 2 % 5, **more)


@pytest.fixture
def features():
    return make()


def arrays(one):
    x, y = one.features, one.labels
    return x[one.train], y[one.train], x[one.test], y[one.test]


def main(outcome):
    """The main metric."""
    return next(iter(outcome.metrics.values()))


def test_linear(features):
    outcome = evaluate_features(features, "linear")
    probe = linear_probe(*arrays(features), groups=features.groups[features.train])
    np.testing.assert_array_equal(outcome.predictions, probe.predictions)
    assert outcome.metrics["accuracy"].value == probe.accuracy
    truth = features.labels[features.test]
    assert outcome.metrics["calibration_error"].value == calibration(probe.logits, truth).expected_error
    assert outcome.settings == {"solver": "lbfgs", "regularisation": probe.strength, **asdict(LBFGS())}


def test_settings_reach_the_probes(features):
    solver = SGD(epochs=3, milestones=(2,))
    outcome = evaluate_features(features, "linear", solver=solver)
    expected = linear_probe(*arrays(features), solver=solver)
    np.testing.assert_array_equal(outcome.logits, expected.logits)
    settings = MlpProbe(epochs=2)
    outcome = evaluate_features(features, settings)
    np.testing.assert_array_equal(outcome.logits, mlp_probe(*arrays(features), settings=settings).logits)


def test_neighbours_and_retrieval(features):
    train_x, train_y, test_x, test_y = arrays(features)
    outcome = evaluate_features(features, "knn", k=5)
    assert outcome.metrics["accuracy"].value == accuracy(
        knn(train_x, train_y, test_x, k=5).predictions, test_y
    )
    found = retrieval(train_x, train_y, test_x, test_y, ks=(2, 4))
    outcome = evaluate_features(features, "retrieval", ks=(2, 4))
    assert list(outcome.metrics) == ["recall_at_2", "recall_at_4", "mean_average_precision"]
    assert outcome.metrics["recall_at_4"].value == found.recall[4]
    assert outcome.predictions is None


def test_few_shot_and_clusters_are_of_the_test_rows(features):
    _, _, test_x, test_y = arrays(features)
    outcome = evaluate_features(features, "few-shot", ways=3, queries=2, episodes=30)
    expected = few_shot(test_x, test_y, ways=3, queries=2, episodes=30)
    assert outcome.metrics == {"accuracy": Metric(expected.accuracy), "margin": Metric(expected.margin)}
    outcome = evaluate_features(features, "clustering", restarts=2)
    assert outcome.metrics["nmi"].value == clustering(test_x, test_y, restarts=2).nmi


def test_mean_class_accuracy_weighs_classes_alike():
    labels = np.array([0, 0, 0, 0, 1, 0, 1])
    x = np.eye(2)[[0, 0, 0, 0, 0, 0, 1]]  # the first row of class 1 looks like class 0
    outcome = evaluate_features(FeatureSet(x, labels, np.array([5, 6]), np.arange(5)), "knn")
    assert outcome.metrics["accuracy"].value == 0.8
    assert outcome.metrics["mean_class_accuracy"].value == 0.5


def test_copies_are_counted_apart(features):
    copied = features.features.copy()
    copied[features.test[:10]] = copied[features.train[:10]]
    copied_labels = features.labels.copy()
    copied_labels[features.test[:10]] = copied_labels[features.train[:10]]
    one = FeatureSet(copied, copied_labels, features.train, features.test, copies=features.test[:10])
    kept = features.test[10:]
    for protocol in ("knn", "retrieval"):
        outcome = evaluate_features(one, protocol)
        alone = evaluate_features(FeatureSet(copied, copied_labels, features.train, kept), protocol)
        assert main(outcome).distinct == main(alone).value < main(outcome).value
        assert [metric.distinct for metric in outcome.metrics.values()][1:] == [None] * (
            len(outcome.metrics) - 1
        )


def test_encoders_are_fused():
    first, second = make(0), make(1, width=4)
    weights = (0.6, 0.4)
    outcome = evaluate_features([first, second], "linear", weights=weights)
    logits = fuse([evaluate_features(one, "linear").logits for one in (first, second)], weights)
    np.testing.assert_allclose(outcome.logits, logits)
    assert len(outcome.settings["regularisation"]) == 2
    outcome = evaluate_features([first, second], "knn", weights=weights)
    joined = side_by_side([first.features, second.features], weights)
    cosine = [one.features / np.linalg.norm(one.features, axis=1, keepdims=True) for one in (first, second)]
    similarity = sum(w * x[first.test] @ x[first.train].T for w, x in zip(weights, cosine, strict=True))
    np.testing.assert_allclose(joined[first.test] @ joined[first.train].T, similarity)
    np.testing.assert_array_equal(outcome.predictions, first.labels[first.train][similarity.argmax(1)])


@settings(max_examples=20)
@given(seed=st.integers(0, 99), protocol=st.sampled_from(["linear", "knn"]))
@pytest.mark.slow
def test_labels_of_test_rows_do_not_reach_the_predictions(seed, protocol):
    one = make(seed)
    labels = one.labels.copy()
    labels[one.test] = (labels[one.test] + 1) % CLASSES
    other = FeatureSet(one.features, labels, one.train, one.test, groups=one.groups)
    first, second = (evaluate_features(x, protocol).predictions for x in (one, other))
    np.testing.assert_array_equal(first, second)


def test_errors(features):
    with pytest.raises(ValueError, match="no protocol 'svm'; there are linear, rbf, mlp, knn"):
        evaluate_features(features, "svm")
    with pytest.raises(TypeError, match="'knn' has no option 'neighbours'; there are k, temperature$"):
        evaluate_features(features, "knn", neighbours=3)
    with pytest.raises(TypeError, match="there are k, temperature; did you mean temperature?"):
        evaluate_features(features, "knn", temprature=3)
    with pytest.raises(TypeError, match="with its settings takes no options, got k"):
        evaluate_features(features, KNN(), k=3)
    with pytest.raises(TypeError, match="solver"):
        evaluate_features(features, "linear", solver=MlpProbe())
    with pytest.raises(ValueError, match="one set of features or more, got none"):
        evaluate_features([], "linear")
    with pytest.raises(ValueError, match="1 streams need as many weights >= 0"):
        evaluate_features(features, "linear", weights=[1, 2])
    with pytest.raises(ValueError, match="by_group needs features with groups"):
        evaluate_features(evolve(features, groups=None), "few-shot", ways=3, by_group=True)
    with pytest.raises(ValueError, match="must be of the same rows: labels differ"):
        evaluate_features([features, make(count=90)], "linear")


@pytest.mark.parametrize("protocol", ["linear", "knn", "retrieval", "clustering"])
def test_test_rows_without_labels_are_told(features, protocol):
    labels = np.where(np.isin(np.arange(60), features.test), -1, features.labels)
    one = FeatureSet(features.features, labels, features.train, features.test)
    with pytest.raises(ValueError, match="none of 30 test rows has a label"):
        evaluate_features(one, protocol)


def test_there_is_no_score_without_copies_where_all_are_copies():
    test = np.arange(1, 60, 2)
    assert main(evaluate_features(make(copies=test), "knn")).distinct is None
    assert main(evaluate_features(make(copies=test), "retrieval")).distinct is None
    assert main(evaluate_features(make(copies=test[:5]), "knn")).distinct >= 0


def test_settings_of_a_trained_probe_are_told(features):
    used = evaluate_features(features, LinearProbe(SGD(epochs=2, milestones=())))
    assert (used.settings["epochs"], used.settings["learning_rate"]) == (2, 3.0)


def test_few_shot_by_group(features):
    used = {"ways": 3, "queries": 2, "episodes": 30}
    _, _, test_x, test_y = arrays(features)
    apart = few_shot(test_x, test_y, **used, groups=features.groups[features.test])
    outcome = evaluate_features(features, "few-shot", **used, by_group=True)
    assert outcome.metrics["accuracy"].value == apart.accuracy
    assert outcome.settings["by_group"] is True
    # the same performance from three cameras: features without any class tell it
    rng = np.random.default_rng(0)
    performance = np.repeat(np.arange(18), 3)
    labels = performance % 3
    x = rng.normal(size=(18, 16))[performance] + 0.1 * rng.normal(size=(54, 16))
    one = FeatureSet(x, labels, np.arange(3), np.arange(3, 54), groups=performance)
    found = [
        evaluate_features(one, "few-shot", ways=3, queries=5, episodes=500, by_group=kept)
        .metrics["accuracy"]
        .value
        for kept in (False, True)
    ]
    assert found[0] > found[1] + 0.05
    assert found[1] == pytest.approx(1 / 3, abs=0.08)


def test_options_reach_neighbours_and_clusters():
    one = evolve(make(), features=make().features + 2 * make(5).features)
    train_x, train_y, test_x, test_y = arrays(one)
    cold, warm = (knn(train_x, train_y, test_x, k=9, temperature=t) for t in (0.01, 10.0))
    assert (cold.predictions != warm.predictions).any()
    for expected in (cold, warm):
        outcome = evaluate_features(one, "knn", k=9, temperature=expected.temperature)
        np.testing.assert_array_equal(outcome.predictions, expected.predictions)
    scores = [clustering(test_x, test_y, seed=seed, restarts=1).nmi for seed in range(6)]
    assert len(set(scores)) > 1
    for seed, score in enumerate(scores):
        assert evaluate_features(one, "clustering", seed=seed, restarts=1).metrics["nmi"].value == score


def test_queries_without_a_match_are_told(features):
    labels = features.labels.copy()
    labels[features.train[labels[features.train] == 2]] = -1
    one = evolve(features, labels=labels)
    used = evaluate_features(one, "retrieval").settings
    missing = int((labels[one.test] == 2).sum())
    assert (used["queries"], used["without_match"]) == (len(one.test) - missing, missing)


def test_small_galleries_have_fewer_k():
    one = make(count=12)
    assert evaluate_features(one, "retrieval").settings["ks"] == [1, 5]


@pytest.mark.parametrize("protocol", ["linear", "knn", "retrieval"])
def test_there_is_no_score_without_copies_where_the_others_have_no_label(features, protocol):
    labels = features.labels.copy()
    labels[features.test[5:]] = -1
    outcome = evaluate_features(evolve(features, labels=labels, copies=features.test[:5]), protocol)
    assert main(outcome).distinct is None
    assert main(outcome).value >= 0


def test_calibration_of_fused_logits_is_blind_to_the_scale_of_weights():
    sets = [make(0), make(1, width=4)]
    small, large = (evaluate_features(sets, "linear", weights=w) for w in ((0.1, 0.2), (10, 20)))
    error = large.metrics["calibration_error"].value
    assert small.metrics["calibration_error"].value == pytest.approx(error)
    # two equal encoders are as sure as one
    alone = evaluate_features(sets[0], "linear").metrics["calibration_error"].value
    assert evaluate_features([sets[0]] * 2, "linear").metrics["calibration_error"].value == pytest.approx(
        alone
    )


def test_joint_head_is_one_probe_on_all_features():
    sets = [make(0), make(1, width=4)]
    outcome = evaluate_features(sets, "linear", fusion="joint")
    together = evolve(sets[0], features=np.concatenate([one.features for one in sets], 1))
    alone = evaluate_features(together, "linear")
    np.testing.assert_array_equal(outcome.logits, alone.logits)
    late = evaluate_features(sets, "linear", fusion="late")
    assert not np.allclose(outcome.logits, late.logits)
    np.testing.assert_array_equal(late.logits, evaluate_features(sets, "linear").logits)
    one = evaluate_features(sets[0], "linear", fusion="joint")  # of one encoder both are the same
    np.testing.assert_array_equal(one.logits, evaluate_features(sets[0], "linear").logits)
    with pytest.raises(ValueError, match="joint head learns how much each stream counts"):
        evaluate_features(sets, LinearProbe(fusion="joint"), weights=(0.6, 0.4))
    with pytest.raises(ValueError, match="fusion"):
        LinearProbe(fusion="early")


def test_names_and_titles():
    made = (LinearProbe(), RBFProbe(), MlpProbe(), KNN(), Retrieval(), FewShot(), Clustering(), ZeroShot())
    for (name, place), one in zip(PROTOCOLS.items(), made, strict=True):
        assert place == f"{type(one).__module__}:{type(one).__name__}"
        assert one.fuses == ("logits" if name in ("linear", "rbf", "mlp") else "features")
    titles = [one.title for one in (*made, KNN(k=5), FewShot(ways=10, by_group=True))]
    assert titles[:4] == ["linear", "rbf", "mlp", "1-NN"]
    assert titles[4:] == [
        "retrieval",
        "5-way 1-shot",
        "clustering",
        "zero-shot, 5 unseen classes",
        "5-NN",
        "10-way 1-shot, by group",
    ]


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "zero-shot"])  # needs texts
def test_a_protocol_with_its_settings_is_the_one_by_name(features, name):
    small = {"few-shot": FewShot(ways=3, queries=2, episodes=30), "clustering": Clustering(restarts=1)}
    kinds = {"linear": LinearProbe(), "mlp": MlpProbe(epochs=2), "knn": KNN(k=3), "retrieval": Retrieval()}
    kinds["rbf"] = RBFProbe(gammas=(1.0,))
    protocol = (kinds | small)[name]
    options = {field.name: getattr(protocol, field.name) for field in fields(type(protocol))}
    first, second = evaluate_features(features, protocol), evaluate_features(features, name, **options)
    assert (first.metrics, first.settings) == (second.metrics, second.settings)
    assert protocol(features).metrics == first.metrics


def test_a_protocol_of_ones_own(features):
    @frozen
    class Shuffled:
        fuses = "features"
        title = "shuffled"

        def __call__(self, features, *, device=None):  # noqa: ARG002
            return Outcome({"width": Metric(features.features.shape[1])})

    assert evaluate_features(features, Shuffled()).metrics == {"width": Metric(5)}
    assert evaluate_features([features, features], Shuffled()).metrics == {"width": Metric(10)}
