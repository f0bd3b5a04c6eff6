"""Run: the folder of a pretraining, with settings, metrics, checkpoint, encoder and evaluations."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from attrs import define, evolve
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from skel_data import ClipShape, Pipeline, SkeletonLayout, Store
from skel_data.files import Lock, hold, remove_left_behind, remove_partials, write_atomically
from skel_encoders import IntermediateFeatures, from_pretrained
from skel_eval import state_digest
from skel_recipes.common.words import count
from skel_recipes.config.library import read_recipe
from skel_recipes.config.recipe import Recipe, dump_recipe, load_recipe
from skel_recipes.run.folder import earlier_settings, is_encoder_folder, read_folder
from skel_recipes.run.init import InitialWeights, load_initial

PACKAGES = ("skel-data", "skel-augment", "skel-encoders", "skel-ssl-objectives", "skel-eval", "skel-recipes")

LOCK = ".lock"
"""File of a run's folder that says which process writes to it."""


@define(frozen=True, slots=False)
class Run:
    """A run folder, or an encoder folder, which is used in the same way.

    A run folder holds ``recipe.toml`` (the resolved settings), ``run.json`` (store, split, layout, versions),
    ``metrics.jsonl`` (one line per epoch), ``checkpoint.pt`` (to go on from), and when training has
    ended ``encoder.safetensors`` (of several streams, the names of weights begin with the stream's);
    evaluations add ``eval/*.json``, and a report ``report.html``. An encoder folder is what
    `skel_encoders.save_pretrained`, ``skel convert-checkpoint`` and ``skel export`` write: an encoder of one
    stream, which is finished and has no metrics.

    Attributes:
        path: The folder.
        recipe: Its settings.
        info: The content of ``run.json``.
        layers: Number of last layers that features are of, see `with_features`.
        bins: Their temporal bins.
    """

    path: Path
    recipe: Recipe
    info: Mapping[str, Any]
    layers: int = 1
    bins: int = 1

    def __repr__(self) -> str:
        shape, info = self.shape, self.info
        if self.is_folder:
            done = "encoder folder"
        else:
            done = count(len(self.metrics()), "epoch") + (", finished" if self.finished else ", not finished")
        seen = f" on {info['store']['dataset']}, split {info['split']}" if info["store"]["hash"] else ""
        return (
            f"Run({str(self.path)!r}): {self.recipe.name}{seen}, {done}\n"
            f"  {self.recipe.encoder.name} of stream {self.recipe.data.stream}; "
            f"clips: {self.recipe.data.pipeline.name}, {shape.frames} frames, "
            f"{shape.layout.num_joints} joints of {shape.layout.name}, {count(shape.bodies, 'body')}"
        )

    @classmethod
    def create(
        cls,
        path: str | Path,
        recipe: Recipe,
        store: Store,
        split: str,
        clips: int,
        start: InitialWeights | None = None,
        **more: Any,
    ) -> "Run":
        """Make the folder of a new run; what a killed process began to make is made again.

        Args:
            path: The folder.
            recipe: All settings.
            store: The recordings.
            split: Whose training part is used.
            clips: Number of training clips.
            start: Weights that the encoders begin with, which are copied to ``init.safetensors``.
            more: What else stands in ``run.json``.

        Raises:
            FileExistsError: If the folder exists and is not empty.
            ValueError: If the metadata of the store are not those that were written.
        """
        path = Path(path)
        check_new(path)
        store.check()
        path.mkdir(parents=True, exist_ok=True)
        remove_partials(path)
        shape = clip_shape(recipe, store)
        info: dict[str, Any] = {
            "format": "skel-run",
            "version": 1,
            "store": {
                "path": str(store.path.absolute()),
                "relative": _relative(store.path, path),
                "dataset": store.dataset,
                "hash": store.hash,
                "units": store.units,
            },
            "split": split,
            "train_clips": clips,
            "layout": store.layout.to_dict(),
            "frames": shape.frames,
            "bodies": shape.bodies,
            "versions": {name: version(name) for name in (*PACKAGES, "torch", "numpy")},
            "python": platform.python_version(),
            **more,
        }
        if start is not None:
            info["init"] = start.described()
            data = save(dict(start.weights))
            write_atomically(path / "init.safetensors", data)
        write_atomically(path / "recipe.toml", dump_recipe(recipe))
        write_atomically(path / "run.json", json.dumps(info, indent=1))
        return cls(path, recipe, info)

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """Open the folder of a run, or of an encoder.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If it is neither.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no run at {path}")
        remove_left_behind(path, *(path / name for name in ("eval", "features", "baselines", "converted")))
        if is_encoder_folder(path):
            return cls(path, *read_folder(path))
        try:
            info = json.loads((path / "run.json").read_text(encoding="utf-8"))
            form, number = info["format"], info["version"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{path} is no run and no encoder: it has no readable run.json or encoder.json"
            ) from error
        if form != "skel-run" or number != 1:
            raise ValueError(f"{path}: run of format {form} {number}, expected skel-run 1")
        missing = earlier_settings(read_recipe(path / "recipe.toml").get("data"))
        overrides = {f"data.pipeline.{key}": value for key, value in missing.items()}
        return cls(path, load_recipe(path / "recipe.toml", overrides), info)

    @cached_property
    def shape(self) -> ClipShape:
        """Layout, frames and bodies of the clips that the encoders were trained on."""
        return ClipShape(
            SkeletonLayout.from_dict(self.info["layout"]), self.info["frames"], self.info["bodies"]
        )

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, with the number of bodies that the encoders were trained on."""
        settings: Any = self.recipe.data.pipeline
        pipeline: Pipeline = evolve(settings, bodies=self.shape.bodies)
        return pipeline

    @property
    def layout(self) -> SkeletonLayout:
        """The joints that the encoders were trained on."""
        return self.shape.layout

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams, each with an encoder."""
        return self.recipe.data.streams

    @property
    def is_folder(self) -> bool:
        """Whether this is an encoder folder, of whose training nothing is known."""
        return bool(self.info["format"] == "skel-encoder")

    @property
    def finished(self) -> bool:
        """Whether pretraining has come to its end."""
        return (self.path / "encoder.safetensors").exists()

    def with_features(self, *, layers: int = 1, bins: int = 1) -> "Run":
        """The run with frozen features of last layers and of temporal bins: see `IntermediateFeatures`."""
        return evolve(self, layers=layers, bins=bins)

    @property
    def features(self) -> str:
        """Such as "last 2 layers, 4 bins"; empty for the encoders' own features."""
        layers = [f"last {self.layers} layers"] if self.layers != 1 else []
        return ", ".join(layers + ([f"{self.bins} bins"] if self.bins != 1 else []))

    def store(self) -> Store | None:
        """The recordings of the pretraining; None if they are in none of `store_places` as they were."""
        for place in self.store_places():
            with suppress(OSError, ValueError):
                store = Store.open(place)
                if store.hash == self.info["store"]["hash"]:
                    return store
        return None

    def store_places(self) -> list[Path]:
        """Where the recordings are looked for; what they hold decides, by its hash.

        Where they were; where they are seen from a run that was moved with them; and, by their name, beside
        the run and in the working directory.
        """
        told = self.info["store"]
        if not told["path"]:
            return []
        path, here = Path(told["path"]), self.path.absolute()
        moved = [here / told["relative"]] if told.get("relative") else []
        places = [path, *moved, here.parent / path.name, Path.cwd() / path.name]
        return list(dict.fromkeys(Path(os.path.normpath(place)) for place in places))

    def found_store(self) -> Store:
        """The recordings of the pretraining.

        Raises:
            ValueError: If they are not found as they were; the message says what was looked for, and where.
        """
        store, told = self.store(), self.info["store"]
        if store is not None:
            return store
        if not told["hash"]:
            raise ValueError(f"{self.path} does not say what it was pretrained on: give the store")
        places = self.store_places()
        changed = [str(place) for place in places if place.exists()]
        what = f"; {' and '.join(changed)} is another or has changed since the run began" if changed else ""
        raise ValueError(
            f"the store of {self.path} is not found: looked for {told['dataset']} with hash "
            f"{told['hash'][:16]} at {', '.join(map(str, places))}{what}"
        )

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``."""
        file = self.path / "metrics.jsonl"
        if not file.exists():
            return []
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            return [dict(json.loads(line)) for line in lines]
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{file} is damaged, or its training was interrupted: {error}") from error

    def save_encoders(self, encoders: Mapping[str, nn.Module], epochs: int) -> None:
        """Write the weights of the encoders after the last epoch, and how many epochs that were."""
        weights = {
            self._prefix(stream) + name: value.detach().cpu().contiguous()
            for stream, encoder in encoders.items()
            for name, value in encoder.state_dict().items()
        }
        data = save(weights, metadata={"epochs": str(epochs), "digest": _digest(weights)})
        write_atomically(self.path / "encoder.safetensors", data)

    def encoder(self, stream: str | None = None, *, trained: bool = True) -> nn.Module:
        """An encoder on the CPU in eval mode, after pretraining or as it was before.

        Args:
            stream: The stream whose encoder it is; needed where there are several.
            trained: Whether it is the one after pretraining.

        Raises:
            ValueError: If there is no such stream, or the trained one is wanted and pretraining has not
                ended, or its weights are not those after the last epoch.
        """
        names = self.streams
        if stream not in names and (stream is not None or len(names) > 1):
            raise ValueError(f"{self.path} has no stream {stream!r}; there are {', '.join(names)}")
        name = stream or names[0]
        encoder = self._encoder(name, trained=trained)
        if self.features:
            encoder = IntermediateFeatures(encoder, layers=self.layers, bins=self.bins)
        return encoder.eval()

    def _encoder(self, name: str, *, trained: bool) -> nn.Module:
        if trained and self.is_folder:
            return from_pretrained(self.path)
        encoder = build_encoders(self.recipe, self.shape)[name]
        if trained:
            if not self.finished:
                raise ValueError(self._unfinished())
            prefix = self._prefix(name)
            weights = self._last_weights().items()
            encoder.load_state_dict(
                {key.removeprefix(prefix): value for key, value in weights if key.startswith(prefix)}
            )
        return encoder

    def _unfinished(self) -> str:
        """Why there are no trained weights."""
        lines, file = len(self.metrics()), self.path / "encoder.safetensors"
        if lines and lines >= self.recipe.train.length(self.info["train_clips"]):
            return f"{self.path}: pretraining has ended, but its weights are not there: looked for {file}"
        return (
            f"{self.path}: pretraining has not ended, there is no {file.name}; "
            f"go on with: skel pretrain --resume {self.path}"
        )

    def initial_encoders(self) -> dict[str, nn.Module]:
        """The encoder of each stream as pretraining begins: fresh, or with the weights of another one."""
        encoders = build_encoders(self.recipe, self.shape)
        if "init" in self.info:
            load_initial(encoders, load_file(self.path / "init.safetensors"))
        return encoders

    def _prefix(self, stream: str) -> str:
        return f"{stream}." if len(self.streams) > 1 else ""

    def _last_weights(self) -> dict[str, Tensor]:
        """Those after the last epoch; others are refused, as an epoch could be chosen on test clips."""
        file = self.path / "encoder.safetensors"
        try:
            with safe_open(file, "pt") as opened:
                about = opened.metadata() or {}
            weights = load_file(file)
        except (SafetensorError, ValueError) as error:
            raise ValueError(f"{file} is damaged ({error}); {self._again(file)}") from error
        epochs, last = about.get("epochs"), str(len(self.metrics()))
        if epochs != last:
            found = f"after epoch {epochs}" if epochs else "of an unknown epoch"
            raise ValueError(f"{file} holds weights {found}, the training ended with epoch {last}")
        if about.get("digest", digest := _digest(weights)) != digest:  # earlier versions wrote none
            raise ValueError(f"{file} is damaged: its weights are not what was written; {self._again(file)}")
        return weights

    def _again(self, file: Path) -> str:
        return f"remove {file.name}, then write it again: skel pretrain --resume {self.path}"


def _digest(weights: Mapping[str, Tensor]) -> str:
    """Digest of weights; files keep them in an order of their own."""
    return state_digest(dict(sorted(weights.items())))


def check_new(path: Path) -> None:
    """Check that a run can be made at a path: nothing is there but what a killed process began to make.

    Raises:
        FileExistsError: If something else is there.
    """
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir() or any(not _begun(entry.name) for entry in path.iterdir()):
        raise FileExistsError(f"{path} exists already; name another folder, or go on with: --resume {path}")


def _begun(name: str) -> bool:
    return name in (LOCK, "recipe.toml") or (name.startswith(".") and ".partial-" in name)


@contextmanager
def hold_run(path: Path) -> Iterator[Lock]:
    """Hold the folder of a run, to be made or to go on with; only one process may write to it.

    A folder that is still empty at the end is removed.

    Raises:
        InUseError: If another process does.
    """
    path.mkdir(parents=True, exist_ok=True)
    try:
        with hold(path / LOCK, path) as lock:
            yield lock
    finally:
        with suppress(OSError):  # there is something in it
            path.rmdir()


def _relative(store: Path, run: Path) -> str:
    """Path of a store as seen from a run; empty if there is none, as between two drives."""
    try:
        return Path(os.path.relpath(store.absolute(), run.absolute())).as_posix()
    except ValueError:
        return ""


def clip_shape(recipe: Recipe, store: Store) -> ClipShape:
    """Layout, frames and bodies of the clips that a recipe makes of a store."""
    pipeline = recipe.data.pipeline
    bodies = pipeline.bodies or min(int(store.bodies.max()), 2)
    return ClipShape(store.layout, recipe.data.frames or pipeline.frames, bodies)


def build_encoders(recipe: Recipe, shape: ClipShape) -> dict[str, nn.Module]:
    """An encoder for each stream, with the weights that the recipe's seed gives."""
    torch.manual_seed(recipe.train.seed)
    return {name: recipe.encoder.build(shape, name) for name in recipe.data.streams}
