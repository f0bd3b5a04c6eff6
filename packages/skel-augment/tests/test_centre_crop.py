import pytest
import torch

from skel_augment import centre_crop, recorded_frames


@pytest.mark.vectors("window.095")
def test_published_windows(vector):
    frames = torch.from_numpy(vector["in.frames"])
    size = vector.config["output_frames"]
    position = centre_crop(frames, vector.config["ratio"], size).position
    assert torch.equal(position.float(), torch.from_numpy(vector["out.position"]))
    start, length = (torch.from_numpy(vector[f"out.{name}"]) for name in ("start", "length"))
    assert torch.equal(length, frames - 2 * start)
    assert (position >= start[:, None]).all()
    assert (position <= (start + length - 1)[:, None]).all()


def test_whole_clips_are_resized():
    assert torch.equal(centre_crop(torch.tensor([4]), 1.0, 4).position, torch.arange(4.0)[None].double())


def test_gaps_are_recorded_and_padding_is_not():
    clips = torch.zeros(3, 3, 8, 5, 2)
    clips[0, :, [0, 1, 5]] = 1
    clips[1] = 1
    assert recorded_frames(clips).tolist() == [6, 8, 1]
