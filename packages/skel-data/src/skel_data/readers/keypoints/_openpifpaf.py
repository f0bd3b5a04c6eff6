"""openpifpaf (Kreiss et al., T-ITS 2021): one file a video, a line or a list entry a frame.

A frame is ``{"frame": 12, "predictions": [{"keypoints": [x, y, score, ...]}]}``; a prediction of the tracker
has ``id_``. Its files for single images are read by `image-json`.
"""

from typing import Any

from skel_data.readers.keypoints._keypoints import Frames, Person, brief, joints_and_scores
from skel_data.readers.keypoints._people import any_track, list_of_dicts, people_reader, read_any


def frames_of(data: bytes) -> Frames:
    """The people of each frame."""
    content = read_any(data)
    frames = Frames()
    for item in list_of_dicts([content] if isinstance(content, dict) else content, "the file"):
        number = item.get("frame")
        if type(number) is not int or number in frames:
            raise ValueError(f"frame must be a whole number, each once, not {brief(number)}")
        frames.add_all(number, item.get("predictions"), _person, "predictions")
    return frames


def _person(person: dict[str, Any]) -> Person:
    return Person(
        joints_and_scores(person.get("keypoints"), "keypoints"), any_track(person, "id_", "track_id")
    )


OPENPIFPAF = people_reader("openpifpaf", frames_of)
