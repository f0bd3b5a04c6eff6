"""Mutual distillation of CMD (Mao et al., ECCV 2022, arXiv 2208.12448)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from skel_ssl_objectives._common import at_least_float32
from skel_ssl_objectives._contrast import contrast


def neighbor_distillation(
    student: Tensor,
    teacher: Tensor,
    *,
    k: int = 8192,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.05,
) -> Tensor:
    """Neighbouring similarity distillation, one directed term of CMD.

    The Kullback-Leibler divergence of the student's from the teacher's softmax over the k queue entries that
    are nearest by the teacher. The teacher is a constant. Computed in float32 also under autocast.

    Args:
        student: (N, K) cosine similarities of queries to the student's queue.
        teacher: (N, K) cosine similarities of keys to the teacher's queue, which holds the same clips in the
            same places.
        k: Queue entries that count; K for all, as in PCM3 (arXiv 2308.03975).
        student_temperature: Divisor of the student's similarities.
        teacher_temperature: Divisor of the teacher's similarities.

    Returns:
        The loss, a scalar: the mean over rows.

    Raises:
        ValueError: If the shapes differ, k is not from 1 to K, or a temperature is not positive.
    """
    if student.ndim != 2 or student.shape != teacher.shape:
        raise ValueError(f"expected equal shapes (N, K), got {tuple(student.shape)}, {tuple(teacher.shape)}")
    if not 1 <= k <= student.shape[1]:
        raise ValueError(f"expected k from 1 to the queue's size {student.shape[1]}, got {k}")
    if min(student_temperature, teacher_temperature) <= 0:
        raise ValueError(f"temperatures must be positive, got {student_temperature}, {teacher_temperature}")
    student, teacher = at_least_float32(student), at_least_float32(teacher.detach())
    if k < student.shape[1]:
        teacher, places = teacher.topk(k, dim=1)
        student = student.gather(1, places)
    target = functional.log_softmax(teacher / teacher_temperature, dim=1)
    found = functional.log_softmax(student / student_temperature, dim=1)
    return (target.exp() * (target - found)).sum(1).mean()


def cmd(
    queries: Sequence[Tensor],
    keys: Sequence[Tensor],
    negatives: Sequence[Tensor],
    *,
    k: int = 8192,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.05,
) -> list[Tensor]:
    """Mutual distillation of all streams: the sums of `neighbor_distillation` over the others as teachers.

    Computed in float32 also under autocast.

    Args:
        queries: (N, D) of each stream, two or more; normalised here.
        keys: (N, D) of each stream, of the same clips; normalised here, constants.
        negatives: (K, D) of each stream, of unit length, such as `Queue.keys`; the queues hold the same clips
            in the same places.
        k: See `neighbor_distillation`.
        student_temperature: See `neighbor_distillation`.
        teacher_temperature: See `neighbor_distillation`.

    Returns:
        One scalar for each stream as the student; CMD minimises their sum.

    Raises:
        ValueError: If there are fewer than two streams, their numbers differ, or shapes do not fit.
    """
    if len(queries) < 2 or not len(queries) == len(keys) == len(negatives):
        raise ValueError(
            "mutual distillation needs queries, keys and negatives of two streams or more, "
            f"got {len(queries)}, {len(keys)}, {len(negatives)}"
        )

    def similarities(vectors: Sequence[Tensor]) -> list[Tensor]:
        pairs = zip(vectors, negatives, strict=True)
        return [contrast(x, x, queue, temperature=1.0)[:, 1:] for x, queue in pairs]

    students, teachers = similarities(queries), similarities([key.detach() for key in keys])
    losses = []
    for own, student in enumerate(students):
        terms = [
            neighbor_distillation(
                student,
                teacher,
                k=k,
                student_temperature=student_temperature,
                teacher_temperature=teacher_temperature,
            )
            for other, teacher in enumerate(teachers)
            if other != own
        ]
        losses.append(torch.stack(terms).sum())
    return losses
