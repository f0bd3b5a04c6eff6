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
        run: A finished run, or an encoder folder.
        out: A folder, which `skel_encoders.from_pretrained` opens and which every command takes in the place
            of a run; or a file that ends in .onnx, for any
            batch size (needs the extra skel-encoders[onnx]).
        stream: The stream whose encoder it is; needed where there are several.
    """
    import torch
    from attrs import evolve

    from skel_encoders import export_encoder
    from skel_recipes.run.folder import save_folder
    from skel_recipes.run.run import Run

    opened = Run.open(run)
    encoder = opened.encoder(stream)
    if out.suffix == ".onnx":
        shape = opened.shape
        clips = torch.zeros(2, shape.layout.channels, shape.frames, shape.layout.num_joints, shape.bodies)
        export_encoder(encoder, clips, out)
    else:
        name, info = stream or opened.streams[0], opened.info
        data = evolve(opened.recipe.data, stream=name)
        told = {"store": info["store"], "split": info["split"], "classes": info.get("classes", ())}
        save_folder(encoder, out, data, name=opened.recipe.name, bodies=opened.shape.bodies, **told)
    say(f"{out}: {type(encoder).__name__} of {run}")


def convert_checkpoint(
    encoder: Annotated[str, tyro.conf.Positional],
    source: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    layout: str = "ntu-25",
    frames: int = 0,
    bodies: int = 2,
    stream: str = "joint",
    input_stream: str = "",
    pipeline: str = "default",
    set: tuple[str, ...] = (),  # noqa: A002 (the flag's name)
) -> None:
    """Bring the checkpoint of a published program into a folder that is taken in the place of a run.

    Args:
        encoder: What it is: stgcn, scd, agcn, ctrgcn, hcn, gru or transformer.
        source: The file, such as .pt or .pth.tar. Nothing in it is run.
        out: The folder.
        layout: Name of the joint layout, or a TOML file.
        frames: Frames of a clip; 0: as many as the pipeline makes, which are 64 of the default one.
        bodies: Bodies of a clip.
        stream: In a file with an encoder for each stream: joint, motion or bone; or the name of another
            network.
        input_stream: The stream that the encoder takes, where the file has one encoder and that takes
            motion or bone.
        pipeline: The pipeline that makes its clips, as "skel list pipelines" lists them.
        set: Settings of the encoder, such as feature_dim=512.
    """
    from skel_data import PIPELINES, STREAMS
    from skel_encoders import create_encoder, load_published
    from skel_recipes.config.library import parse_value
    from skel_recipes.config.recipe import DataSettings
    from skel_recipes.run.folder import save_folder

    settings: dict[str, Any] = {}
    for word in set:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, got {word!r}")
        settings[name] = parse_value(value)
    kind: Any = PIPELINES.lookup(pipeline)
    made = kind(bodies=bodies, **({"frames": frames} if frames else {}))
    frames = made.frames
    data = DataSettings(pipeline=made, stream=input_stream or (stream if stream in STREAMS else "joint"))
    loaded = create_encoder(encoder, layout=layout, frames=frames, bodies=bodies, **settings)
    load_published(loaded, source, stream=stream)
    save_folder(loaded, out, data, name=out.name, bodies=bodies)
    say(
        f"{out}: {type(loaded).__name__} from {source}; its clips: pipeline {pipeline}, "
        f"{data.stream} stream, {frames} frames"
    )
