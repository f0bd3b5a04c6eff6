"""ONNX files with everything in one graph: pipeline, encoders and, for a model, the classifier."""

import json
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from skel_data.files import check_folder, write_atomically
from skel_recipes.evaluate.inputs import encoder_refs
from skel_recipes.model.embedder import Embedder
from skel_recipes.model.graph import LONGEST, Graph
from skel_recipes.model.model import Model
from skel_recipes.run.run import Run

_BLOCK = 256
"""Recordings that each part takes in one block; the graph is made of that, and takes more as well."""


def export_onnx(
    source: Run | Model, out: str | Path, *, stream: str | None = None, pipeline: bool = True
) -> None:
    """Write an ONNX file that needs no other program: recordings in, labels or features out.

    Its input is ``recordings`` (batch, frames, M, V, C), as they were recorded, of any batch and any number
    of frames; each of the M slots is one body, absent bodies and the end of shorter recordings are zeros. Its
    outputs are ``labels`` (batch,), -1 for none of these, and ``probabilities`` (batch, classes) of a model,
    or ``features`` (batch, D) of a run. The metadata of the file tell layout, joints, streams, frames,
    bodies, classes, threshold, units, up axis and version.

    Args:
        source: A model; or a finished run or an encoder folder.
        out: The file.
        stream: The stream of a run whose encoder it is; needed where there are several.
        pipeline: Whether the pipeline is inside. Otherwise the input is ``clips`` (batch, C, T, V, M), as the
            pipeline makes them, of the joint stream.

    Raises:
        ImportError: If the packages of the extra ``skel-encoders[onnx]`` are not installed.
        ValueError: If a step of the pipeline cannot be exported; the message says which. Or if the run has no
            such stream or is not finished, or a stream of a model is named.
        FileNotFoundError: If there is no folder for the file.
    """
    out = Path(out)
    check_folder(out)
    if isinstance(source, Model):
        if stream is not None:
            raise ValueError("a model is exported with all its streams: leave out --stream")
        model, embedder = source, source.embedder
    else:
        source.encoder(stream)  # refuses what is not there
        model, embedder = None, Embedder.of(encoder_refs([source], stream=stream), torch.device("cpu"))
    graph, shape = Graph(embedder, model, pipeline=pipeline).eval(), embedder.shape
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise ImportError("export needs more packages: pip install 'skel-encoders[onnx]'")
    layout, batch = shape.layout, torch.export.Dim("batch", max=_BLOCK)
    given = "recordings" if pipeline else "clips"
    gives = ["features"] if model is None else ["labels", "probabilities"]
    if pipeline:
        example = torch.randn(3, 2 * shape.frames + 1, shape.bodies, layout.num_joints, layout.channels)
        dynamic = {0: batch, 1: torch.export.Dim("frames", max=LONGEST)}
    else:
        example = torch.randn(3, layout.channels, shape.frames, layout.num_joints, shape.bodies)
        dynamic = {0: batch}
    with torch.no_grad():
        program = torch.export.export(graph, (example,), dynamic_shapes=(dynamic,))
    names: dict[str, Any] = {"input_names": [given], "output_names": gives}
    made: Any = torch.onnx.export(program, external_data=False, verbose=False, **names)
    proto = made.model_proto
    _name_axes(proto.graph, [dynamic[axis].__name__ for axis in sorted(dynamic)])
    for key, value in {"input": given, "outputs": ",".join(gives), **_facts(source, embedder)}.items():
        proto.metadata_props.add(key=key, value=value)
    data = proto.SerializeToString()
    write_atomically(out, data)


def _name_axes(graph: Any, names: list[str]) -> None:
    """Call the dynamic axes of the input by these names, and those of all other values that are as long."""
    symbols = [axis.dim_param for axis in graph.input[0].type.tensor_type.shape.dim if axis.dim_param]
    known = dict(zip(symbols, names, strict=True))
    word = re.compile("|".join(rf"\b{re.escape(symbol)}\b" for symbol in symbols))
    for value in (*graph.input, *graph.output, *graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = word.sub(lambda found: known[found.group()], axis.dim_param)


def _facts(source: Run | Model, embedder: Embedder) -> dict[str, str]:
    layout, shape = embedder.layout, embedder.shape
    facts = {
        "layout": layout.name,
        "joints": json.dumps(layout.joints),
        "channels": json.dumps([*"xyz"[: layout.dims], *["confidence"] * layout.confidence]),
        "streams": json.dumps(embedder.streams),
        "pipeline": embedder.pipeline.name,
        "frames": str(shape.frames),
        "bodies": str(shape.bodies),
        "min_score": repr(float(embedder.min_score)),
        "up": "y" if layout.dims == 3 else "-y",
        "version": f"skel-recipes {version('skel-recipes')}",
    }
    if isinstance(source, Model):
        return facts | {
            "classes": json.dumps(source.classes),
            "threshold": repr(float(source.threshold)),
            "clip_frames": str(source.clip_frames),
            "fps": repr(float(source.fps)),
            "units": str(source.origin["store"]["units"]),
        }
    store = source.store()
    return facts if store is None else facts | {"units": store.units}
