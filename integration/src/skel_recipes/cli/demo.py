"""``skel demo``: every step once, on synthetic data."""

from pathlib import Path


def demo(*, out: Path = Path("skel-demo"), seed: int = 0, epochs: int = 200) -> None:
    """Make synthetic recordings, pretrain, evaluate with baselines, write a report.

    Example: skel demo

    Args:
        out: Folder to be made; it will hold the store and the run.
        seed: Seed of the recordings and the training.
        epochs: Length of the pretraining.
    """
    from skel_data import SynthSettings, synth_store
    from skel_recipes.cli.evaluate import result_table
    from skel_recipes.cli.output import say
    from skel_recipes.common.words import count
    from skel_recipes.config.recipe import load_recipe
    from skel_recipes.evaluate.evaluate import evaluate
    from skel_recipes.evaluate.report import report
    from skel_recipes.train.pretrain import pretrain

    if out.exists():
        raise FileExistsError(f"{out} exists already; name another folder with --out")
    out.mkdir(parents=True)
    say("1. Synthetic recordings: subjects and viewpoints of the test part are new to the training part.")
    store = synth_store(out / "synth.store", SynthSettings(seed=seed))
    say(f"   {count(len(store), 'clip')} of {count(len(store.classes), 'action')} in {store.path}")
    say("2. Pretraining without labels: recipe compact, shortened.")
    recipe = load_recipe("compact", {"train.epochs": epochs, "train.min_steps": 0, "train.seed": seed})
    run = pretrain(recipe, store, out / "run", progress=True)
    say(f"   loss {run.metrics()[0]['loss']:.2f} to {run.metrics()[-1]['loss']:.2f} in {run.path}")
    say("3. Evaluation of the frozen encoder, with baselines.\n")
    for protocol in ("linear", "knn"):
        say(result_table(evaluate(run, store, protocol)) + "\n")
    say(f"Report: {report(run, store)}")
