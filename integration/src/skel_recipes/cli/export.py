"""``skel export`` and ``skel convert-checkpoint``: encoders for other programs, and from them."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from skel_recipes.cli.output import say


def export(
    run: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    stream: str | None = None,
) -> None:
    """Write the encoder of a finished run for programs of your own.

    Args:
        run: A finished run.
        out: A folder, which `skel_encoders.from_pretrained` opens; or a file that ends in .onnx, for any
            batch size (needs the extra skel-encoders[onnx]).
        stream: The stream whose encoder it is; needed where there are several.
    """
    import torch

    from skel_encoders import export_encoder, save_pretrained
    from skel_recipes.run.run import Run

    opened = Run.open(run)
    encoder = opened.encoder(stream)
    if out.suffix == ".onnx":
        shape = opened.shape
        clips = torch.zeros(2, shape.layout.channels, shape.frames, shape.layout.num_joints, shape.bodies)
        export_encoder(encoder, clips, out)
    else:
        save_pretrained(encoder, out)
    say(f"{out}: {type(encoder).__name__} of {run}")


def convert_checkpoint(
    encoder: Annotated[str, tyro.conf.Positional],
    source: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    layout: str = "ntu-25",
    frames: int = 64,
    bodies: int = 2,
    stream: str = "joint",
    set: tuple[str, ...] = (),  # noqa: A002 (the flag's name)
) -> None:
    """Bring the checkpoint of a published program into a folder that `skel_encoders.from_pretrained` opens.

    Args:
        encoder: What it is: stgcn, scd, agcn, ctrgcn, hcn, gru or transformer.
        source: The file, such as .pt or .pth.tar. Nothing in it is run.
        out: The folder.
        layout: Name of the joint layout, or a TOML file.
        frames: Frames of a clip, for encoders that depend on them.
        bodies: Bodies of a clip, for encoders that depend on them.
        stream: In a file with an encoder for each stream: joint, motion or bone; or the name of another
            network.
        set: Settings of the encoder, such as feature_dim=512.
    """
    from skel_encoders import create_encoder, load_published, save_pretrained
    from skel_recipes.config.library import parse_value

    settings: dict[str, Any] = {}
    for word in set:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, got {word!r}")
        settings[name] = parse_value(value)
    loaded = create_encoder(encoder, layout=layout, frames=frames, bodies=bodies, **settings)
    load_published(loaded, source, stream=stream)
    save_pretrained(loaded, out)
    say(f"{out}: {type(loaded).__name__} from {source}")
