"""``skel show``: look at a clip."""

from html import escape
from pathlib import Path
from typing import Annotated, Any, cast

import tyro


def show(
    store: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    clip: int = 0,
    out: Path = Path("clip.html"),
    recipe: str = "compact",
    frames: int = 10,
    seed: int = 0,
) -> None:
    """Draw a clip: as recorded, as the pipeline of a recipe makes it, and in the views of its method.

    Args:
        store: The recordings.
        clip: Which clip, from 0.
        out: HTML file to write.
        recipe: Recipe whose pipeline and views are shown.
        frames: Figures in each strip.
        seed: Decides the views.
    """
    import attrs
    import torch

    from skel_augment import View
    from skel_data import Store, apply_pipeline
    from skel_eval import strip_svg
    from skel_recipes._files import write_text
    from skel_recipes._recipe import load_recipe
    from skel_recipes.commands._say import say

    opened = Store.open(store)
    if not 0 <= clip < len(opened):
        raise ValueError(f"{store} has clips 0 to {len(opened) - 1}, not {clip}")
    settings = load_recipe(recipe)
    layout = opened.layout
    raw = opened.clip(clip)
    processed = apply_pipeline(settings.data.pipeline, layout, [raw], [opened.tracks(clip)])
    label = int(opened.labels[clip])
    name = opened.classes[label] if label >= 0 else "unlabelled"

    strips = {
        f"as recorded, {len(raw)} frames": raw.transpose(3, 0, 2, 1),
        f"pipeline {settings.data.pipeline.name}": processed[0],
    }
    generator = torch.Generator().manual_seed(seed)
    views = attrs.asdict(cast("Any", settings.method), recurse=False)
    for key, view in views.items():
        if isinstance(view, View):
            for draw in (1, 2):
                drawn = view(torch.from_numpy(processed), layout, generator=generator)
                strips[f"{key}, draw {draw}"] = drawn[0].numpy()
    figures = "".join(
        f"<h2>{escape(title)}</h2>{strip_svg(values, layout.bones, frames, up=layout.dims == 3)}"
        for title, values in strips.items()
    )
    heading = escape(f"{opened.names[clip]}: {name}")
    write_text(
        out,
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f"<title>{heading}</title><style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem}}"
        f"h2{{font-size:1rem;margin:1.5rem 0 .3rem}}</style><h1>{heading}</h1>{figures}</html>\n",
    )
    say(f"{out}: clip {clip}, {opened.names[clip]}, {name}")
