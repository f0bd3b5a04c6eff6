"""Pretraining: clips on the device, views in batches, one line of metrics per epoch, exact resume.

All randomness of an epoch follows from the seed and the epoch's number. A run that goes on from a
checkpoint therefore needs no generator states, and ends bit for bit where it would have ended. Started by
``torchrun``, processes share each batch: every one takes its part of the clips and their views, and
gradients, queues and the statistics of BatchNorm and of losses are those of the whole batch.
"""

import json
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import define, evolve
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from skel_augment import View
from skel_data import (
    ClipLoader,
    ClipShape,
    SkeletonLayout,
    Store,
    build_clips,
    clip_loader,
    epoch_order,
    get_split,
)
from skel_eval import same_on_all_ranks
from skel_recipes._device import computes_bfloat16
from skel_recipes._encoders import build_encoder
from skel_recipes._files import write_atomically, write_text
from skel_recipes._monitor import look
from skel_recipes._recipe import OptimSettings, Recipe, TrainSettings
from skel_recipes._run import Run
from skel_recipes._schedule import learning_rate
from skel_recipes._sync_norm import synchronise_norms
from skel_recipes._world import World, joined
from skel_recipes.methods import PerStream, Sight


def pretrain(
    recipe: Recipe,
    store: Store,
    out: str | Path,
    *,
    split: str | None = None,
    device: str = "auto",
    progress: bool = False,
) -> Run:
    """Pretrain an encoder on the training clips of a store, without their labels.

    Args:
        recipe: All settings.
        store: The recordings.
        out: Folder of the run, to be made.
        split: Whose training part is used; the recipe's, or else the store's default, unless given.
        device: cpu, cuda, cuda:1, ... or auto. Under `torchrun` each process takes the GPU of its rank.
        progress: Show a progress bar.

    Returns:
        The finished run.

    Raises:
        FileExistsError: If the folder is in use.
        ValueError: If the store is too small, or the views do not fit what the encoder sees.
        FloatingPointError: If a loss is not finite; the run can be resumed from its last checkpoint.
    """
    chosen = get_split(store, split or recipe.data.split or None)
    if len(chosen.train) < 2:
        raise ValueError(f"split {chosen.name!r} of {store.path} has {len(chosen.train)} training clips")
    if recipe.train.tensorboard:
        _summary_writer()  # a missing extra is told before the folder is made
    _check_views(recipe, store.layout)
    with joined(device) as (world, where):
        recipe.train.batches(len(chosen.train), world.size)
        run = world.once(lambda: Run.create(out, recipe, store, chosen.name, len(chosen.train)))
        return _train(run, store, world, where, progress)


def resume(path: str | Path, *, device: str = "auto", progress: bool = False) -> Run:
    """Go on with a run that was interrupted, from its last checkpoint.

    Raises:
        ValueError: If the store is not the one that the run began with.
    """
    run = Run.open(path)
    store = Store.open(run.facts["store"]["path"])
    if store.hash != run.facts["store"]["hash"]:
        raise ValueError(f"{store.path} has changed since {run.path} began: the run cannot go on with it")
    if run.finished:
        return run
    with joined(device) as (world, where):
        return _train(run, store, world, where, progress)


def _check_views(recipe: Recipe, layout: SkeletonLayout) -> None:
    """Views must bring clips to the length that the encoder sees, where that is not the pipeline's."""
    frames, kept = recipe.data.frames, recipe.data.pipeline.frames
    view = getattr(recipe.method, "view", None)
    if frames and isinstance(view, View):
        after = view.after(ClipShape(layout, kept, recipe.data.pipeline.bodies or 1)).frames
        if after != frames:
            raise ValueError(
                f"data.frames is {frames}, but method.view makes {after} frames of the {kept} of the "
                f"pipeline; let it begin with temporal_crop_resize, frames = {frames}"
            )


def build_method(recipe: Recipe, sight: Sight) -> nn.Module:
    """The method of a recipe with fresh encoders, all as the seed gives them.

    A method of one stream is built once for each of several.
    """
    encoder = build_encoder(recipe.encoder, sight.shape, sight.streams, recipe.train.seed)
    if not isinstance(encoder, nn.ModuleDict) or getattr(recipe.method, "cross_stream", False):
        return recipe.method.build(encoder, sight)
    methods = {name: recipe.method.build(encoder[name], sight.only(name)) for name in sight.streams}
    return PerStream(methods, sight)


def build_optimizer(settings: OptimSettings, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of a recipe over the weights that are trained."""
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, settings.lr, momentum=0.9, weight_decay=settings.weight_decay)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(weights, settings.lr, weight_decay=settings.weight_decay)


@define(frozen=True, eq=False)
class _Training:
    """What an epoch needs.

    Attributes:
        run: The run.
        world: The processes.
        names: Name of each training clip.
        clips: All training clips (N, C, T, V, M).
        method: The method.
        module: The same, as it is called: gradients are averaged over processes.
        optimizer: The optimiser.
        epochs: Length of the training.
    """

    run: Run
    world: World
    names: NDArray[Any]
    clips: ClipLoader
    method: Any
    module: nn.Module
    optimizer: torch.optim.Optimizer
    epochs: int


def _train(run: Run, store: Store, world: World, device: torch.device, progress: bool) -> Run:
    recipe, settings = run.recipe, run.recipe.train
    train = get_split(store, run.facts["split"]).train
    same_on_all_ranks(train, "training clips")
    pipeline = evolve(recipe.data.pipeline, bodies=run.shape.bodies)
    stored = partial(build_clips, store, pipeline, dtype=np.dtype(recipe.data.dtype), mmap=True)
    world.once(lambda: len(stored()))  # one process fills the cache
    dtype = torch.float64 if settings.precision == "float64" else torch.float32
    clips = clip_loader(stored(), train, device=device, dtype=dtype, keep=recipe.data.keep)
    sight = Sight(run.shape, recipe.data.stream, len(clips), world)
    method: Any = synchronise_norms(build_method(recipe, sight), world, device).to(device, dtype)
    module = _shared(method) if world.size > 1 else method
    optimizer = build_optimizer(recipe.optim, method)
    epochs = settings.length(len(clips), world.size)
    training = _Training(run, world, store.names[train], clips, method, module, optimizer, epochs)

    writing = world.rank == 0
    first = _restore(run, method, optimizer, device)
    if writing:
        _cut_metrics(run, first)
    logged = settings.tensorboard and writing
    events = _summary_writer()(str(run.path / "tensorboard")) if logged else None
    if progress and writing:
        steps = settings.batches(len(clips), world.size)[1]
        asked = "" if epochs == settings.epochs else f", as train.min_steps is {settings.min_steps}"
        tqdm.write(
            f"{run.path}: {len(clips)} clips, {epochs} epochs of {steps} steps{asked}", file=sys.stderr
        )
    hidden = None if progress and writing else True  # None: shown on a terminal only
    with tqdm(total=epochs, initial=first, unit="epoch", disable=hidden, desc=recipe.name) as bar:
        for epoch in range(first, epochs):
            line = _epoch(training, epoch)
            if not writing:
                continue
            last = epoch + 1 == epochs
            if settings.monitor_every and ((epoch + 1) % settings.monitor_every == 0 or last):
                line |= look(method, clips, sight, seed=settings.seed, crop=recipe.data.crop)
            _log(run, line, events)
            bar.update()
            bar.set_postfix(loss=f"{line['loss']:.3f}", clips_s=f"{line['clips_per_second']:.0f}")
            if last or (epoch + 1) % settings.checkpoint_every == 0:
                _checkpoint(run, method, optimizer, epoch + 1)
    if events is not None:
        events.close()
    world.once(lambda: run.save_encoder(method.encoder, training.epochs))
    return run


def _shared(method: nn.Module) -> nn.Module:
    """The method with gradients averaged over processes; its buffers agree without being sent around."""
    new = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    quiet: dict[str, Any] = {"forward_sync_buffers" if new else "broadcast_buffers": False}
    return DistributedDataParallel(method, **quiet)


def _epoch(training: _Training, epoch: int) -> dict[str, Any]:
    """Train for one epoch; returns its line of metrics."""
    recipe, world, clips, optimizer = (
        training.run.recipe,
        training.world,
        training.clips,
        training.optimizer,
    )
    settings = recipe.train
    started = time.perf_counter()
    order_seed, view_seed, dropout_seed = (
        np.random.SeedSequence([settings.seed, epoch]).generate_state(3).tolist()
    )
    size, steps = settings.batches(len(clips), world.size)
    order = epoch_order(len(clips), size, seed=order_seed, rank=world.rank, ranks=world.size)
    generator = torch.Generator(clips.device).manual_seed(view_seed)
    torch.manual_seed(dropout_seed + world.rank)  # processes drop other features

    precision = precision_of(settings, clips.device)
    training.module.train()
    history: list[dict[str, Tensor]] = []
    rate = 0.0
    for step, batch in enumerate(clips.batches(order)):
        rate = learning_rate(recipe.optim, epoch + step / steps, training.epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with precision:
            losses = training.module(batch, epoch=epoch, generator=generator)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimizer.step()
        history.append({name: value.detach() for name, value in losses.items()})

    # One transfer per epoch: looking at every loss would stall the device at every step.
    names = list(history[0])
    values = torch.stack([torch.stack([losses[name] for name in names]).double() for losses in history])
    values = world.mean(values).cpu()
    bad = (~values.isfinite()).any(1).nonzero()
    if len(bad):
        step = int(bad[0])
        what = {name: float(value) for name, value in zip(names, values[step], strict=True)}
        raise FloatingPointError(
            f"in epoch {epoch + 1}, step {step + 1} the losses were {what}; its clips were "
            f"{', '.join(training.names[epoch_order(len(clips), size, seed=order_seed)[step]])}; "
            f"{_last_good(training.run)}"
        )
    seconds = time.perf_counter() - started
    return {
        "epoch": epoch + 1,
        **dict(zip(names, values.mean(0).tolist(), strict=True)),
        "lr": rate,
        "seconds": seconds,
        "clips_per_second": steps * size / seconds,
    }


def _last_good(run: Run) -> str:
    file = run.path / "checkpoint.pt"
    if not file.exists():
        return "there is no checkpoint yet"
    epochs = torch.load(file, map_location="cpu", weights_only=True)["epochs"]
    return f"the last good checkpoint is {file}, after epoch {epochs}"


def precision_of(settings: TrainSettings, device: torch.device) -> AbstractContextManager[Any]:
    """The autocast context of a training step, or one that does nothing."""
    if settings.precision == "bfloat16" or (settings.precision == "auto" and computes_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _checkpoint(run: Run, method: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    state = {"epochs": epochs, "method": method.state_dict(), "optimizer": optimizer.state_dict()}
    write_atomically(run.path / "checkpoint.pt", lambda file: torch.save(state, file))


def _restore(run: Run, method: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    """Load the last checkpoint, if there is one; returns the number of epochs behind it."""
    file = run.path / "checkpoint.pt"
    epochs = 0
    if file.exists():
        state = torch.load(file, map_location=device, weights_only=True)
        method.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
        epochs = int(state["epochs"])
    return epochs


def _cut_metrics(run: Run, epochs: int) -> None:
    """Keep so many lines: later epochs will be trained, and logged, again; a line cut by a kill goes too."""
    metrics = run.path / "metrics.jsonl"
    if metrics.exists():
        kept = metrics.read_text(encoding="utf-8").splitlines(keepends=True)[:epochs]
        write_text(metrics, "".join(kept))


def _log(run: Run, line: dict[str, Any], events: Any) -> None:
    with (run.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    if events is not None:
        for name, value in line.items():
            events.add_scalar(name, value, line["epoch"])


def _summary_writer() -> Any:
    """TensorBoard's writer class."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("train.tensorboard needs the extra skel-recipes[tensorboard]") from error
    return SummaryWriter
