"""Registry of pipelines."""

from typing import TYPE_CHECKING, Any

from attrs import has

from skel_data._registry import Registry

if TYPE_CHECKING:
    from skel_data.pipelines._pipeline import Pipeline


def _is_pipeline(part: Any) -> bool:
    members = ("name", "version", "frames", "bodies", "process")
    return isinstance(part, type) and has(part) and all(hasattr(part, name) for name in members)


PIPELINES: Registry[type["Pipeline"]] = Registry(
    "pipeline",
    {
        "default": "skel_data.pipelines._default:Default",
        "crossclr50": "skel_data.pipelines._crossclr50:CrosSCLR50",
        "agcn300": "skel_data.pipelines._agcn300:AGCN300",
        "ctrgcn": "skel_data.pipelines._ctrgcn:CTRGCN",
    },
    fits=_is_pipeline,
    expected="an attrs class with name, version, frames, bodies and process, as Pipeline says",
)
"""Pipeline classes by name; installed packages add theirs as entry points of the group ``skel.pipelines``."""
