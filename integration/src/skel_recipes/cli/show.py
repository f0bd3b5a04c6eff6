"""``skel show``: look at a clip."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from skel_augment import View
    from skel_data import Store

FORMATS = (".gif", ".html", ".png")
"""What a clip can be drawn as."""


def show(
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    clip: int | None = None,
    name: str | None = None,
    out: Path = Path("clip.html"),
    recipe: str = "compact",
    pipeline: str | None = None,
    view: str | None = None,
    frames: int = 10,
    fps: float = 30.0,
    seed: int = 0,
) -> None:
    """Draw a clip: as recorded, after the pipeline, and in augmented views.

    Left, right and trunk have different colours; further bodies are paler. Missing joints are left out.

    Example: skel show utd.store --clip 3 --out clip.gif

    Args:
        store: The recordings.
        clip: Which clip, from 0; the first if there is no --name either.
        name: Name of the clip, in place of its number.
        out: File to write: .html (animations and strips), .gif (animation) or .png (strips).
        recipe: Recipe whose pipeline and views are shown.
        pipeline: Pipeline to show in place of the recipe's, such as crossclr50, or your own as module:Name.
        view: View to show in place of the recipe's, such as aimclr.extreme; or a single augmentation, such as
            shear or your own as module:Name.
        frames: Figures in each strip.
        fps: Frames of the recording per second, for the pace of animations; not read from the store.
        seed: Seed of the views.
    """
    if out.suffix.lower() not in FORMATS:
        raise ValueError(f"--out must end in one of {', '.join(FORMATS)}, got {str(out)!r}")
    if frames < 1:
        raise ValueError(f"--frames must be at least 1, got {frames}")
    if not 1 <= fps <= 1000:
        raise ValueError(f"--fps must be from 1 to 1000, got {fps}")

    from skel_data import PIPELINES, Store
    from skel_data.files import write_atomically, write_file
    from skel_eval import clip_page, write_gif, write_png
    from skel_recipes.cli.output import printable, say
    from skel_recipes.config.recipe import load_recipe
    from skel_recipes.evaluate.clip_steps import clip_steps, skeleton_of
    from skel_recipes.methods.context import views_of

    opened = Store.open(store)
    index = _chosen(opened, clip, name)
    settings = load_recipe(recipe)
    layout = opened.layout
    steps = clip_steps(
        opened.clip(index),
        opened.tracks(index),
        layout,
        settings.data.pipeline if pipeline is None else PIPELINES.lookup(pipeline)(),
        views_of(settings.method) if view is None else {view: _view(view)},
        seed=seed,
    )
    label = int(opened.labels[index])
    kind = opened.classes[label] if label >= 0 else "unlabelled"
    title = " ".join(f"{opened.names[index]}: {kind}".split())
    skeleton = skeleton_of(layout)
    match out.suffix.lower():
        case ".html":
            write_atomically(out, clip_page(title, steps, skeleton, frames=frames, fps=fps))
        case ".gif":
            with write_file(out) as file:
                write_gif(file, title, steps, skeleton, fps=fps)
        case _:
            with write_file(out) as file:
                write_png(file, title, steps, skeleton, frames=frames)
    say(printable(f"{out}: clip {index}, {opened.names[index]}, {kind}"))


def _view(name: str) -> "View":
    """The preset view of a name, or a view of the one augmentation of this name."""
    from skel_augment import AUGMENTATIONS, build_view, preset, preset_names

    if name not in preset_names() and (name in AUGMENTATIONS or ":" in name):
        return build_view([{"name": name}])
    return preset(name)


def _chosen(store: "Store", clip: int | None, name: str | None) -> int:
    """Index of the clip that the user names by number or by name."""
    if name is None:
        index = clip or 0
        if not 0 <= index < len(store):
            raise ValueError(f"{store.path} has clips 0 to {len(store) - 1}, not {clip}")
        return index
    if clip is not None:
        raise ValueError(f"give --clip or --name, not both: got {clip} and {name!r}")
    names = store.names.tolist()
    found = [index for index, each in enumerate(names) if each == name]
    if not found:
        from difflib import get_close_matches

        near = get_close_matches(name, names, 3, 0.0)
        raise ValueError(f"{store.path} has no clip named {name!r}; the nearest are {', '.join(near)}")
    if len(found) > 1:
        raise ValueError(
            f"{store.path} has {len(found)} clips named {name!r}: --clip {found[0]} is the first"
        )
    return found[0]
