"""An HTML page that needs nothing else, and how it gets onto the disk."""

import os
import tempfile
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path


def page(title: str, subtitle: str, head: str, sections: Iterable[tuple[str, str]]) -> str:
    """A page with its style and script inside, light or dark as the reader has it.

    Args:
        title: Headline.
        subtitle: One line below it, or empty.
        head: HTML above the sections.
        sections: Name and HTML of each; those without HTML are left out.
    """
    shown = [(name, body) for name, body in sections if body]
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name, _ in shown)
    navigation = f"<nav>{links}</nav>" if len(shown) > 1 else ""
    bodies = "".join(
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{body}</section>' for name, body in shown
    )
    below = f'<p class="subtitle">{escape(subtitle)}</p>' if subtitle else ""
    assets = files("skel_eval")
    style = assets.joinpath("report.css").read_text(encoding="utf-8")
    script = assets.joinpath("report.js").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{below}{head}{navigation}</header>"
        f"<main>{bodies}</main><script>{script}</script></body></html>\n"
    )


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write a file whole or not at all; an existing one is replaced.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder of the report does not exist: {target.parent}")
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
