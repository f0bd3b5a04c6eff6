"""Print what is happening, from frames of a pose estimator that come as JSON lines.

    python camera.py | python stream_labels.py MODEL

MODEL is a folder that ``skel fit`` wrote. A line is a frame: ``{"time": SECONDS, "people": [...]}``, or the
list of its people alone, empty or null for none. A person is a list of joints in the order of the model's
layout. A joint is a list of numbers, such as ``[x, y, score]``, or a landmark of MediaPipe, ``{"x": ..., "y":
..., "z": ..., "visibility": ...}``. Each label is printed once, when it begins, with its probability.
"""

import json
import sys

import numpy as np

from skel_recipes import load_model


def joint(mark: dict[str, float] | list[float]) -> list[float]:
    """Numbers of a joint; y of MediaPipe's world landmarks points down, and is turned up as by an import."""
    return [mark["x"], -mark["y"], -mark["z"], mark["visibility"]] if isinstance(mark, dict) else mark


def main(model: str) -> None:
    """Read frames from standard input until it ends."""
    stream, last = load_model(model).stream(), ""
    for line in sys.stdin:
        frame = json.loads(line)
        people, time = (frame.get("people"), frame.get("time")) if isinstance(frame, dict) else (frame, None)
        bodies = np.array([[joint(mark) for mark in person] for person in people]) if people else None
        now = stream.push(bodies, time)
        if now is not None and now.name != last:
            last = now.name
            sys.stdout.write(f"{last} {now.probability:.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
