"""``skel list``: the parts that a recipe or a command can name."""

from difflib import get_close_matches
from typing import Annotated

import tyro

from skel_recipes.cli.output import say, table

KINDS = (
    *("methods", "encoders", "augmentations", "views", "pipelines"),
    *("layouts", "readers", "class-maps", "protocols", "recipes"),
)


def list_parts(kind: Annotated[str, tyro.conf.Positional], /) -> None:
    """List the parts of a kind with a description: built in, or registered by an installed package.

    Example: skel list methods

    Args:
        kind: methods, encoders, augmentations, views, pipelines, layouts, readers, class-maps, protocols
            or recipes.
    """
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, 1)
        meant = f"did you mean {near[0]}? There are" if near else "there are"
        raise ValueError(f"no kind of parts {kind!r}; {meant} {', '.join(KINDS)}")
    say(table(summaries(kind), right=()))


def summaries(kind: str) -> list[tuple[str, str]]:
    """Name and first sentence of every part of a kind."""
    if kind == "recipes":
        from skel_recipes.config.library import recipe_names, recipe_summary

        names = sorted(recipe_names(), key=lambda name: ("/" in name, name))
        return [(name, recipe_summary(name)) for name in names]
    if kind == "layouts":
        from skel_data import get_layout, layout_names

        layouts = [get_layout(name) for name in layout_names()]
        return [(one.name, f"{one.num_joints} joints, {one.dims}-D") for one in layouts]
    if kind == "class-maps":
        from skel_data import class_map_names, read_class_map

        maps = [read_class_map(name) for name in class_map_names()]
        return [
            (one.name, f"{len(one.pairs)} classes of {', '.join(one.source)} in {', '.join(one.target)}")
            for one in maps
        ]
    if kind == "views":
        from skel_augment import preset_steps

        return [(name, ", ".join(steps)) for name, steps in preset_steps().items()]
    registry = _registry(kind)
    return [(name, registry.summary(name)) for name in registry]


def _registry(kind: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 (registries of several kinds)
    import skel_augment
    import skel_data
    import skel_encoders
    from skel_recipes.evaluate.protocols import PROTOCOLS
    from skel_recipes.methods import METHODS

    return {
        "methods": METHODS,
        "encoders": skel_encoders.ENCODERS,
        "augmentations": skel_augment.AUGMENTATIONS,
        "pipelines": skel_data.PIPELINES,
        "readers": skel_data.READERS,
        "protocols": PROTOCOLS,
    }[kind]
