"""Pretraining on a pool of data sets."""

import threading
import time

import pytest
from attrs import evolve

import skel_data
from skel_data import Store, SynthSettings, get_layout, pool_stores, synth_store, write_store
from skel_data.store._derive import clips_of
from skel_recipes import Run, evaluate, load_recipe, pretrain
from skel_recipes.cli.app import main
from skel_recipes.cli.pretrain import _pool
from skel_recipes.train import trainer


@pytest.fixture
def sets(tmp_path):
    """Folders of a store of 25 joints and one of 20."""
    few = {"classes": 2, "subjects": 2, "cameras": 1, "repetitions": 2}
    for name, layout in (("a", "ntu-25"), ("b", "kinect-20")):
        synth_store(tmp_path / f"{name}.store", SynthSettings(layout=get_layout(layout), **few))
    return [str(tmp_path / f"{name}.store") for name in "ab"]


SMALL = ("--data.pipeline.frames", "16", "--train.batch_size", "4", "--train.epochs", "1")


def test_one_command_pretrains_on_sets_of_other_joints(sets, tmp_path, capsys, monkeypatch):
    batches = []
    order = trainer.epoch_order
    monkeypatch.setattr(
        trainer, "epoch_order", lambda *args, **kw: batches.append(order(*args, **kw)) or batches[-1]
    )
    out = str(tmp_path / "run")
    words = ["pretrain", "compact", sets[1], sets[0], "--out", out, "--split", "all", *SMALL]
    assert main(words) == 0
    pool, run = Store.open(f"{out}.store"), Run.open(out)
    assert pool.layout.name == "kinect-20"
    assert run.recipe.data.batches_of == "setup"
    (one,) = batches
    assert len(one) == len(pool) // 4
    assert all(len(set(pool.setups[rows])) == 1 for rows in one)
    assert "setup 2 is synth" in capsys.readouterr().err
    # a pool that is there is taken up, another one is not replaced
    words[words.index(out)] = str(tmp_path / "again")
    (tmp_path / "run.store").rename(tmp_path / "again.store")
    assert main(words) == 0
    words[2:4] = sets
    (tmp_path / "again.store").rename(tmp_path / "third.store")
    words[words.index(str(tmp_path / "again"))] = str(tmp_path / "third")
    assert main(words) == 1
    assert "is not the pool of these stores" in capsys.readouterr().err
    # it is evaluated on a set by its joints
    assert main(["eval", "knn", out, sets[0], "--convert"]) == 0


def test_a_setup_that_fills_no_batch_is_refused_before_anything_is_made(sets, tmp_path):
    stores = [Store.open(path) for path in reversed(sets)]
    pool = pool_stores(stores, tmp_path / "pool.store", split="all")
    size = {"data.batches_of": "setup", "train.batch_size": len(pool), "data.pipeline.frames": 16}
    with pytest.raises(ValueError, match=r"batches_of is setup, but setup 1 of .* has 8 training clips, few"):
        pretrain(load_recipe("compact", size), pool, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setups", "message"),
    [
        ((-1, -1), "but .* has 0 setups, unknown for 8 clips"),
        ((1, -1), "but .* has 1 setup, unknown for 4 clips"),
        ((1, 1), "two known setups or more, but .* has 1 setup$"),
    ],
)
def test_batches_of_setups_that_are_not_known_are_refused(sets, tmp_path, setups, message):
    one = Store.open(sets[0])
    clips = (evolve(clip, setup=setups[row % 2]) for row, clip in enumerate(clips_of(one)))
    store = write_store(tmp_path / "s.store", clips, one.info, source="made")
    recipe = load_recipe("compact", {"data.batches_of": "setup", "data.pipeline.frames": 16})
    with pytest.raises(ValueError, match=message):
        pretrain(recipe, store, tmp_path / "run", split="all")
    assert not (tmp_path / "run").exists()


def test_a_pool_that_fills_no_batch_is_not_written(sets, tmp_path, capsys):
    words = ["pretrain", "compact", *sets, "--split", "all", "--out", str(tmp_path / "run")]
    assert main([*words, "--train.batch_size", "9", "--data.pipeline.frames", "16"]) == 1
    assert "setup 1 of the pool has 8 training clips, fewer than the 9 of a batch" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("run")]


def test_a_pool_is_not_written_where_the_run_is_not_free(sets, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    words = ["pretrain", "compact", *sets, "--split", "all", "--out", str(tmp_path / "run"), *SMALL]
    assert main(words) == 1
    assert f"{tmp_path / 'run'} exists already" in capsys.readouterr().err
    assert not (tmp_path / "run.store").exists()


def test_of_several_processes_one_writes_the_pool(sets, tmp_path, monkeypatch):
    stores, settings, out = [Store.open(path) for path in sets], load_recipe("compact"), tmp_path / "run"
    settings = evolve(settings, train=evolve(settings.train, batch_size=4))
    together, written, pools = threading.Barrier(2, timeout=60), [], []

    def pooled(*args, **options):
        written.append(1)
        time.sleep(0.5)  # the other one comes meanwhile
        return pool_stores(*args, **options)

    def start():
        together.wait()
        pools.append(_pool(stores, out, settings, "all"))

    monkeypatch.setattr(skel_data, "pool_stores", pooled)
    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert written == [1]
    assert [len(pool) for pool in pools] == [16, 16]
    assert not list(tmp_path.glob(".run*"))


def test_clips_of_a_pool_in_other_units_count_as_seen(sets, tmp_path):
    metres = Store.open(sets[0])
    scaled = (evolve(clip, positions=clip.positions * 900) for clip in clips_of(metres))
    info = evolve(metres.info, units="millimetres", dataset="other")
    other = write_store(tmp_path / "mm.store", scaled, info, source="made")
    pool = pool_stores([metres, other], tmp_path / "pool.store", split="all")
    settings = load_recipe("compact", {"data.pipeline.frames": 16, "train.batch_size": 8, "train.epochs": 1})
    run = pretrain(settings, pool, tmp_path / "run", device="cpu")
    for store in (metres, other):
        counts = evaluate(run, store, "knn", device="cpu").counts
        assert counts["seen_in_pretraining"] == counts["test"] > 0


def test_a_pool_takes_the_split_of_the_recipe(sets, tmp_path):
    out = tmp_path / "run"
    words = ["pretrain", "compact", *sets, "--out", str(out), "--data.split", "all", *SMALL]
    assert main(words) == 0
    assert Run.open(out).info["train_clips"] == sum(len(Store.open(path)) for path in sets)


def test_balance_needs_batches_of_one_setup(sets, tmp_path):
    balanced = load_recipe("compact", {"data.balance": 1.0, "data.pipeline.frames": 16})
    with pytest.raises(ValueError, match="data.balance 1 goes with data.batches_of setup, got any"):
        pretrain(balanced, Store.open(sets[0]), tmp_path / "run")
    assert not (tmp_path / "run").exists()
