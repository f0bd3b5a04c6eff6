"""The ``skel`` command.

This module stays light: torch is imported by the commands that need it, when they run.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

import tyro
from tyro.conf import DisallowNone, FlagCreatePairsOff, PositionalMetavarFromFieldName
from tyro.extras import SubcommandApp

from skel_recipes.cli.output import NoteHandler, note, say, sentence, standard_output

Commands = dict[str, "Callable[..., None] | Commands"]

_COMMANDS: dict[str, str | dict[str, str]] = {
    "demo": "demo:demo",
    "data": {
        "import": "data:data_import",
        "formats": "data:data_formats",
        "info": "data:data_info",
        "validate": "data:data_validate",
        "leaks": "leaks:data_leaks",
        "merge": "data:data_merge",
        "join": "data:data_join",
        "convert": "data:data_convert",
        "label": "data:data_label",
        "layout": "data:data_layout",
        "synth": "data:data_synth",
    },
    "pretrain": "pretrain:pretrain",
    "recipe": "pretrain:recipe",
    "eval": {"fuse": "evaluate:eval_fuse"},
    "report": "results:report",
    "compare": "results:compare",
    "table": "results:table",
    "embed": "embed:embed",
    "fit": "model:fit",
    "predict": "model:predict",
    "cluster": "few_labels:cluster",
    "label": "few_labels:label",
    "export": "export:export",
    "convert-checkpoint": "export:convert_checkpoint",
    "show": "show:show",
    "list": "parts:list_parts",
}


def _function(path: str) -> Callable[..., None]:
    module, _, name = path.partition(":")
    function: Callable[..., None] = getattr(import_module(f"skel_recipes.cli.{module}"), name)
    return function


def _commands(words: Sequence[str]) -> Commands:
    """The command that the words name, or all: only what is run is imported."""
    commands: Commands = {}
    for name in [word for word in words[:1] if word in _COMMANDS] or _COMMANDS:
        path = _COMMANDS[name]
        if isinstance(path, str):
            commands[name] = _function(path)
            continue
        group: Commands = {inner: _function(one) for inner, one in path.items()}
        if name == "eval":
            from skel_recipes.cli.evaluate import protocol_commands

            group = {**protocol_commands(words), **group}
        commands[name] = group
    return commands


_HELP = {"data": "Make stores of recordings, and look at them.", "eval": "Evaluate the encoder of a run."}


def _app(commands: Commands) -> SubcommandApp:
    app = SubcommandApp()
    for name, command in commands.items():
        if isinstance(command, dict):
            app.command(_app(command), name=name, help=_HELP[name])
        else:
            app.command(name=name)(command)
    return app


def _check_command(words: Sequence[str], commands: Commands) -> None:
    """Answer a wrong command with the nearest right one.

    Raises:
        SystemExit: If there is no such command.
    """
    path = "skel"
    for word in words:
        if word.startswith("-"):
            return
        if word not in commands:
            near = get_close_matches(word, commands, 1)
            meant = f"did you mean {near[0]}? There are" if near else "there are"
            note(f"{path}: no command {word!r}; {meant} {', '.join(commands)}")
            raise SystemExit(2)
        inner = commands[word]
        if not isinstance(inner, dict):
            return
        path, commands = f"{path} {word}", inner


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = list(sys.argv[1:] if args is None else args)
    if sys.stdout is None:
        note("skel: standard output is closed; send it to a file, or to /dev/null")
        return 1
    _prepare_output()
    try:
        if words[:1] == ["--version"]:
            say(f"skel {version('skel-recipes')}")
            return 0
        words = recipe_keys_as_settings(import_modules(words))
        if words[:1] == ["pretrain"] and not {"-h", "--help"}.isdisjoint(words):
            from skel_recipes.cli.pretrain import settings_help

            settings_help(words[1:])
        commands = _commands(words)
        _check_command(words, commands)
        _app(commands).cli(
            prog="skel",
            description="Self-supervised skeleton-based action recognition. "
            "--import MODULE, with any command, imports your module, so that the command knows its parts; "
            "--version prints the version.",
            args=words,
            config=(DisallowNone, FlagCreatePairsOff, PositionalMetavarFromFieldName),
        )
        with standard_output():
            sys.stdout.flush()
    except KeyboardInterrupt:
        note("skel: interrupted")
        return 130
    except BrokenPipeError:  # whoever read the output, such as head, has seen enough
        return 141
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        # A user can fix these: one sentence. Anything else keeps its traceback.
        note(f"skel: {sentence(error)}")
        return 1
    return 0


def command() -> NoReturn:
    """The ``skel`` command: `main`, and the end of its process."""
    status = main()
    if status and "torch" in sys.modules:
        from skel_recipes.common.device import launched_processes

        if launched_processes() > 1:
            # Threads of gloo may still hold tensors of a step that failed. Freeing them while the interpreter
            # is taken down aborts the process, so end it without taking the interpreter down.
            for stream in filter(None, (sys.stdout, sys.stderr)):
                with suppress(OSError):
                    stream.flush()
            os._exit(status)
    sys.exit(status)


def _prepare_output() -> None:
    """Escape what the terminal cannot show, turn warnings into notes, and follow NO_COLOR."""
    if os.environ.get("NO_COLOR"):
        tyro._experimental_options["ansi_codes"] = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for name in ("skel_data", "skel_recipes", "skel_eval"):
        logger = logging.getLogger(name)
        if not any(isinstance(handler, NoteHandler) for handler in logger.handlers):
            logger.addHandler(NoteHandler())


def import_modules(words: Sequence[str]) -> list[str]:
    """Import the modules that the command line names, and leave their flags out.

    They are named by ``--import MODULE``, or by a part ``module:Name`` that is typed where a part is
    expected. A part that only a file names, such as a recipe of somebody else's, is never imported.

    Raises:
        ValueError: If a flag has no value.
        ImportError: If there is no such module.
    """
    left: list[str] = []
    modules: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--import" or word.startswith("--import="):
            module = word.partition("=")[2] or next(rest, "")
            if not module:
                raise ValueError("--import expects the name of a module")
            modules.append(module)
        else:
            left.append(word)
    modules += [module for part in _typed_parts(left) if (module := part.partition(":")[0]) != part]
    if modules and str(Path.cwd()) not in sys.path:  # as python -m does
        sys.path.append(str(Path.cwd()))
    for module in modules:
        import_module(module)
    return left


def _typed_parts(words: Sequence[str]) -> list[str]:
    """The words of the command line that name a part: a reader, protocol, encoder, method, pipeline."""
    named: list[str] = []
    flags = ("--format", "--pipeline", "--view", "--method.name", "--encoder.name", "--data.pipeline.name")
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in flags:
            named.append(value if equals else "".join(words[place + 1 : place + 2]))
    if list(words[:2]) == ["data", "import"] or words[:1] in (["eval"], ["convert-checkpoint"]):
        named += [word for word in words[1:4] if ":" in word and not word.startswith("-")][:1]
    return named


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
