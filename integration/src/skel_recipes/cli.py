"""The ``skel`` command.

This module stays light: torch is imported by the commands that need it, when they run.
"""

import os
import sys
from collections.abc import Sequence

from tyro.conf import DisallowNone, FlagCreatePairsOff, PositionalMetavarFromFieldName
from tyro.extras import SubcommandApp

from skel_recipes.commands.bench import bench
from skel_recipes.commands.compare import compare
from skel_recipes.commands.data import (
    data_convert,
    data_formats,
    data_import,
    data_info,
    data_leaks,
    data_merge,
    data_synth,
    data_validate,
)
from skel_recipes.commands.demo import demo
from skel_recipes.commands.embed import embed
from skel_recipes.commands.evaluate import (
    eval_clustering,
    eval_few_shot,
    eval_fuse,
    eval_knn,
    eval_linear,
    eval_mlp,
    eval_retrieval,
    eval_robust,
)
from skel_recipes.commands.export import convert_checkpoint, export
from skel_recipes.commands.pretrain import pretrain, recipe
from skel_recipes.commands.show import show
from skel_recipes.commands.table import table
from skel_recipes.commands.tune import eval_finetune, eval_semi, eval_transfer


def _app() -> SubcommandApp:
    data = SubcommandApp()
    data.command(name="import")(data_import)
    data.command(name="formats")(data_formats)
    data.command(name="info")(data_info)
    data.command(name="validate")(data_validate)
    data.command(name="leaks")(data_leaks)
    data.command(name="merge")(data_merge)
    data.command(name="convert")(data_convert)
    data.command(name="synth")(data_synth)
    evaluation = SubcommandApp()
    evaluation.command(name="linear")(eval_linear)
    evaluation.command(name="mlp")(eval_mlp)
    evaluation.command(name="knn")(eval_knn)
    evaluation.command(name="retrieval")(eval_retrieval)
    evaluation.command(name="few-shot")(eval_few_shot)
    evaluation.command(name="clustering")(eval_clustering)
    evaluation.command(name="finetune")(eval_finetune)
    evaluation.command(name="semi")(eval_semi)
    evaluation.command(name="transfer")(eval_transfer)
    evaluation.command(name="robust")(eval_robust)
    evaluation.command(name="fuse")(eval_fuse)
    app = SubcommandApp()
    app.command(demo)
    app.command(data, name="data", help="Make and look at stores of recordings.")
    app.command(pretrain)
    app.command(recipe)
    app.command(evaluation, name="eval", help="Evaluate the encoder of a run.")
    app.command(embed)
    app.command(export)
    app.command(name="convert-checkpoint")(convert_checkpoint)
    app.command(compare)
    app.command(table)
    app.command(show)
    app.command(bench)
    return app


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    try:
        _app().cli(
            prog="skel",
            description="Self-supervised skeleton-based action recognition.",
            args=recipe_keys_as_settings(sys.argv[1:] if args is None else args),
            config=(DisallowNone, FlagCreatePairsOff, PositionalMetavarFromFieldName),
        )
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("skel: interrupted\n")
        return 130
    except BrokenPipeError:  # whoever read the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to fail at exit
        return 141
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        # What a user can mend is told in a sentence; anything else keeps its traceback.
        sys.stderr.write(f"skel: {error}\n")
        return 1
    return 0


def recipe_keys_as_settings(words: Sequence[str]) -> list[str]:
    """Spell ``--optim.lr 0.1`` as ``--set optim.lr=0.1``: flags with a dot are keys of the recipe."""
    spelled: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not (name.startswith("--") and "." in name):
            spelled.append(word)
            continue
        if not equals:
            value = next(rest, "--")
            if value.startswith("--"):
                raise ValueError(f"{name} expects a value")
        spelled += ["--set", f"{name.removeprefix('--')}={value}"]
    return spelled
