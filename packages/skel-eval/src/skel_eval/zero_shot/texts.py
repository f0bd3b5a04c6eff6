"""Texts of classes as vectors, from a user's file."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from skel_eval._arrays import Array, as_features, as_tensor


def load_texts(path: str | Path, classes: Sequence[str]) -> np.ndarray:
    """Read the texts of classes, in the order of `classes`.

    Args:
        path: An ``.npz`` file with ``names`` (K,), in any order, and ``texts``, (K, D) or of several
            descriptions (K, descriptions, D); or an ``.npy`` file with one row for each class, in order.
        classes: Names of the classes.

    Returns:
        (classes, D) or (classes, descriptions, D) in float64.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, has no text for a class or two, or holds a number that is not
            finite or a text of zeros.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                names, texts = None, loaded
            elif {"names", "texts"} <= set(loaded.files):
                names, texts = [str(name) for name in np.ravel(loaded["names"])], loaded["texts"]
            else:
                raise ValueError(f"it holds {', '.join(loaded.files) or 'nothing'}, not names and texts")
    except FileNotFoundError:
        raise FileNotFoundError(f"no texts at {path}") from None
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} is no .npz file with names and texts, or .npy file: {error}") from error
    if names is not None:
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{path} names class {twice!r} twice")
        if texts.ndim == 0 or len(texts) != len(names):
            raise ValueError(f"{path} holds {len(names)} names and texts of shape {texts.shape}")
        place = {name: row for row, name in enumerate(names)}
        if missing := [name for name in classes if name not in place]:
            raise ValueError(f"{path} has no text for {', '.join(map(repr, missing))}")
        texts = texts[[place[name] for name in classes]]
    try:
        return check_texts(texts, len(classes))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def check_texts(texts: Array, classes: int) -> np.ndarray:
    """Texts as float64, (classes, D) or (classes, descriptions, D).

    Raises:
        TypeError: If they are no array of numbers.
        ValueError: If the shape is another, a number is not finite, or a text is all zeros.
    """
    values = as_tensor(texts, "texts").cpu()
    if values.ndim not in (2, 3) or len(values) != classes or 0 in values.shape:
        raise ValueError(
            f"texts must have shape ({classes}, D) or ({classes}, descriptions, D), one row for each class, "
            f"got {tuple(values.shape)}"
        )
    as_features(values.flatten(0, -2), "texts")
    if not bool((values != 0).any(-1).all()):
        raise ValueError("a text is all zeros")
    return np.asarray(values.double().numpy())


def one_text(texts: np.ndarray) -> np.ndarray:
    """One text for each class (C, D): itself, or the mean of its descriptions (C, K, D), each of length 1."""
    if texts.ndim == 2:
        return texts
    mean: np.ndarray = (texts / np.linalg.norm(texts, axis=-1, keepdims=True)).mean(1)
    return mean
