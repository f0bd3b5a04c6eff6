"""Models: a classifier on the encoders of a run, fitted, saved, opened and used."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from attrs import evolve

from skel_data import (
    Clip,
    SynthSettings,
    convert,
    get_layout,
    import_dataset,
    synth_clips,
    write_ntu_folder,
    write_store,
)
from skel_eval import Finetune, MlpProbe
from skel_recipes import SkeletonClassifier, SkeletonFeatures, evaluate, fit, load_model, pretrain
from skel_recipes.cli import main
from skel_recipes.model.heads import HEADS
from skel_recipes.model.sources import take

QUICK = {"finetune": Finetune(epochs=2, milestones=()), "mlp": MlpProbe(epochs=3, width=16)}


def skel(capsys, *words):
    status = main([str(word) for word in words])
    return status, capsys.readouterr()


@pytest.fixture(scope="module")
def models(run, store):
    return {
        head: fit(run, store, labels="train", head=head, settings=QUICK.get(head), device="cpu")
        for head in HEADS
    }


@pytest.fixture(scope="module")
def streams(store, tiny, tmp_path_factory):
    return pretrain(
        tiny("compact", data__stream="joint+bone"), store, tmp_path_factory.mktemp("runs") / "two"
    )


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    return models["linear"].save(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture
def recordings(store):
    return [store.clip(row) for row in range(len(store))]


def scarce(store, path, kept):
    """The store with labels on the clips of these rows alone."""
    rows = range(len(store))
    clips = [
        Clip(store.clip(row), str(store.names[row]), int(store.labels[row]) if row in kept else -1)
        for row in rows
    ]
    return write_store(path, clips, store.info, source="test")


@pytest.mark.parametrize("head", HEADS)
def test_smoke(models, store, head):
    model = models[head]
    found = model.predict(store)
    assert len(found) == len(store)
    assert found.probabilities.shape == (len(store), 3)
    np.testing.assert_allclose(found.probabilities.sum(1), 1)
    assert set(found.labels.tolist()) <= {-1, 0, 1, 2}
    assert model.head_name in repr(model)
    assert len(repr(model).splitlines()) <= 5


def test_neighbours_take_all_labels(run, store):
    """With all labels nothing is held out, so there is no test row to look for neighbours of."""
    model = fit(run, store, head="knn")
    assert model.predict(store).labels.shape == (len(store),)


@pytest.mark.parametrize("head", HEADS)
def test_the_accuracy_is_that_of_the_protocol(models, run, store, head):
    """`fit` on the training part is the protocol of that name, and its model predicts the same again."""
    settings = QUICK.get(head)
    protocols = {"mlp": settings}
    options = {"settings": settings} if head == "finetune" else {}
    protocol = protocols.get(head, head)
    result = evaluate(run, store, protocol, device="cpu", **options)
    held_out = models[head].held_out
    assert held_out["accuracy"] == pytest.approx(result.metric.value, abs=1e-9)
    assert held_out["clips"] == result.counts["test"]
    test = result.predictions.clips
    found = models[head].predict(store)
    np.testing.assert_array_equal(found.best[test], result.predictions.classes.reshape(-1))
    assert held_out["none_of_these"] == int((found.labels[test] < 0).sum())


@pytest.mark.parametrize("head", ["linear", "rbf", "knn", "finetune"])
def test_streams_are_fused_as_the_protocol_fuses_them(streams, store, tmp_path, head):
    settings, weights = QUICK.get(head), (0.6, 0.4)
    options = {"settings": settings} if head == "finetune" else {}
    result = evaluate(streams, store, head, weights=weights, device="cpu", **options)
    model = fit(streams, store, labels="train", head=head, weights=weights, settings=settings, device="cpu")
    assert model.held_out["accuracy"] == pytest.approx(result.metric.value, abs=1e-9)
    assert (model.embedder.streams, model.embedder.weights) == (("joint", "bone"), weights)
    opened = load_model(model.save(tmp_path / "model"), device="cpu")
    found = opened.predict(store)
    np.testing.assert_array_equal(
        found.best[result.predictions.clips], result.predictions.classes.reshape(-1)
    )
    stream = opened.stream(window=len(store.clip(0)), step=1)
    last = [stream.push(frame) for frame in store.clip(0)][-1]
    np.testing.assert_allclose(last.probabilities, found.probabilities[0], atol=1e-5)


@pytest.mark.parametrize(
    ("rates", "expected"), [((0, 0), 30.0), ((50, 50), 50.0), ((0, 25), 25.0), ((50, 100), 100.0)]
)
def test_the_frame_rate_is_that_of_the_clips_used(run, store, tmp_path, rates, expected):
    """Clips without a known rate (0), and those without a label, do not count."""
    clips = [
        Clip(
            store.clip(row),
            str(row),
            int(store.labels[row]) if row else -1,
            rate=rates[row % 2] if row else 9,
        )
        for row in range(len(store))
    ]
    known = write_store(tmp_path / "a.store", clips, store.info, source="test")
    assert fit(run, known, head="knn", device="cpu").fps == expected
    assert fit(run, known, head="knn", fps=12, device="cpu").fps == 12


def test_one_stream_alone(streams, store):
    model = fit(streams, store, stream="bone", device="cpu")
    assert model.embedder.streams == ("bone",)
    assert model.embed(store).shape == (len(store), model.embedder.encoders[0].feature_dim)


@pytest.mark.parametrize("head", HEADS)
def test_a_saved_model_predicts_the_same(models, store, tmp_path, head):
    path = models[head].save(tmp_path / "model")
    opened = load_model(path, device="cpu")
    again, before = opened.predict(store), models[head].predict(store)
    np.testing.assert_array_equal(again.probabilities, before.probabilities)
    np.testing.assert_array_equal(again.labels, before.labels)
    assert opened.classes == store.classes
    assert opened.layout == store.layout
    assert opened.held_out == models[head].held_out
    np.testing.assert_array_equal(opened.embed(store), models[head].embed(store))
    assert not [file for file in path.rglob("*") if file.suffix in (".pt", ".pkl", ".pickle")]


def test_every_kind_of_source_gives_the_same(models, store, recordings, tmp_path):
    model = models["linear"]
    expected = model.predict(store).probabilities
    np.save(tmp_path / "one.npy", recordings[3])
    np.save(tmp_path / "flat.npy", recordings[3][:, 0])
    arrays = {
        "positions": np.concatenate(recordings),
        "lengths": np.array([len(one) for one in recordings]),
        "joint_names": np.array(store.layout.joints),
        "parents": np.array(store.layout.parents),
    }
    np.savez(tmp_path / "all.npz", **arrays)
    clips = [Clip(one, str(number)) for number, one in enumerate(recordings)]
    for source in (recordings, clips, store.path, str(store.path)):
        np.testing.assert_allclose(model.predict(source).probabilities, expected, atol=1e-6)
    found = model.predict(tmp_path / "all.npz", zeros="missing")  # as they are in memory
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    for source in (recordings[3], recordings[3][:, 0], clips[3], tmp_path / "one.npy", tmp_path / "flat.npy"):
        np.testing.assert_allclose(model.predict(source).probabilities, expected[3:4], atol=1e-6)
    same = np.stack([recordings[3]] * 2)
    np.testing.assert_allclose(model.predict(same).probabilities, expected[[3, 3]], atol=1e-6)


def test_files_that_do_not_name_their_joints_have_those_of_the_model(models, store, recordings, tmp_path):
    np.savez(tmp_path / "a.npz", positions=recordings[3], lengths=[len(recordings[3])])
    expected = models["linear"].predict(recordings[3]).probabilities
    found = models["linear"].predict(tmp_path / "a.npz")
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)


def test_other_joints_are_converted_where_that_is_asked_for(models, store, tmp_path):
    model, other = models["linear"], get_layout("mediapipe-33")
    recording = convert(store.clip(3), store.layout, evolve(other, confidence=False), most_parents=1)
    named = {"joint_names": np.array(other.joints), "parents": np.array(other.parents)}
    np.savez(tmp_path / "a.npz", positions=recording, lengths=[len(recording)], **named)
    with pytest.raises(ValueError, match=r"the source has 'a' \(33 joints, 3 channels\); --convert"):
        model.predict(tmp_path / "a.npz")
    found = model.predict(tmp_path / "a.npz", convert=True)
    back = convert(recording, evolve(other, confidence=False), store.layout)
    np.testing.assert_allclose(found.probabilities, model.predict(back).probabilities, atol=1e-6)


def test_a_folder_of_files_some_of_them_bad(folder, store, tmp_path, capsys):
    few = SynthSettings(classes=2, subjects=2, cameras=1, repetitions=1)
    write_ntu_folder(tmp_path / "raw", synth_clips(few))
    files = sorted((tmp_path / "raw").iterdir())
    files[0].write_text("nothing")
    status, output = skel(capsys, "predict", folder, tmp_path / "raw", "--format", "ntu60", "--json")
    assert status == 0, output.err
    assert [row["name"] for row in json.loads(output.out)] == [file.stem for file in files[1:]]
    assert f"left out {files[0].name}: " in output.err


@pytest.mark.parametrize("options", [{}, {"up": "z"}, {"zeros": "there"}, {"fps": 20, "rate": 10}])
def test_files_are_read_as_they_are_imported(tmp_path, options):
    rng = np.random.default_rng(0)
    marks = rng.normal(size=(8, 33, 3)).round(3)
    marks[:, 0] = 0
    frames = [[[dict(zip("xyz", mark, strict=True)) for mark in frame]] for frame in marks.tolist()]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.json").write_text(json.dumps(frames))
    store = import_dataset("mediapipe", tmp_path / "raw", tmp_path / "s", **options)
    found = take(tmp_path / "raw", store.layout, file_format="mediapipe", **options)
    np.testing.assert_array_equal(found.positions[0], store.clip(0))
    np.testing.assert_array_equal(found.tracks[0], store.tracks(0))
    assert found.names == ["a"]
    if not options:  # rows of an image grow downwards, and the format says so
        np.testing.assert_allclose(found.positions[0][:, 0, 1:, 1], -marks[:, 1:, 1], rtol=1e-6)
    with pytest.raises(ValueError, match="up: these go with the files of a format"):
        take(store.path, store.layout, up="z")


def test_windows_are_clips_of_the_recording(models, recordings):
    model = models["linear"]
    long = np.concatenate(recordings[:4])
    found = model.predict(long, window=20, step=7)
    assert found.stops[-1] == len(long)
    assert set(np.diff(found.starts)[:-1]) == {7}
    expected = model.predict([long[a:b] for a, b in zip(found.starts, found.stops, strict=True)])
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)


def test_all_labels_and_only_they_are_used(run, store, tmp_path):
    kept = [row for label in range(3) for row in np.flatnonzero(store.labels == label)[:4]]
    few = scarce(store, tmp_path / "few.store", kept)
    model = fit(run, few, device="cpu")
    used = model.origin["labels"]
    assert (used["used"], used["labelled"], model.held_out) == (12, 12, None)
    assert model.calibration.clips == 12
    by_hand = SkeletonClassifier(run.path, device="cpu").fit(
        [few.clip(row) for row in kept], few.labels[kept]
    )
    expected = by_hand.predict_proba([few.clip(row) for row in range(len(few))])
    order = np.argsort(kept)  # rows of a store are ascending; the classifier's order changes nothing
    assert order.tolist() == list(range(12))
    np.testing.assert_allclose(model.predict(few).probabilities, expected, atol=1e-5)


def test_a_body_that_is_never_seen_is_none_of_these(models, store):
    empty = np.zeros((20, 1, store.layout.num_joints, 3), np.float32)
    found = models["knn"].predict([empty, store.clip(0)])
    assert found.labels[0] == -1
    assert not found.probabilities[0].any()
    assert found.rows()[0]["class"] == "none of these"


def test_estimators_pickle_whole(run, store, recordings, tmp_path, monkeypatch):
    from sklearn.base import clone

    monkeypatch.chdir(run.path.parent)
    train = store.subjects % 2 == 0
    known = [x for x, kept in zip(recordings, train, strict=True) if kept]
    names = np.array(store.classes)[store.labels]
    classifier = SkeletonClassifier(run.path.name, device="cpu")
    assert clone(classifier).get_params()["head"] == "rbf"
    classifier.fit(known, names[train], groups=store.subjects[train])
    features = SkeletonFeatures(run.path.name, device="cpu")
    expected = classifier.predict(recordings), features.fit(known).transform(recordings)
    data = pickle.dumps((classifier, features, SkeletonFeatures(run.path.name, device="cpu")))
    monkeypatch.chdir(tmp_path)
    opened = pickle.loads(data)  # noqa: S301 (its own)
    for estimator, wanted in zip(opened, (*expected, expected[1]), strict=True):
        method = getattr(estimator, "predict", None) or estimator.transform
        np.testing.assert_array_equal(method(recordings), wanted)
    assert set(expected[0]) <= set(store.classes)
    with pytest.raises(ValueError, match="no head 'svm'; there are linear"):
        SkeletonClassifier(run.path, head="svm").fit(known, names[train])


def test_arrays_of_recordings_of_one_body(models, run, store, tmp_path):
    """A model takes an array (T, M, V, C) for one recording, scikit-learn has samples first."""
    rows = np.arange(0, len(store), 3)
    labels = store.labels[rows]
    array = np.stack([store.clip(row)[:12, 0] for row in rows])
    model = models["linear"]
    np.save(tmp_path / "a.npy", array.swapaxes(0, 1))
    for source in (array.swapaxes(0, 1), tmp_path / "a.npy"):
        with pytest.raises(ValueError, match=r"one body as a list, or as \(N, T, 1, V, C\)"):
            model.predict(source)
    assert len(model.predict(array[:, :, None])) == len(model.predict(list(array))) == len(rows)
    classifier = SkeletonClassifier(run.path, head="knn", device="cpu").fit(array, labels)
    expected = SkeletonClassifier(run.path, head="knn", device="cpu").fit(list(array), labels)
    np.testing.assert_array_equal(classifier.predict_proba(array), expected.predict_proba(list(array)))
    assert SkeletonFeatures(run.path, device="cpu").transform(array).shape[0] == len(rows)
    with pytest.raises(ValueError, match="got 1 recording and 12 classes"):
        classifier.fit(array[0], labels[:12])


def test_commands(run, store, tmp_path, capsys):
    model = tmp_path / "model"
    status, output = skel(capsys, "fit", run.path, store.path, "--out", model, "--labels", "train")
    assert status == 0, output.err
    assert "12 labels used (listed), 12 held out to test, 24 not used; 0 of 48 clips have none" in output.out
    assert "on the 12 test clips of split listed" in output.out
    status, output = skel(capsys, "predict", model, store.path, "--top", "2", "--json")
    rows = json.loads(output.out)
    assert (status, len(rows)) == (0, 48)
    assert list(rows[0])[3:] == [
        "class",
        "probability",
        "class_1",
        "probability_1",
        "class_2",
        "probability_2",
    ]
    for suffix in ("csv", "json"):
        file = tmp_path / f"found.{suffix}"
        assert skel(capsys, "predict", model, store.path, "--out", file)[0] == 0
    assert len((tmp_path / "found.csv").read_text().splitlines()) == 49
    assert json.loads((tmp_path / "found.json").read_text())[0]["name"] == store.names[0]
    status, output = skel(capsys, "predict", model, store.path, "--window", "8")
    assert (status, "start" in output.out) == (0, True)


def test_parquet(models, store, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    models["linear"].predict(store).save(tmp_path / "found.parquet", top=2)
    assert parquet.read_table(tmp_path / "found.parquet").num_rows == len(store)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "MODEL", "nowhere"], "no store, file or folder at nowhere"),
        (["predict", "nowhere", "STORE"], "no model at nowhere"),
        (["predict", "RUN", "STORE"], "make a model of it with skel fit"),
        (["predict", "STORE", "STORE"], "is not a model"),
        (
            ["predict", "MODEL", "STORE", "--out", "found.txt"],
            "expected a .csv or .json or .parquet file, got found.txt",
        ),
        (["predict", "MODEL", "STORE", "--out", "no/found.csv"], "there is no folder no"),
        (["predict", "MODEL", "STORE", "--step", "4"], "a step goes with a window"),
        (["predict", "MODEL", "STORE", "--top", "0"], "--top must be 1 or more"),
        (["predict", "MODEL", "RUN"], "name its format"),
        (["predict", "MODEL", "RUN", "--format", "bvh"], "no .bvh file for format bvh"),
        (["fit", "RUN", "STORE", "--out", "MODEL"], "exists already"),
        (["fit", "RUN", "STORE", "--out", "no/model"], "there is no folder no"),
        (["fit", "RUN", "STORE", "--out", "new", "--split", "xsub"], 'goes with labels="train"'),
        (["fit", "RUN", "STORE", "--out", "new", "--fps", "0"], "fps must be above 0"),
        (["fit", "RUN", "STORE", "--out", "new", "--stream", "bone"], "no stream 'bone'"),
    ],
)
def test_errors(folder, run, store, tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    paths = {"MODEL": folder, "RUN": run.path, "STORE": store.path}
    status, output = skel(capsys, *(paths.get(word, word) for word in words))
    assert (status, message in output.err) == (1, True), output.err
    assert not list(tmp_path.iterdir())


def test_an_array_in_a_file_has_the_joints_that_are_named(models, store, tmp_path):
    model, other = models["linear"], get_layout("kinect-20")
    there = convert(store.clip(3), store.layout, other, most_parents=1)
    np.save(tmp_path / "x.npy", there)
    found = model.predict(tmp_path / "x.npy", file_layout="kinect-20", convert=True)
    back = model.predict([convert(there, other, store.layout)])
    np.testing.assert_array_equal(found.probabilities, back.probabilities)
    with pytest.raises(ValueError, match="the source has 'kinect-20'"):
        model.predict(tmp_path / "x.npy", file_layout="kinect-20")
    with pytest.raises(ValueError, match="is a store, which names its joints: it takes no layout"):
        model.predict(store.path, file_layout="kinect-20")


def test_what_does_not_fit_is_refused(models, run, store, tmp_path):
    model = models["linear"]
    with pytest.raises(ValueError, match=r"a recording must be \(T, V, C\).*got \(10, 17, 3\)"):
        model.predict(np.zeros((10, 17, 3)))
    with pytest.raises(ValueError, match="no recording"):
        model.predict([])
    for options in ({"file_format": "npz"}, {"up": "z"}):
        with pytest.raises(ValueError, match="settings of an import go with a path, not with Store"):
            model.predict(store, **options)
    layout = get_layout("coco-17")
    other = write_store(
        tmp_path / "coco.store",
        [Clip(np.ones((9, 1, 17, layout.channels), np.float32), "a")],
        evolve(store.info, layout=layout),
        source="test",
    )
    with pytest.raises(ValueError, match=r"the source has 'coco-17' .*--convert brings them together"):
        model.predict(other)
    unlabelled = scarce(store, tmp_path / "none.store", [])
    with pytest.raises(ValueError, match="labelled clips of two classes or more, there are 0 labelled clips"):
        fit(run, unlabelled)
    with pytest.raises(ValueError, match="no head 'tree'; there are linear"):
        fit(run, store, head="tree")


def _edited(folder, target, **changes):
    """A copy of a model whose JSON says other things."""
    import shutil

    shutil.copytree(folder, target)
    facts = json.loads((target / "model.json").read_text())
    (target / "model.json").write_text(json.dumps(facts | changes))
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 9}, "model of version 9; this skel-recipes .* reads up to 3: install the release"),
        ({"format": "skel-run"}, "its format is 'skel-run'"),
        ({"head": {"name": "os:system", "sha256": ""}}, "head 'os:system' is not known here"),
        ({"head": {"name": "linear", "sha256": "0"}}, "head.safetensors is damaged"),
        ({"version": 1, "crop": 0.95}, "takes windows of another length than this release: fit it again"),
        ({"frames": None}, "damaged model"),
        ({"pipeline": {"name": "os:system", "version": 1, "settings": {}}}, "os:system"),
        (
            {"pipeline": {"name": "default", "version": 9, "settings": {}}},
            "needs version 9 of pipeline default",
        ),
        ({"pipeline": {"name": "default", "version": 1, "settings": {"frame": 3}}}, "damaged model"),
    ],
)
def test_damaged_and_foreign_models_are_refused(folder, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_model(_edited(folder, tmp_path / "edited", **changes))


def test_a_model_without_its_encoder_is_refused(folder, tmp_path):
    path = _edited(folder, tmp_path / "edited")
    (path / "encoder-joint" / "encoder.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)


def test_nothing_is_left_of_a_model_that_could_not_be_written(models, tmp_path, monkeypatch):
    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr("skel_recipes.model.files.save_pretrained", fails)
    with pytest.raises(OSError, match="disk full"):
        models["linear"].save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_prediction_imports_neither_scikit_learn_nor_a_reader(folder, store, tmp_path):
    np.save(tmp_path / "one.npy", store.clip(0))
    code = (
        "import sys; from skel_recipes.cli import main; "
        f"main(['predict', {str(folder)!r}, {str(tmp_path / 'one.npy')!r}]); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert not [
        name for name in loaded if name.startswith(("sklearn", "scipy", "skel_data.readers.keypoints"))
    ]
