"""``skel pretrain`` and ``skel recipe``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from skel_recipes.cli.output import note, say, table

if TYPE_CHECKING:
    from skel_data import Store
    from skel_recipes.config.recipe import Recipe


def pretrain(
    recipe: Annotated[str | None, tyro.conf.Positional] = None,
    stores: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    strict: bool = False,
    init: Path | None = None,
    init_layers: tuple[str, ...] = (),
    convert: bool = False,
    split: str | None = None,
    device: str = "auto",
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),  # noqa: A002 (the flag's name)
) -> None:
    """Pretrain an encoder on the training clips of a store, without their labels.

    Any setting of the recipe can be given as a flag with its dotted key: --train.epochs 30. "skel pretrain
    RECIPE --help" lists them.

    Example: skel pretrain compact utd.store --out run

    Args:
        recipe: Name of a recipe, or a TOML file; "skel recipe" lists and prints them.
        stores: A store made by "skel data import" or "skel data synth". Of several, a pool of their training
            clips is written next to the run, in the joints of the first; each batch is then of one of them.
        out: Folder of the run, to be made.
        resume: Continue this interrupted run instead.
        strict: With --resume: refuse other library versions, threads, processes or another processor than the
            run began with, as the bits of the weights may differ.
        init: Begin with the weights of this finished run, or of this folder of an encoder; what is not
            loaded is listed. The methods nnclr and crrl take encoder, pipeline and stream from it as well.
        init_layers: Load these layers only, such as blocks.0 blocks.1; patterns are taken too.
        convert: Convert recordings with other joints to those of --init, by the names of the joints.
        split: Split whose training part is used. By default the store's default split.
        device: cpu, cuda, cuda:1, or auto.
        set: A setting of the recipe, KEY=VALUE; --KEY VALUE is short for it.
    """
    if resume is not None:
        if recipe or stores or out or set or split or init or init_layers or convert:
            raise ValueError(
                "--resume takes only --device and --strict: recipe, store and split are those of the run. "
                "Begin with its weights and other settings by: "
                f"skel pretrain RECIPE STORE --init {resume} --out RUN"
            )
        from skel_recipes.train import pretrain as training

        run = training.resume(resume, device=device, strict=strict, progress=True)
    else:
        if recipe is None or not stores or out is None:
            raise ValueError("expected: skel pretrain RECIPE STORE --out RUN, or: skel pretrain --resume RUN")
        from skel_recipes.config.library import parse_settings, read_recipe

        overrides = parse_settings(set)

        from skel_data import Store
        from skel_recipes.config.recipe import load_recipe
        from skel_recipes.run.run import Run
        from skel_recipes.train import pretrain as training

        if len(stores) > 1 and "batches_of" not in read_recipe(recipe).get("data", {}):
            overrides.setdefault("data.batches_of", "setup")
        settings, opened = load_recipe(recipe, overrides), Store.open(stores[0])
        if len(stores) > 1:
            opened = _pool([opened, *map(Store.open, stores[1:])], out, settings, split)
            split = "listed"  # the pool has training clips alone
        begin = None if init is None else Run.open(init)
        if begin is not None and getattr(settings.method, "tunes", False):
            from skel_recipes.run.init import tuned_settings

            taken = tuned_settings(begin.recipe, overrides, frames=settings.data.frames)
            settings = load_recipe(recipe, {**taken, **overrides})
            note(f"taken from {begin.path}: {', '.join(taken)}")
        try:
            run = training.pretrain(
                settings,
                opened,
                out,
                split=split,
                init=begin,
                init_layers=init_layers,
                convert=convert,
                device=device,
                progress=True,
            )
        except KeyboardInterrupt:
            if out.exists():
                note(f"go on with: skel pretrain --resume {out}")
            raise
    note(f"finished: {run.path}; next: skel eval linear {run.path} {run.info['store']['path']}")


def _pool(stores: Sequence["Store"], out: Path, settings: "Recipe", split: str | None) -> "Store":
    """The pool of several stores, beside the run; that of an earlier call or another process is taken up."""
    import numpy as np

    from skel_data import Store, get_split, pool_source, pool_stores
    from skel_data.files import hold
    from skel_recipes.common.device import launched_processes
    from skel_recipes.run.run import check_new
    from skel_recipes.train.trainer import setups_of

    check_new(out)
    path, split = out.with_name(f"{out.name}.store"), split or settings.data.split or None
    sizes = [len(get_split(store, split, needs_test=False).train) for store in stores]
    setups = np.arange(1, len(stores) + 1).repeat(sizes)
    setups_of(settings, setups, "the pool", launched_processes())  # before it is written
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # torchrun starts several processes at once
        with hold(out.with_name(f".{out.name}.pool.lock"), path, wait=True):
            if not path.exists():
                pool_stores(stores, path, split=split)
    pool = Store.open(path)
    if pool.header["source"] != pool_source(stores, split):
        raise FileExistsError(f"{path} exists already, and is not the pool of these stores")
    note(f"pool of {len(pool)} training clips: {path}; {'; '.join(pool.notes)}")
    return pool


def recipe(name: Annotated[str | None, tyro.conf.Positional] = None, /, *, full: bool = False) -> None:
    """List the recipes, or print one, merged with its base.

    Example: skel recipe compact

    Args:
        name: Name of a recipe, or a TOML file.
        full: Print every setting, also those with their default.
    """
    if name is None:
        from skel_recipes.cli.parts import summaries

        say(table(summaries("recipes"), right=()))
    elif full:
        from skel_recipes.config.recipe import dump_recipe, load_recipe

        say(dump_recipe(load_recipe(name)))
    else:
        import tomli_w

        from skel_recipes.config.library import read_recipe

        say(tomli_w.dumps(read_recipe(name)))


def settings_help(words: Sequence[str]) -> None:
    """Print the settings of the recipe that the words of ``skel pretrain`` name, if they name one."""
    name = next((word for word in words if not word.startswith("-")), None)
    if name is None:
        return
    from skel_recipes.config.recipe import flat_recipe, load_recipe

    chosen = load_recipe(name)
    say(f"Settings of the recipe {chosen.name}, and their values:")
    hidden = ("name", "summary", "evaluation")
    values = {key: value for key, value in flat_recipe(chosen).items() if not key.startswith("published")}
    say(table([(f"  --{key}", value) for key, value in values.items() if key not in hidden], right=()))
    say("")
