"""The published pipelines, against what the published programs made."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from skel_data import CTRGCN, PIPELINES, CrosSCLR50, apply_pipeline, build_clips, import_dataset

SMALL = Path(__file__).with_name("golden")
"""Made by ``make.py`` beside them; they hold what goes in as well."""


@pytest.mark.parametrize("path", sorted(SMALL.glob("ctrgcn.*.npz")), ids=lambda path: path.stem)
def test_ctrgcn(path, ntu):
    with np.load(path) as golden:
        config = json.loads(str(golden["config"]))
        x, expected = golden["in.x"] / config["unit"], golden["out.x"] / config["unit"]
        clips = apply_pipeline(CTRGCN(), ntu, [x], [golden["in.tracks"]])
    frames, bodies = expected.shape[1], expected.shape[3]
    np.testing.assert_allclose(clips[0, :, :frames, :, :bodies], expected, rtol=0, atol=1e-6)
    assert not clips[0, :, frames:].any()
    assert not clips[0, ..., bodies:].any()


def test_ctrgcn_in_one_batch(ntu):
    golden = [np.load(path) for path in sorted(SMALL.glob("ctrgcn.*.npz"))]
    assert len(golden) == 12
    clips = apply_pipeline(
        CTRGCN(), ntu, [g["in.x"] / 1024 for g in golden], [g["in.tracks"] for g in golden]
    )
    for clip, g in zip(clips, golden, strict=True):
        expected = g["out.x"] / 1024
        np.testing.assert_allclose(
            clip[:, : expected.shape[1], :, : expected.shape[3]], expected, rtol=0, atol=1e-6
        )
        g.close()


@pytest.mark.vectors("crossclr50.long")
def test_long_recordings(vector, ntu):
    clips = apply_pipeline(CrosSCLR50(), ntu, [vector["in.x"]])
    np.testing.assert_allclose(clips[0], vector["out.clip"], rtol=0, atol=1e-5)


def golden_files(folder: Path, pipeline: str) -> Iterator[tuple[str, dict, dict]]:
    """File, config and arrays of each golden clip of a pipeline."""
    for path in sorted((folder / "golden").glob(f"{pipeline}.*.npz")):
        with np.load(path) as golden:
            config = json.loads(str(golden["config"]))
            yield config["file"], config, {name: golden[name] for name in golden.files if name != "config"}


@pytest.mark.ntu_format
@pytest.mark.parametrize("name", [name for name in PIPELINES if name != "default"])
def test_good_files_give_the_published_clips(name, tmp_path):
    if "SKEL_NTU_FORMAT" not in os.environ:
        pytest.skip("SKEL_NTU_FORMAT is not set: no folder with files in the NTU format")
    folder = Path(os.environ["SKEL_NTU_FORMAT"])
    files = list(golden_files(folder, name))
    if not files:
        pytest.skip(f"no golden clips of {name} in {folder}")
    store = import_dataset("ntu60", folder / "nturgb+d_skeletons", tmp_path / "store")
    assert sorted(file for file, _, _ in files) == sorted(store.names)
    pipeline = PIPELINES[name]()
    clips = build_clips(store, pipeline, mmap=True)
    if name == "crossclr50":  # the program for NTU takes none so long; these clips were made of the first 300
        long = np.flatnonzero(store.lengths > 300)
        clips = np.array(clips)
        clips[long] = build_clips(store, CrosSCLR50(keep="first"))[long]
    for file, _, arrays in files:
        index = store.names.tolist().index(file)
        expected = arrays["out.x"]
        np.testing.assert_allclose(clips[index][:, : expected.shape[1]], expected, rtol=0, atol=1e-4)
