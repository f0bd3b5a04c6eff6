"""``skel export`` and ``skel convert-checkpoint``: encoders for other programs, and from them."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from skel_recipes.cli.output import say


def export(
    source: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    stream: str | None = None,
    pipeline: bool = True,
) -> None:
    """Write the encoder of a finished run, or a whole model, for programs of your own.

    Example: skel export model model.onnx

    Args:
        source: A finished run, or an encoder folder; or, for .onnx, a model.
        out: A file that ends in .onnx (needs the extra skel-encoders[onnx]): it takes any number of
            recordings of any length, and gives features, or, for a model, labels and probabilities. Or, for a
            run, a folder, which `skel_encoders.from_pretrained` opens and which every command takes
            instead of a run.
        stream: The stream of a run whose encoder it is; needed where there are several.
        pipeline: For .onnx: whether the pipeline is in the file. A file without it takes clips that skel_data
            has prepared.
    """
    from attrs import evolve

    from skel_recipes.run.folder import save_folder
    from skel_recipes.run.run import Run

    if out.suffix == ".onnx":
        from skel_recipes.model.files import load_model
        from skel_recipes.model.onnx import export_onnx

        is_model = (source / "model.json").exists()
        given = load_model(source, device="cpu") if is_model else Run.open(source)
        export_onnx(given, out, stream=stream, pipeline=pipeline)
        say(f"{out}: {'model' if is_model else 'encoder'} of {source}")
        return
    if (source / "model.json").exists():
        raise ValueError(
            f"{source} is a model: it is exported to a file that ends in .onnx, got {out}; "
            "its folder needs neither run nor store, and can be copied as it is"
        )
    if not pipeline:
        raise ValueError(f"--no-pipeline goes with a file that ends in .onnx, got {out}")
    opened = Run.open(source)
    encoder = opened.encoder(stream)
    name, info = stream or opened.streams[0], opened.info
    data = evolve(opened.recipe.data, stream=name)
    told: dict[str, Any] = {"store": info["store"], "split": info["split"], "init": info.get("init")}
    told["classes"] = info.get("classes", ())
    save_folder(encoder, out, data, name=opened.recipe.name, bodies=opened.shape.bodies, **told)
    say(f"{out}: {type(encoder).__name__} of {source}")


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
    recipe: str = "",
    set: tuple[str, ...] = (),  # noqa: A002 (the flag's name)
) -> None:
    """Turn the checkpoint of a published program into an encoder folder, which commands take like a run.

    Example: skel convert-checkpoint stgcn epoch300_model.pt aimclr-encoder --layout ntu-25

    Args:
        encoder: What it is: stgcn, scd, agcn, ctrgcn, hcn, gru, transformer, slim, dste or umurl.
        source: The file, such as .pt or .pth.tar. Nothing in it is run.
        out: The folder.
        layout: Name of the joint layout, or a TOML file.
        frames: Frames of a clip; 0: as many as the pipeline makes, 64 for the default one.
        bodies: Bodies of a clip.
        stream: In a file with an encoder for each stream: joint, motion or bone; or the name of another
            network.
        input_stream: The stream that the encoder takes, where the file has one encoder and that takes
            motion or bone.
        pipeline: The pipeline that makes its clips, as "skel list pipelines" lists them.
        recipe: Take pipeline, frames and window from this recipe, such as paper/slim-ntu60-xsub-joint.
        set: Settings of the encoder, such as feature_dim=512.
    """
    from attrs import evolve

    from skel_data import PIPELINES, STREAMS
    from skel_encoders import create_encoder, load_published
    from skel_recipes.config.library import parse_settings
    from skel_recipes.config.recipe import DataSettings, load_recipe
    from skel_recipes.run.folder import save_folder

    taken = input_stream or (stream if stream in STREAMS else "joint")
    if recipe:
        if frames or pipeline != "default":
            raise ValueError("--recipe has pipeline and frames: give it alone, or --pipeline and --frames")
        data = evolve(load_recipe(recipe).data, stream=taken)
        frames = data.frames or data.pipeline.frames
    else:
        kind: Any = PIPELINES.lookup(pipeline)
        data = DataSettings(kind(bodies=bodies, **({"frames": frames} if frames else {})), taken)
        frames = data.pipeline.frames
    loaded = create_encoder(encoder, layout=layout, frames=frames, bodies=bodies, **parse_settings(set))
    load_published(loaded, source, stream=stream)
    save_folder(loaded, out, data, name=out.name, bodies=bodies)
    say(
        f"{out}: {type(loaded).__name__} from {source}; its clips: pipeline {data.pipeline.name}, "
        f"{data.stream} stream, {frames} frames"
    )
