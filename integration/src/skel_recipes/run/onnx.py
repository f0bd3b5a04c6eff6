"""ONNX files that take recordings: pipeline, encoder and, where there is one, a classifier in one graph."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from skel_encoders import export_encoder
from skel_recipes.common.files import check_folder, write_atomically
from skel_recipes.run.graph import WholeGraph, steps_of
from skel_recipes.run.run import Run


def export_onnx(
    run: Run,
    out: str | Path,
    *,
    stream: str | None = None,
    pipeline: bool = True,
    head: nn.Module | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Write an ONNX file that needs no other program: recordings in, features or logits out.

    Its input is ``recordings`` (batch, frames, M, V, C), as they were recorded, of any batch and any number of
    frames; each of the M slots is one body, absent bodies and the end of shorter recordings are zeros. Its
    output is ``features`` (batch, D), or ``logits`` (batch, K) where there is a classifier. The metadata of the
    file tell layout, joints, stream, frames, bodies, units, up axis, classes and versions.

    Args:
        run: A finished run, or an encoder folder.
        out: The file.
        stream: The stream whose encoder it is; needed where there are several.
        pipeline: Whether the pipeline is inside. Otherwise the input is ``clips`` (batch, C, T, V, M), as the
            pipeline makes them, in the encoder's stream.
        head: A classifier, from features (N, D) to logits (N, K); only with the pipeline.
        classes: Names of its classes.

    Raises:
        ImportError: If the packages of the extra ``skel-encoders[onnx]`` are not installed.
        ValueError: If a step of the pipeline cannot be exported; the message says which. Or if the run has no
            such stream or is not finished.
        FileNotFoundError: If there is no folder for the file.
    """
    out = Path(out)
    check_folder(out)
    if head is not None and not pipeline:
        raise ValueError("a classifier is exported with the pipeline only: leave pipeline=True")
    encoder, shape, name = run.encoder(stream), run.shape, stream or run.streams[0]
    sizes = (shape.bodies, shape.layout.num_joints, shape.layout.channels)
    if not pipeline:
        export_encoder(encoder, torch.zeros(2, sizes[2], shape.frames, sizes[1], sizes[0]), out)
        _describe(out, _facts(run, name, classes, "clips", "features"))
        return
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise ImportError("export needs more packages: pip install 'skel-encoders[onnx]'")
    graph = WholeGraph(steps_of(run), name, shape.layout, encoder, head).eval()
    recordings = torch.randn(3, 2 * shape.frames + 1, *sizes, generator=torch.Generator().manual_seed(0))
    dynamic = ({0: torch.export.Dim("batch", max=2**20), 1: torch.export.Dim("frames", max=2**20)},)
    with torch.no_grad():
        program = torch.export.export(graph, (recordings,), dynamic_shapes=dynamic)
    output = "features" if head is None else "logits"
    names: dict[str, Any] = {"input_names": ["recordings"], "output_names": [output]}
    made = torch.onnx.export(program, external_data=False, verbose=False, **names)
    assert made is not None
    facts = _facts(run, name, classes, "recordings", output)
    model = made.model_proto
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    data = model.SerializeToString()
    write_atomically(out, lambda file: file.write(data))


def _facts(run: Run, stream: str, classes: Sequence[str], takes: str, gives: str) -> dict[str, str]:
    layout = run.layout
    store = run.store()
    return {
        "input": takes,
        "output": gives,
        "layout": layout.name,
        "joints": json.dumps(layout.joints),
        "channels": json.dumps([*"xyz"[: layout.dims], *["confidence"] * layout.confidence]),
        "stream": stream,
        "pipeline": run.pipeline.name,
        "frames": str(run.shape.frames),
        "bodies": str(run.shape.bodies),
        "classes": json.dumps(list(classes or run.info.get("classes", ()))),
        "units": "any" if store is None else store.units,
        "up": "y" if layout.dims == 3 else "image rows grow downwards",
        "model": run.recipe.name,
        "version": version("skel-recipes"),
    }


def _describe(file: Path, facts: dict[str, str]) -> None:
    """Add metadata to a file."""
    import onnx

    model = onnx.load(file)
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    data = model.SerializeToString()
    write_atomically(file, lambda target: target.write(data))
