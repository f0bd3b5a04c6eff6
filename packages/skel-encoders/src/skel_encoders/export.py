"""Export of encoders as ONNX."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from skel_data.files import write_atomically


def export_encoder(encoder: nn.Module, clips: Tensor, path: str | Path) -> None:
    """Write an encoder as ONNX: ``clips`` (N, C, T, V, M) in, ``features`` (N, D) out, for any N.

    Args:
        encoder: The encoder, in eval mode.
        clips: Two clips or more of the shape to export; everything but N is fixed by them.
        path: The file to write.

    Raises:
        ImportError: If the packages of the extra ``onnx`` are not installed.
        ValueError: If the encoder is in training mode, or there are fewer than two clips.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise ImportError("export needs more packages: pip install 'skel-encoders[onnx]'")
    if encoder.training:
        raise ValueError("only an encoder in eval mode can be exported; call encoder.eval() first")
    if len(clips) < 2:
        raise ValueError(f"two clips or more are needed to tell the batch from a constant, got {len(clips)}")
    program = torch.export.export(encoder, (clips,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    names: dict[str, Any] = {"input_names": ["clips"], "output_names": ["features"]}
    made: Any = torch.onnx.export(program, external_data=False, verbose=False, **names)
    write_atomically(Path(path), made.model_proto.SerializeToString())
