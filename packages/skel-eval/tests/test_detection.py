"""Detection: segments, their metrics beside loops over the definitions, and the classifier of windows."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skel_eval import (
    Extraction,
    between_centres,
    detection_map,
    detections,
    edit_score,
    frame_accuracy,
    frame_labels,
    label_frames,
    segmental_f1,
    segments_of,
    smooth,
    stretch,
    window_probabilities,
)

OVERLAPS = (0.1, 0.25, 0.3, 0.5, 0.7)
MANY = settings(max_examples=50)

# The definitions, in loops and sets of frames.


def plain_segments(labels):
    found = []
    for frame, label in enumerate(labels):
        if label >= 0 and frame and labels[frame - 1] == label:
            found[-1] = (label, found[-1][1], frame + 1)
        elif label >= 0:
            found.append((label, frame, frame + 1))
    return found


def plain_overlap(first, second):
    if first[0] != second[0]:
        return 0.0
    a, b = set(range(*first[1:])), set(range(*second[1:]))
    return len(a & b) / len(a | b)


def plain_best(one, truth, overlap):
    """The true segment that one overlaps most, the first of equals, if it is enough."""
    best, ratio = None, 0.0
    for place, other in enumerate(truth):
        if plain_overlap(one, other) > ratio:
            best, ratio = place, plain_overlap(one, other)
    return best if ratio >= overlap else None


def plain_f1(predictions, truth, overlap):
    right = wrong = missed = 0
    for guess, known in zip(predictions, truth, strict=True):
        left = dict(enumerate(plain_segments(known)))
        for one in plain_segments(guess):
            if left.pop(plain_best(one, plain_segments(known), overlap), None) is None:
                wrong += 1
            else:
                right += 1
        missed += len(left)
    if right + wrong + missed == 0:
        return 1.0
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    return 2 * precision * recall / (precision + recall) if right else 0.0


def plain_edit(predictions, truth):
    @cache
    def distance(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))

    scores = []
    for guess, known in zip(predictions, truth, strict=True):
        a, b = (tuple(one[0] for one in plain_segments(labels)) for labels in (guess, known))
        scores.append(1 - distance(a, b) / max(len(a), len(b)) if a or b else 1.0)
    return sum(scores) / len(scores)


def plain_ap(found, truth, overlap):
    """Average precision of (score, video, segment) and (video, segment)."""
    points = []
    for least in sorted({score for score, *_ in found}, reverse=True):
        taken, count = set(), 0
        for score, video, segment in found:
            if score < least:
                continue
            count += 1
            place = plain_best(segment, [one if of == video else (-1, 0, 1) for of, one in truth], overlap)
            taken.add(place)
        right = len(taken - {None})
        points.append((right / len(truth), right / count))
    area, before = 0.0, 0.0
    for number, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[number:])
        before = recall
    return area


def plain_map(found, scores, truth, overlap):
    rows = [
        (score, video, tuple(segment))
        for video, (own, values) in enumerate(zip(found, scores, strict=True))
        for segment, score in zip(own, values, strict=True)
    ]
    known = [(video, tuple(segment)) for video, own in enumerate(truth) for segment in own]

    def mean(key):
        kinds = {key(video, segment) for video, segment in known}
        values = [
            plain_ap(
                [row for row in rows if key(*row[1:]) == kind],
                [one for one in known if key(*one) == kind],
                overlap,
            )
            for kind in sorted(kinds)
        ]
        return sum(values) / len(values) if values else float("nan")

    return mean(lambda _, segment: segment[0]), mean(lambda video, _: video)


FRAMES = st.lists(st.integers(-1, 2), min_size=1, max_size=14)
PAIRS = st.lists(
    st.integers(1, 14).flatmap(
        lambda n: st.tuples(*[st.lists(st.integers(-1, 2), min_size=n, max_size=n)] * 2)
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def segments(draw, scored):
    rows = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.integers(1, 6)), max_size=6))
    own = [(label, start, start + length) for label, start, length in rows]
    if not scored:
        return own
    return own, draw(st.lists(st.sampled_from([0.1, 0.4, 0.4, 0.9]), min_size=len(own), max_size=len(own)))


VIDEOS = st.lists(st.tuples(segments(True), segments(False)), min_size=1, max_size=3)


def test_a_recording_found_to_the_frame():
    truth = [np.array([-1, 0, 0, -1, 1, 1, 1, -1])]
    own = [segments_of(truth[0])]
    assert own[0].tolist() == [[0, 1, 3], [1, 4, 7]]
    assert frame_accuracy(truth, truth) == edit_score(truth, truth) == segmental_f1(truth, truth, 1.0) == 1
    assert detection_map(own, [np.ones(2)], own, 1.0) == (1.0, 1.0)


def test_numbers_by_hand():
    truth, guess = [[0] * 10 + [-1] * 10 + [1] * 10], [[0] * 5 + [-1] * 15 + [0] * 2 + [1] * 8]
    assert frame_accuracy(guess, truth) == 23 / 30
    assert edit_score(guess, truth) == pytest.approx(2 / 3)
    assert segmental_f1(guess, truth, 0.5) == pytest.approx(0.8)  # half of the first is enough
    assert segmental_f1(guess, truth, 0.51) == pytest.approx(0.4)
    found, known = [[[0, 0, 10], [0, 0, 9], [0, 20, 30]]], [[[0, 0, 10], [0, 20, 30]]]
    # right, found already, right: precision 1, 1/2, 2/3
    assert detection_map(found, [[0.9, 0.8, 0.7]], known, 0.5)[0] == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert detection_map(found, [[0.8, 0.9, 0.7]], known, 0.95)[0] == pytest.approx(0.5 * 2 / 3 * 2)


def test_nothing_predicted_or_nothing_there():
    none, some = [np.full(6, -1)], [np.array([-1, 0, 0, 0, -1, -1])]
    for guess, known in ((none, some), (some, none)):
        assert edit_score(guess, known) == segmental_f1(guess, known, 0.1) == 0
    assert edit_score(none, none) == segmental_f1(none, none, 0.1) == frame_accuracy(none, none) == 1
    assert detection_map([[]], [[]], [[[0, 1, 4]]], 0.5) == (0.0, 0.0)
    assert all(np.isnan(detection_map([[[0, 1, 4]]], [[1.0]], [[]], 0.5)))
    assert all(np.isnan(detection_map([], [], [], 0.5)))
    # a recording, or a class, without a true segment counts for the others' precision only
    both = detection_map([[[0, 1, 4]], [[0, 1, 4], [1, 2, 3]]], [[0.5], [0.9, 0.9]], [[[0, 1, 4]], []], 0.5)
    assert both == (0.5, 1.0)
    empty = segments_of(np.empty(0, int))
    assert empty.shape == (0, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: frame_accuracy([[0]], []), "1 recordings, truth is of 0"),
        (lambda: edit_score([[0, 1]], [[0]]), r"predictions \(2,\) and truth \(1,\)"),
        (lambda: segmental_f1([[0]], [[0]], 0), "above 0 and at most 1, got 0"),
        (lambda: detection_map([[]], [[]], [[]], 1.5), "at most 1, got 1.5"),
        (lambda: detection_map([[]], [], [[]], 0.5), "got 1, 0 and 1"),
        (lambda: detection_map([[[0, 1, 4]]], [[np.nan]], [[]], 0.5), "scores of recording 0"),
        (lambda: detection_map([[[0, 1, 4]]], [[1, 2]], [[]], 0.5), r"expected 1 scores of recording 0"),
        (lambda: detection_map([[[0, 4, 4]]], [[1]], [[]], 0.5), "0 <= start < stop"),
        (lambda: detection_map([[[0.0, 1, 4]]], [[1]], [[]], 0.5), "must be integers"),
        (lambda: frame_labels([[0, 1, 4]], 3), "the recording has 3"),
        (lambda: segments_of([0.5]), "integers"),
        (lambda: smooth(np.ones((3, 1)), 2), "odd, got 2"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@MANY
@given(PAIRS)
def test_metrics_of_frames_are_their_definitions(pairs):
    guess, truth = zip(*pairs, strict=True)
    hits = [a == b for one, other in pairs for a, b in zip(one, other, strict=True)]
    assert frame_accuracy(guess, truth) == sum(hits) / len(hits)
    assert edit_score(guess, truth) == pytest.approx(plain_edit(guess, truth), abs=1e-12)
    for overlap in OVERLAPS:
        assert segmental_f1(guess, truth, overlap) == pytest.approx(plain_f1(guess, truth, overlap))


@MANY
@given(VIDEOS, st.sampled_from(OVERLAPS), st.randoms(use_true_random=False))
def test_mean_average_precision_is_its_definition_in_any_order(videos, overlap, random):
    found, scores, truth = (
        [own for (own, _), _ in videos],
        [own for (_, own), _ in videos],
        [t for _, t in videos],
    )
    measured = detection_map(found, scores, truth, overlap)
    assert measured == pytest.approx(plain_map(found, scores, truth, overlap), nan_ok=True)
    shuffled = [
        random.sample(list(zip(*one, strict=True)), len(one[0])) for one in zip(found, scores, strict=True)
    ]
    again = detection_map(
        [[row[0] for row in one] for one in shuffled],
        [[row[1] for row in one] for one in shuffled],
        truth,
        overlap,
    )
    assert again == pytest.approx(measured, nan_ok=True)


@MANY
@given(VIDEOS)
def test_a_larger_overlap_finds_no_more(videos):
    found, scores, truth = (
        [own for (own, _), _ in videos],
        [own for (_, own), _ in videos],
        [t for _, t in videos],
    )
    values = [detection_map(found, scores, truth, overlap) for overlap in OVERLAPS]
    for low, high in pairwise(values):
        assert not any(b > a + 1e-12 for a, b in zip(low, high, strict=True))


@MANY
@given(FRAMES)
def test_segments_and_frames_are_the_same(labels):
    found = segments_of(labels)
    assert [tuple(one) for one in found.tolist()] == plain_segments(labels)
    assert np.array_equal(frame_labels(found, len(labels)), labels)
    assert stretch(found, len(labels), len(labels)).tolist() == found.tolist()
    longer = stretch(found, len(labels), 3 * len(labels))
    assert longer[:, 1:].tolist() == (3 * found[:, 1:]).tolist()
    shorter = stretch(found, len(labels), 2)
    assert ((shorter[:, 1] < shorter[:, 2]) & (shorter[:, 2] <= 2)).all()


def test_the_later_of_two_overlapping_actions_has_the_frame():
    assert frame_labels([[1, 3, 6], [0, 0, 5]], 7).tolist() == [0, 0, 0, 1, 1, 1, -1]


def test_frames_of_probabilities():
    action = np.array([0.1, 0.6, 0.9, 0.2, 0.7, 0.8, 0.9, 0.1])
    p = np.stack([1 - action, 0.75 * action, 0.25 * action], 1)
    assert label_frames(p, Extraction()).tolist() == [-1, 0, 0, -1, 0, 0, 0, -1]
    assert label_frames(p, Extraction(shortest=3)).tolist() == [-1, -1, -1, -1, 0, 0, 0, -1]
    assert label_frames(smooth(p, 3), Extraction()).tolist() == [-1, 0, 0, 0, 0, 0, 0, -1]
    segments, scores = detections(p, Extraction(threshold=0.5))
    assert segments.tolist() == [[0, 2, 3], [0, 4, 7]]
    assert scores == pytest.approx([0.675, 0.6])
    assert detections(p, Extraction(threshold=0.95))[0].shape == (0, 3)
    assert len(detections(p, Extraction(shortest=2, threshold=0.2))[0]) == 3  # runs of both classes


def test_frames_between_centres():
    p = between_centres(np.array([[1.0, 0.0], [0.0, 1.0]]), [1, 5], 7)
    assert p[:, 0].tolist() == [1, 1, 0.75, 0.5, 0.25, 0, 0]
    assert np.allclose(p.sum(1), 1)


@MANY
@given(st.integers(0, 5), st.integers(1, 12))
def test_the_median_filter_takes_the_median(half, frames):
    p = np.random.default_rng(frames).random((frames, 2))
    width = 2 * half + 1
    for at in range(frames):
        around = [p[min(max(0, at + step), frames - 1)] for step in range(-half, half + 1)]
        assert np.array_equal(smooth(p, width)[at], np.median(around, 0))


def windows(seed=0, count=240, width=6):
    rng = np.random.default_rng(seed)
    means = 4 * rng.normal(size=(4, width))
    labels = rng.integers(-1, 3, count)
    return means[labels] + rng.normal(size=(count, width)), labels, np.arange(count) % 4


def test_windows_are_told_from_background():
    x, y, groups = windows()
    held, probabilities, strength = window_probabilities(x, y, groups, x[:10], classes=5)
    assert held.shape == (240, 6)
    assert probabilities.shape == (10, 6)
    assert strength in (1.0, 0.1, 0.01)
    assert np.allclose(held.sum(1), 1)
    assert (held[:, 4:] == 0).all()  # classes without a window
    assert (held.argmax(1) - 1 == y).mean() > 0.95


def test_held_out_windows_do_not_depend_on_their_labels():
    """A group's labels are made wrong: its own probabilities stay."""
    x, y, groups = windows()
    wrong = np.where(groups == 2, (y + 2) % 3, y)
    own = groups == 2
    first, second = (window_probabilities(x, each, groups, x[:1], classes=3) for each in (y, wrong))
    if first[2] == second[2]:  # the strength depends on all groups
        assert np.allclose(first[0][own], second[0][own], atol=1e-4)
    assert not np.allclose(first[0][~own], second[0][~own], atol=1e-2)


def test_wide_windows_keep_their_principal_components():
    x, y, groups = windows(width=300)
    held, *_ = window_probabilities(x, y, groups, x[:1], classes=3)
    assert (held.argmax(1) - 1 == y).mean() > 0.95


def test_one_group_cannot_be_held_out():
    x, y, _ = windows()
    with pytest.raises(ValueError, match="two groups"):
        window_probabilities(x, y, np.zeros(len(x), int), x, classes=3)
