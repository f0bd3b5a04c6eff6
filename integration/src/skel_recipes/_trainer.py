"""Pretraining: clips on the device, views in batches, one line of metrics per epoch, exact resume.

All randomness of an epoch follows from the seed and the epoch's number. A run that goes on from a
checkpoint therefore needs no generator states, and ends bit for bit where it would have ended.
"""

import json
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from skel_data import Store, build_clips, get_split
from skel_recipes._device import computes_bfloat16, pick_device
from skel_recipes._files import write_atomically, write_text
from skel_recipes._monitor import look
from skel_recipes._recipe import OptimSettings, Recipe, TrainSettings
from skel_recipes._run import Run
from skel_recipes._schedule import learning_rate
from skel_recipes.methods import METHODS, Method
from skel_recipes.methods._sight import Sight


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
        split: Whose training part is used; the store's default unless given.
        device: cpu, cuda, cuda:1, ... or auto.
        progress: Show a progress bar.

    Returns:
        The finished run.

    Raises:
        FileExistsError: If the folder is in use.
        FloatingPointError: If a loss is not finite; the run can be resumed from its last checkpoint.
    """
    chosen = get_split(store, split)
    if len(chosen.train) < 2:
        raise ValueError(f"split {chosen.name!r} of {store.path} has {len(chosen.train)} training clips")
    where = pick_device(device)
    if recipe.train.tensorboard:
        _summary_writer()  # a missing extra is told before the folder is made
    run = Run.create(out, recipe, store, chosen.name, len(chosen.train))
    return _train(run, store, where, progress)


def resume(path: str | Path, *, device: str = "auto", progress: bool = False) -> Run:
    """Go on with a run that was interrupted, from its last checkpoint.

    Raises:
        ValueError: If the store is not the one that the run began with.
    """
    run = Run.open(path)
    store = Store.open(run.facts["store"]["path"])
    if store.hash != run.facts["store"]["hash"]:
        raise ValueError(f"{store.path} has changed since {run.path} began: the run cannot go on with it")
    return run if run.finished else _train(run, store, pick_device(device), progress)


def build_method(recipe: Recipe, sight: Sight) -> Method:
    """The method of a recipe with a fresh encoder, both as the seed gives them."""
    torch.manual_seed(recipe.train.seed)
    encoder = recipe.encoder.build(sight.layout)
    kind = next(kind for kind in METHODS.values() if isinstance(recipe.method, kind.Settings))
    return kind(recipe.method, encoder, sight)  # type: ignore[arg-type]


def build_optimizer(settings: OptimSettings, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of a recipe over the weights that are trained."""
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, settings.lr, momentum=0.9, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(weights, settings.lr, weight_decay=settings.weight_decay)


def _train(run: Run, store: Store, device: torch.device, progress: bool) -> Run:
    recipe, settings = run.recipe, run.recipe.train
    train = get_split(store, run.facts["split"]).train
    clips = torch.from_numpy(build_clips(store, recipe.data.pipeline, indices=train)).to(device)
    sight = Sight(store.layout, recipe.data.stream, len(clips))
    method = build_method(recipe, sight).to(device)
    optimizer = build_optimizer(recipe.optim, method)
    first = _restore(run, method, optimizer, device)
    epochs = settings.length(len(clips))
    events = _summary_writer()(str(run.path / "tensorboard")) if settings.tensorboard else None

    hidden = None if progress else True  # None: shown on a terminal only
    with tqdm(total=epochs, initial=first, unit="epoch", disable=hidden, desc=recipe.name) as bar:
        for epoch in range(first, epochs):
            line = _epoch(method, optimizer, clips, recipe, epoch, epochs)
            last = epoch + 1 == epochs
            if settings.monitor_every and ((epoch + 1) % settings.monitor_every == 0 or last):
                line |= look(method, clips, sight, seed=settings.seed)
            _log(run, line, events)
            bar.update()
            bar.set_postfix(loss=f"{line['loss']:.3f}", clips_s=f"{line['clips_per_second']:.0f}")
            if last or (epoch + 1) % settings.checkpoint_every == 0:
                _checkpoint(run, method, optimizer, epoch + 1)
    if events is not None:
        events.close()
    run.save_encoder(method.encoder)
    return run


def _epoch(
    method: Method, optimizer: torch.optim.Optimizer, clips: Tensor, recipe: Recipe, epoch: int, epochs: int
) -> dict[str, Any]:
    """Train for one of so many epochs; returns its line of metrics."""
    settings = recipe.train
    started = time.perf_counter()
    order_seed, view_seed, dropout_seed = (
        np.random.SeedSequence([settings.seed, epoch]).generate_state(3).tolist()
    )
    order = torch.randperm(len(clips), generator=torch.Generator().manual_seed(order_seed)).to(clips.device)
    generator = torch.Generator(clips.device).manual_seed(view_seed)
    torch.manual_seed(dropout_seed)

    size, steps = settings.batches(len(clips))
    precision = precision_of(settings, clips.device)
    method.train()
    history: list[dict[str, Tensor]] = []
    rate = 0.0
    for step in range(steps):
        rate = learning_rate(recipe.optim, epoch + step / steps, epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = clips[order[step * size : (step + 1) * size]]
        with precision:
            losses = method(batch, epoch=epoch, generator=generator)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimizer.step()
        history.append({name: value.detach() for name, value in losses.items()})

    # One transfer per epoch: looking at every loss would stall the device at every step.
    means = {}
    for name in history[0]:
        values = torch.stack([losses[name] for losses in history]).double().cpu()
        if not values.isfinite().all():
            bad = int((~values.isfinite()).nonzero()[0])
            raise FloatingPointError(
                f"{name} was {float(values[bad])} in epoch {epoch}, step {bad}; "
                "the last checkpoint is before it"
            )
        means[name] = float(values.mean())
    seconds = time.perf_counter() - started
    return {
        "epoch": epoch + 1,
        **means,
        "lr": rate,
        "seconds": seconds,
        "clips_per_second": steps * size / seconds,
    }


def precision_of(settings: TrainSettings, device: torch.device) -> AbstractContextManager[Any]:
    if settings.precision == "bfloat16" or (settings.precision == "auto" and computes_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _checkpoint(run: Run, method: Method, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    state = {"epochs": epochs, "method": method.state_dict(), "optimizer": optimizer.state_dict()}
    write_atomically(run.path / "checkpoint.pt", lambda file: torch.save(state, file))


def _restore(run: Run, method: Method, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    """Load the last checkpoint, if there is one; returns the number of epochs behind it."""
    file = run.path / "checkpoint.pt"
    epochs = 0
    if file.exists():
        state = torch.load(file, map_location=device, weights_only=True)
        method.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
        epochs = int(state["epochs"])
    # Epochs after the checkpoint will be trained, and logged, again. A line cut short by a kill goes too.
    metrics = run.path / "metrics.jsonl"
    if metrics.exists():
        kept = metrics.read_text(encoding="utf-8").splitlines(keepends=True)[:epochs]
        write_text(metrics, "".join(kept))
    return epochs


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
