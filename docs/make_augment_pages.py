"""Draws the pictures of the pages below augment/: what each augmentation does to a clip.

python docs/make_augment_pages.py [STORE CLIP PARTNER]

Without a store two synthetic clips are drawn, so that anybody gets the same pictures.
"""

import io
import sys
from pathlib import Path

import numpy as np
import torch
from attrs import fields

import skel_augment as sa
from skel_data import PIPELINES, ClipShape, Store, get_layout
from skel_data.synth import SynthSettings, synth_clips
from skel_eval import write_png
from skel_recipes.evaluate.clip_steps import clip_steps, skeleton_of

OUT = Path(__file__).parent / "_static" / "augment"
FRAMES = 8
SEEDS = {
    "space": 5,
    "joints": 3,
    "time": 3,
    "noise": 3,
    "masks": 3,
    "mixing": 2,
}  # draws that are easy to see
FAMILIES = {
    "space": [
        sa.Shear(0.5),
        sa.Yaw(90),
        sa.Tilt(30),
        sa.RandomAxisRotation(),
        sa.EulerRotation(),
        sa.RandomRotation(),
    ],
    "joints": [sa.SpatialFlip(), sa.SpatialFlip(mirror_axis=True), sa.JointDistortion(0.2)],
    "time": [
        sa.TemporalCrop(2),
        sa.TemporalCropResize(0.4, 0.5),
        sa.SpeedChange(1.8, 1.9),
        sa.TimeWarp(0.9),
        sa.TimeFlip(),
        sa.SegmentShuffle(3),
    ],
    "noise": [sa.GaussianNoise(0.03), sa.JointJitter(0.03), sa.JointDrift(), sa.GaussianBlur(sigma=(3, 3))],
    "masks": [
        sa.JointMask(),
        sa.JointMask(segments=0),
        sa.StructuralSpatialMask(),
        sa.CentralSpatialMask(),
        sa.PartMask(2),
        sa.PartMask(3, segments=8),
        sa.FrameDrop(0.3),
        sa.TemporalSegmentMask(8, 3),
        sa.MotionAttentionMask(),
    ],
}


def recordings(arguments):
    """Coordinates and tracks of two clips, and their layout."""
    if arguments:
        store = Store.open(arguments[0])
        return [(store.clip(i), store.tracks(i)) for i in map(int, arguments[1:3])], store.layout
    settings = SynthSettings(subjects=2, cameras=1, repetitions=1, noise=0.004, hidden=0.0)
    clips = {settings.class_names[clip.label]: clip for clip in synth_clips(settings) if clip.subject == 1}
    chosen = [clips["raise then reach"], clips["squat then stretch"]]
    there = [np.ones(clip.positions.shape[:2], np.int64) for clip in chosen]
    return [(clip.positions, each) for clip, each in zip(chosen, there, strict=True)], get_layout("ntu-25")


def title(step):
    """The class with the settings that are not its defaults."""
    changed = [
        f"{each.name}={getattr(step, each.name)!r}"
        for each in fields(type(step))
        if getattr(step, each.name) != each.default
    ]
    return f"{type(step).__name__}({', '.join(changed)})"


def write(name, layout, drawn):
    file = io.BytesIO()
    write_png(file, name, drawn, skeleton_of(layout), frames=FRAMES)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.png").write_bytes(file.getvalue())


def main(arguments):
    (clip, other), layout = recordings(arguments)
    pipeline = PIPELINES["crossclr50"]()
    for family, steps in FAMILIES.items():
        views = {title(step): sa.View((step,)) for step in steps}
        _, before, *after = clip_steps(*clip, layout, pipeline, views, draws=1, seed=SEEDS[family]).items()
        drawn = {name.removesuffix(", draw 1"): points for name, points in after}
        write(family, layout, {"the clip": before[1], **drawn})

    first, second = (list(clip_steps(*each, layout, pipeline, {}).values())[1] for each in (clip, other))
    frames, bodies = first.shape[:2]
    shape = ClipShape(layout, frames, bodies)
    (params,) = sa.View((sa.PartMix(),)).sample(
        shape, 1, generator=torch.Generator().manual_seed(SEEDS["mixing"])
    )
    region = params.region[0].numpy()[:, None, :, None]
    mixed = np.where(region, second, first)
    mixing = f"PartMix(), share {params.share.item():.2f}"
    write("mixing", layout, {"the clip": first, "its partner": second, mixing: mixed})


if __name__ == "__main__":
    main(sys.argv[1:])
