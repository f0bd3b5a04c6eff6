"""Pretraining: clips on the device, views in batches, one line of metrics per epoch, exact resume.

All randomness of an epoch follows from the seed and the epoch's number. A run that goes on from a
checkpoint therefore needs no generator states, and ends bit for bit where it would have ended. Started by
``torchrun``, processes share each batch: every one takes its part of the clips and their views, and
gradients, queues and the statistics of BatchNorm and of losses are those of the whole batch.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from attrs import fields
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from skel_data import (
    Store,
    build_clips,
    clip_loader,
    epoch_order,
    get_split,
)
from skel_data.files import Lock, sync, write_atomically
from skel_encoders import checkpoint_blocks
from skel_eval import same_on_all_ranks
from skel_recipes.common.device import World, computes_bfloat16
from skel_recipes.common.progress import LONGEST_SILENCE
from skel_recipes.common.words import count
from skel_recipes.config.recipe import Recipe, TrainSettings
from skel_recipes.methods.context import MethodContext, encoders_of
from skel_recipes.methods.per_stream import PerStream
from skel_recipes.run.run import Run, build_encoders
from skel_recipes.train.checkpoint import PREVIOUS, good_checkpoint, load_checkpoint, save_checkpoint
from skel_recipes.train.diagnostics import feature_diagnostics
from skel_recipes.train.optim import Optimization, warmup_of
from skel_recipes.train.sync_norm import synchronise_norms

if TYPE_CHECKING:
    from skel_recipes.train.partners import Partners

_LOGGER = logging.getLogger("skel_recipes")


def build_method(
    recipe: Recipe, context: MethodContext, encoders: Mapping[str, nn.Module] | None = None
) -> nn.Module:
    """The method of a recipe with the encoder of each stream; None for fresh ones, as the seed gives them.

    A method of one stream is built once for each of several.
    """
    encoders = build_encoders(recipe, context.shape) if encoders is None else encoders
    if recipe.train.checkpoint_blocks:
        for encoder in encoders.values():
            checkpoint_blocks(encoder)
    method: nn.Module
    if getattr(recipe.method, "cross_stream", False):
        method = recipe.method.build(nn.ModuleDict(dict(encoders)), context)
    elif len(encoders) == 1:
        (encoder,) = encoders.values()
        method = recipe.method.build(encoder, context)
    else:
        build = recipe.method.build
        methods = {name: build(encoder, context.for_stream(name)) for name, encoder in encoders.items()}
        method = PerStream(methods, context)
    return method


class Trainer:
    """Trainer of one run, from its first epoch, or that behind its last checkpoint, to the last one.

    Args:
        run: The run, new or interrupted.
        store: The recordings that it began with.
        world: The processes.
        device: Where to compute.
        lock: That of the run's folder, if this process writes to it.
    """

    def __init__(
        self, run: Run, store: Store, world: World, device: torch.device, lock: Lock | None = None
    ) -> None:
        self.lock = lock
        self.first, self.last_intact = 0, True
        recipe, settings = run.recipe, run.recipe.train
        train = get_split(store, run.info["split"]).train
        if world.size > 1:
            same_on_all_ranks(train, "training clips")
        stored = partial(build_clips, store, run.pipeline, dtype=np.dtype(recipe.data.dtype), mmap=True)
        world.on_rank0(lambda: len(stored()))  # one process fills the cache
        dtype = torch.float64 if settings.precision == "float64" else torch.float32
        self.run, self.world, self.device = run, world, device
        self.names = store.names[train]
        self.clips = clip_loader(stored(), train, device=device, dtype=dtype, keep=recipe.data.keep)
        self.partners = partners_of_recipe(recipe, store, train)
        self.setups = setups_of(recipe, store.setups[train], store.path, world.size)
        self.context = MethodContext(run.shape, recipe.data.stream, len(self.clips), world)
        method = build_method(recipe, self.context, run.initial_encoders())
        if world.size > 1:
            method = synchronise_norms(method, world, device)
        self.method: nn.Module = method.to(device, dtype)
        self.epochs = settings.length(len(self.clips), world.size)
        steps = settings.batches(len(self.clips), world.size)[1]
        self.optim = Optimization(self.method, run.streams, recipe.optim, self.epochs, steps)
        self.module = _averaging(self.method) if world.size > 1 else self.method
        self.context.progress.epochs = self.epochs
        self.context.progress.steps_per_epoch = steps
        self.context.progress.stretch = self.epochs / settings.epochs

    def fit(self, *, progress: bool = False) -> Run:
        """Train to the last epoch; returns the finished run."""
        run, settings = self.run, self.run.recipe.train
        writing = self.world.rank == 0
        first = self.first
        logged = settings.tensorboard and writing
        events = summary_writer()(str(run.path / "tensorboard")) if logged else None
        if progress and writing:
            tqdm.write(self._plan(), file=sys.stderr)
        if writing and not first:
            for short in too_short(run.recipe, self.epochs, self.optim.steps):
                _LOGGER.warning("%s", short)
        said = time.monotonic()
        hidden = None if progress and writing else True  # None: shown on a terminal only
        with tqdm(
            total=self.epochs, initial=first, unit="epoch", disable=hidden, desc=run.recipe.name
        ) as bar:
            for epoch in range(first, self.epochs):
                line = self._train_epoch(epoch)
                if not writing:
                    continue
                last = epoch + 1 == self.epochs
                if settings.monitor_every and ((epoch + 1) % settings.monitor_every == 0 or last):
                    line |= feature_diagnostics(
                        self.method,
                        self.clips,
                        self.context,
                        seed=settings.seed,
                        crop=run.recipe.data.crop,
                    )
                if self.lock is not None:
                    self.lock.check()
                _log(run, line, events)
                bar.update()
                bar.set_postfix(loss=f"{line['loss']:.3f}", clips_s=f"{line['clips_per_second']:.0f}")
                if bar.disable and progress:
                    said = self._say(line, said)
                if last or (epoch + 1) % settings.checkpoint_every == 0:
                    self._checkpoint(epoch + 1)
        if events is not None:
            events.close()
        encoders = encoders_of(self.method, run.streams)
        self.world.on_rank0(lambda: self._finish(encoders))
        return run

    def _finish(self, encoders: Mapping[str, nn.Module]) -> None:
        self.run.save_encoders(encoders, self.epochs)
        (self.run.path / PREVIOUS).unlink(missing_ok=True)

    def _say(self, line: dict[str, Any], said: float) -> float:
        """A line for a log: ten in a training, and one after 30 seconds; returns when the last one was."""
        epoch, now = line["epoch"], time.monotonic()
        tenth = max(1, self.epochs // 10)
        if epoch % tenth and epoch != self.epochs and now - said < LONGEST_SILENCE:
            return said
        pace = f"{line['clips_per_second']:.0f} clips/s"
        tqdm.write(f"epoch {epoch} of {self.epochs}: loss {line['loss']:.3f}, {pace}", file=sys.stderr)
        return now

    def _plan(self) -> str:
        settings, clips = self.run.recipe.train, len(self.clips)
        steps = settings.batches(clips, self.world.size)[1]
        why = "" if self.epochs == settings.epochs else f", as train.min_steps is {settings.min_steps}"
        split = self.run.info["split"]
        plan = f"{self.run.path}: {count(clips, 'training clip')} of split {split}, "
        plan += f"{count(self.epochs, 'epoch')} of {count(steps, 'step')}{why}"
        if init := self.run.info.get("init"):
            plan += f"\nbegins with {len(init['loaded'])} weights of {init['path']}"
            for key, what in (("not_loaded", "stay fresh"), ("unused", "are not used")):
                if init[key]:
                    layers = dict.fromkeys(name.rpartition(".")[0] for name in init[key])
                    plan += f"; {len(init[key])} {what}, in {', '.join(layers)}"
        return plan if self.partners is None else f"{plan}\n{self.partners.note}"

    def _train_epoch(self, epoch: int) -> dict[str, Any]:
        """Train for one epoch; returns its line of metrics."""
        recipe, world, clips = self.run.recipe, self.world, self.clips
        settings = recipe.train
        started = time.perf_counter()
        order_seed, view_seed, dropout_seed = (
            np.random.SeedSequence([settings.seed, epoch]).generate_state(3).tolist()
        )
        size, steps = settings.batches(len(clips), world.size)
        ordered = partial(
            epoch_order, len(clips), size, seed=order_seed, groups=self.setups, balance=recipe.data.balance
        )
        order = ordered(rank=world.rank, ranks=world.size)
        generator = torch.Generator(clips.device).manual_seed(view_seed)
        torch.manual_seed(dropout_seed + world.rank)  # processes drop other features

        precision = autocast_of(settings, clips.device)
        self.module.train()
        history: list[dict[str, Tensor]] = []
        rate = 0.0
        for step, batch in enumerate(self._batches(order, epoch)):
            self.context.batch.ids = torch.from_numpy(order[step]).to(batch.device, non_blocking=True)
            rate = self.optim.begin(epoch, step)
            self.context.progress.step = epoch * steps + step
            with precision:
                # The epochs in a method's settings are those of the recipe, however many min_steps adds
                losses = self.module(batch, epoch=epoch * settings.epochs // self.epochs, generator=generator)
            if self.partners is not None and not self.context.second.used:
                raise ValueError(
                    f"data.positives is {self.partners.positives}, but the method draws no second view with "
                    "its context: data.positives must be clip"
                )
            self.optim.step(losses["loss"])
            history.append({name: value.detach() for name, value in losses.items()})

        # One transfer per epoch: looking at every loss would stall the device at every step.
        names = list(history[0])
        values = torch.stack([torch.stack([losses[name] for name in names]).double() for losses in history])
        values = world.mean(values).cpu()
        bad = (~values.isfinite()).any(1).nonzero()
        if len(bad):
            step = int(bad[0])
            what = {name: float(value) for name, value in zip(names, values[step], strict=True)}
            rows = ordered()[step]
            raise FloatingPointError(
                f"in epoch {epoch + 1}, step {step + 1} the losses were {what}; its clips were "
                f"{', '.join(self.names[rows])}; {_last_good(self.run)}"
            )
        seconds = time.perf_counter() - started
        return {
            "epoch": epoch + 1,
            **dict(zip(names, values.mean(0).tolist(), strict=True)),
            "lr": rate,
            "seconds": seconds,
            "clips_per_second": steps * size / seconds,
        }

    def _batches(self, order: list[NDArray[np.int64]], epoch: int) -> Iterator[Tensor]:
        """The batches of an epoch; before each, the context gets the clips of its second views."""
        if self.partners is None:
            yield from self.clips.batches(order)
            return
        partner = self.partners.draw(self.run.recipe.train.seed, epoch)
        both = self.clips.batches(index for own in order for index in (own, partner[own]))
        for own, (batch, second) in zip(order, zip(both, both, strict=True), strict=True):
            self.context.second.clips = second
            self.context.second.ids = torch.from_numpy(partner[own]).to(batch.device, non_blocking=True)
            yield batch
        self.context.second.clips = self.context.second.ids = None

    def _checkpoint(self, epochs: int) -> None:
        method, optimizer = self.method.state_dict(), self.optim.optimizer.state_dict()
        save_checkpoint(
            self.run.path, {"epochs": epochs, "method": method, "optimizer": optimizer}, keep=self.last_intact
        )
        self.last_intact = True

    def restore(self) -> None:
        """Load the last good checkpoint of an interrupted run, if there is one; `fit` goes on from it."""
        name, self.last_intact = self.world.on_rank0(lambda: good_checkpoint(self.run))
        if name is not None:
            state = load_checkpoint(self.run.path / name, self.device)
            self.method.load_state_dict(state["method"])
            self.optim.optimizer.load_state_dict(state["optimizer"])
            self.first = int(state["epochs"])
        if self.world.rank == 0:
            _cut_metrics(self.run, self.first)


def too_short(recipe: Recipe, epochs: int, steps: int) -> list[str]:
    """What a training of these epochs, and steps in each, is too short for, a sentence each."""
    told, warmup, every = [], round(warmup_of(recipe.optim, steps) * steps), epochs * steps
    if 2 * warmup >= every:
        told.append(
            f"the warm-up takes {warmup} of {every} steps: lower optim.warmup_epochs or optim.warmup_steps, "
            "or train longer"
        )
    last = recipe.train.epochs  # those of the method's settings, however many min_steps adds
    kind: Any = type(recipe.method)
    begins = {one.name: getattr(recipe.method, one.name) for one in fields(kind)}
    return told + [
        f"method.{name} is {epoch} and train.epochs {last}: what begins there never does"
        for name, epoch in begins.items()
        if name.endswith("_epoch") and isinstance(epoch, int) and epoch >= last
    ]


def partners_of_recipe(recipe: Recipe, store: Store, train: NDArray[np.int64]) -> "Partners | None":
    """What second views are drawn of, if not of the clips themselves."""
    if recipe.data.positives == "clip":
        return None
    from skel_recipes.train.partners import partners_of

    return partners_of(store, train, recipe.data)


def setups_of(
    recipe: Recipe, setups: NDArray[np.int64], store: str | Path, processes: int = 1
) -> NDArray[np.int64] | None:
    """The setup of each training clip, if each batch is of one.

    Raises:
        ValueError: If the training clips of `store`, or those of a setup, do not fill a batch, or there are
            not two setups or more.
    """
    size, _ = recipe.train.batches(len(setups), processes)
    if recipe.data.batches_of == "any":
        if recipe.data.balance:
            raise ValueError(f"data.balance {recipe.data.balance:g} goes with data.batches_of setup, got any")
        return None
    codes, counts = np.unique(setups, return_counts=True)
    if len(codes) < 2 or codes[0] < 0:
        unknown = f", unknown for {count((setups < 0).sum(), 'clip')}" if codes[0] < 0 else ""
        raise ValueError(
            "data.batches_of is setup, which needs training clips of two known setups or more, but "
            f"{store} has {count((codes >= 0).sum(), 'setup')}{unknown}"
        )
    if counts.min() < size:
        raise ValueError(
            f"data.batches_of is setup, but setup {codes[counts.argmin()]} of {store} has "
            f"{count(counts.min(), 'training clip')}, fewer than the {size} of a batch"
        )
    return setups


def _averaging(method: nn.Module) -> nn.Module:
    """The method with gradients averaged over processes; its buffers agree without being sent around."""
    new = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    quiet: dict[str, Any] = {"forward_sync_buffers" if new else "broadcast_buffers": False}
    return DistributedDataParallel(method, **quiet)


def autocast_of(settings: TrainSettings, device: torch.device) -> AbstractContextManager[Any]:
    """The autocast context of a training step, or one that does nothing."""
    if settings.precision == "bfloat16" or (settings.precision == "auto" and computes_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _last_good(run: Run) -> str:
    name, _ = good_checkpoint(run)
    if name is None:
        return "there is no checkpoint yet"
    file = run.path / name
    epochs = load_checkpoint(file, torch.device("cpu"))["epochs"]
    return f"the last good checkpoint is {file}, after epoch {epochs}"


def _cut_metrics(run: Run, epochs: int) -> None:
    """Keep this many lines: later epochs are trained, and logged, again; a line cut by a kill goes too."""
    metrics = run.path / "metrics.jsonl"
    if metrics.exists():
        kept = metrics.read_text(encoding="utf-8").splitlines(keepends=True)[:epochs]
        write_atomically(metrics, "".join(kept))


def _log(run: Run, line: dict[str, Any], events: Any) -> None:
    with (run.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        sync(file)  # a checkpoint must not outlive its line
    if events is not None:
        for name, value in line.items():
            events.add_scalar(name, value, line["epoch"])


def summary_writer() -> Any:
    """TensorBoard's writer class."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("train.tensorboard needs the extra skel-recipes[tensorboard]") from error
    return SummaryWriter
