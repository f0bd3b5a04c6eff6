"""Start of a pretraining and its resume: what does not fit is refused before there is a folder."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from skel_augment import View
from skel_data import ClipShape, SkeletonLayout, Split, Store, get_layout, get_split
from skel_data.files import Lock
from skel_recipes.common.device import World, joined
from skel_recipes.common.words import count
from skel_recipes.config.recipe import Recipe, settings_but_seed
from skel_recipes.methods import METHODS
from skel_recipes.methods.context import MethodContext, views_of
from skel_recipes.run.init import match_weights
from skel_recipes.run.joints import in_joints_of
from skel_recipes.run.run import Run, build_encoders, check_new, clip_shape, hold_run
from skel_recipes.train.optim import check_layers
from skel_recipes.train.trainer import Trainer, build_method, partners_of_recipe, setups_of, summary_writer

_LOGGER = logging.getLogger("skel_recipes")


def pretrain(
    recipe: Recipe,
    store: Store,
    out: str | Path,
    *,
    split: str | None = None,
    init: Run | None = None,
    init_layers: Sequence[str] = (),
    convert: bool = False,
    device: str = "auto",
    progress: bool = False,
) -> Run:
    """Pretrain an encoder on the training clips of a store, without their labels.

    Args:
        recipe: All settings.
        store: The recordings.
        out: Folder of the run, to be made.
        split: Whose training part is used; the recipe's, or else the store's default, unless given.
        init: A finished run, or an encoder folder, whose weights the encoder begins with, as far as they
            have the name and shape of its own; ``run.json`` lists those that were loaded and those that
            were not.
        init_layers: The layers to load, such as ``blocks.0``; all if empty. Patterns are taken too.
        convert: Bring recordings with other joints to those of `init`; they are kept in the run's folder.
        device: cpu, cuda, cuda:1, ... or auto. Under `torchrun` each process takes the GPU of its rank.
        progress: Show a progress bar.

    Returns:
        The finished run.

    Raises:
        FileExistsError: If the folder is in use.
        ValueError: If the store is too small, the views do not fit what the encoder sees, positives are to
            come from other recordings that the store does not tell, or `init` has another encoder or other
            joints.
        FloatingPointError: If a loss is not finite; the run can be resumed from its last checkpoint.
    """
    if init_layers and init is None:
        raise ValueError("init_layers chooses among the layers of init: give that too")
    if convert and init is None:
        raise ValueError("convert brings recordings to the joints of init: give init too, or drop convert")
    if init is None and getattr(recipe.method, "needs_init", False):
        name = METHODS.name_of(type(recipe.method))
        raise ValueError(f"method {name} learns from the encoder of a finished run: give one with --init RUN")
    if recipe.train.tensorboard:
        summary_writer()  # a missing extra is reported before the folder is made
    _check_views(recipe, store.layout if init is None else init.layout)
    with joined(device) as (world, where):
        chosen = get_split(store, split or recipe.data.split or None, needs_test=False)
        if len(chosen.train) < 2:
            raise ValueError(
                f"split {chosen.name!r} of {store.path} has {count(len(chosen.train), 'training clip')}"
            )
        setups_of(recipe, store.setups[chosen.train], store.path, world.size)
        if init is not None:
            given, start = store, init
            path = world.on_rank0(lambda: in_joints_of(start, given, convert=convert).path)
            if path != store.path:
                store = Store.open(path)
                chosen = get_split(store, chosen.name, needs_test=False)
        partners = partners_of_recipe(recipe, store, chosen.train)
        about = {} if partners is None else {"positives": partners.info}
        about["compute"] = _compute_facts(world.size, where)
        path = Path(out)
        world.on_rank0(lambda: check_new(path))
        with _held(path, world) as lock:
            run = world.on_rank0(lambda: _create(path, recipe, store, chosen, init, init_layers, about))
            return Trainer(run, store, world, where, lock).fit(progress=progress)


def _create(
    out: Path,
    recipe: Recipe,
    store: Store,
    split: Split,
    init: Run | None,
    layers: Sequence[str],
    about: Mapping[str, Any],
) -> Run:
    """The folder of a new run, with its initial weights."""
    shape, clips = clip_shape(recipe, store), len(split.train)
    check_layers(recipe, shape)
    build_method(recipe, MethodContext(shape, recipe.data.stream, clips))  # what it refuses leaves no folder
    create = partial(Run.create, out, recipe, store, split.name, clips, **about)
    if init is None:
        return create()
    new = build_encoders(recipe, shape)
    sources = {stream: init.encoder(stream) for stream in init.streams}
    origin = {key: init.info[key] for key in ("store", "split", "init") if key in init.info}
    origin["recipe"] = {"name": init.recipe.name, **settings_but_seed(init.recipe)}
    return create(start=match_weights(new, sources, init.path, layers, origin))


def resume(path: str | Path, *, device: str = "auto", strict: bool = False, progress: bool = False) -> Run:
    """Go on with a run that was interrupted, from its last checkpoint.

    Args:
        path: The folder.
        device: As for `pretrain`.
        strict: Refuse to go on with other library versions, threads, processes or another processor than the
            run began with, as the bits of the weights may differ; otherwise this is only said.
        progress: Show a progress bar.

    Raises:
        ValueError: If the store is not the one that the run began with, the last two checkpoints are damaged,
            or with `strict` something differs.
        InUseError: If another process trains the run.
    """
    run = Run.open(path)
    if run.finished:
        with suppress(OSError), hold_run(run.path):  # a process killed at its end may have left its lock
            pass
        return run
    store = run.found_store()
    store.check()
    with joined(device) as (world, where), _held(run.path, world) as lock:
        others = _changed_facts(run, _compute_facts(world.size, where))
        if others and strict:
            raise ValueError(f"{run.path} began with {'; '.join(others)}: the bits of the weights may differ")
        if others and world.rank == 0:
            _LOGGER.warning(
                "%s began with %s: the bits of the weights may differ from an uninterrupted run",
                run.path,
                "; ".join(others),
            )
        trainer = Trainer(run, store, world, where, lock)
        trainer.restore()
        return trainer.fit(progress=progress)


@contextmanager
def _held(path: Path, world: World) -> Iterator[Lock | None]:
    """Hold a run's folder by the process that writes; an error is raised in all."""
    with ExitStack() as stack:
        taken: list[Lock] = []
        world.on_rank0(lambda: taken.append(stack.enter_context(hold_run(path))))
        yield taken[0] if taken else None


def _check_views(recipe: Recipe, layout: SkeletonLayout | str) -> None:
    """Check that every view of a method brings clips to the frames that the encoder sees.

    Steps that hide frames, such as PSTL's motion attention mask, may leave fewer.

    Raises:
        ValueError: If one does not.
    """
    kept = recipe.data.pipeline.frames
    frames = recipe.data.frames or kept
    shape = ClipShape(get_layout(layout), kept, recipe.data.pipeline.bodies or 1)
    for name, view in views_of(recipe.method).items():
        after = View(view.steps[: view.before_hiding]).output_shape(shape).frames
        if after != frames:
            raise ValueError(
                f"method.{name} makes {after} frames of the {kept} of the pipeline, but the encoder sees "
                f"{frames}; let it begin with temporal_crop_resize, frames = {frames}"
            )


def _compute_facts(processes: int, device: torch.device) -> dict[str, Any]:
    """Processes, threads, processor features and device, as ``run.json`` holds them."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "processes": processes,
        "threads": torch.get_num_threads(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "device": name,
    }


def _changed_facts(run: Run, now: Mapping[str, Any]) -> list[str]:
    """What differs from when a run began, one phrase each: facts of computing, and library versions."""
    return list(_changed(run.info.get("compute", {}), now)) + list(
        _changed(run.info["versions"], {name: version(name) for name in run.info["versions"]})
    )


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, value in then.items():
        if name in now and now[name] != value:
            yield f"{name} {value}, now {now[name]}"
