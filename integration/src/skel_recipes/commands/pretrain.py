"""``skel pretrain`` and ``skel recipe``."""

from pathlib import Path
from typing import Annotated

import tyro

from skel_recipes.commands._say import note, say


def pretrain(
    recipe: Annotated[str | None, tyro.conf.Positional] = None,
    store: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    split: str | None = None,
    device: str = "auto",
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),  # noqa: A002 (the flag's name)
) -> None:
    """Pretrain an encoder on the training clips of a store, without their labels.

    Any setting of the recipe can be given as a flag with its dotted key: --train.epochs 30.

    Args:
        recipe: Name of a recipe, or a TOML file; "skel recipe" lists and prints them.
        store: A store made by "skel data import" or "skel data synth".
        out: Folder of the run, to be made.
        resume: Go on with this interrupted run instead.
        split: Whose training part is used; the store's default unless given.
        device: cpu, cuda, cuda:1, or auto.
        set: A setting of the recipe, KEY=VALUE; --KEY VALUE is short for it.
    """
    from skel_data import Store
    from skel_recipes import _trainer
    from skel_recipes._recipe import load_recipe, parse_value

    if resume is not None:
        if recipe or store or out or set or split:
            raise ValueError(
                "--resume takes nothing but --device: recipe, store and split are those of the run"
            )
        run = _trainer.resume(resume, device=device, progress=True)
    else:
        if recipe is None or store is None or out is None:
            raise ValueError("expected: skel pretrain RECIPE STORE --out RUN, or: skel pretrain --resume RUN")
        overrides = {}
        for setting in set:
            key, equals, value = setting.partition("=")
            if not equals:
                raise ValueError(f"--set expects KEY=VALUE, got {setting!r}")
            overrides[key] = parse_value(value)
        settings, opened = load_recipe(recipe, overrides), Store.open(store)
        try:
            run = _trainer.pretrain(settings, opened, out, split=split, device=device, progress=True)
        except KeyboardInterrupt:
            if out.exists():
                note(f"go on with: skel pretrain --resume {out}")
            raise
    note(f"finished: {run.path}; next: skel eval linear {run.path} {run.facts['store']['path']}")


def recipe(name: Annotated[str | None, tyro.conf.Positional] = None, /) -> None:
    """List the recipes, or print one with every setting resolved.

    Args:
        name: Name of a recipe, or a TOML file.
    """
    from skel_recipes._recipe import dump_recipe, load_recipe, recipe_names

    if name is not None:
        say(dump_recipe(load_recipe(name)))
        return
    names = recipe_names()
    width = max(map(len, names)) + 2
    for known in sorted(names, key=lambda name: ("/" in name, name)):
        say(f"{known:{width}}{load_recipe(known).summary}")
