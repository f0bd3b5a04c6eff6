"""Gallery of clusters: the clips nearest to the centre of each."""

import os
from collections.abc import Callable
from pathlib import Path

from skel_eval._feature_set import FeatureSet
from skel_eval._words import counted
from skel_eval.draw.points import Points
from skel_eval.draw.skeleton import Skeleton
from skel_eval.draw.svg import strip_svg
from skel_eval.explore.clusters import Clusters
from skel_eval.report.clips import Clips
from skel_eval.report.page import page, write_page

_FIGURES, _MOST_CLUSTERS = 7, 200


def write_clusters(
    path: str | os.PathLike[str],
    clusters: Clusters,
    features: FeatureSet,
    points: Callable[[int], Points],
    skeleton: Skeleton,
    *,
    title: str,
    clips: int = 4,
) -> Path:
    """Write a page with the most central clips of each cluster, frame by frame.

    Args:
        path: The HTML file.
        clusters: Clusters of the rows of the features; of more than 200 the largest are shown.
        features: Names and classes of the clips.
        points: Gives the clip of a row as points (T, M, V, 2), as from `clip_points`.
        skeleton: Bones and sides.
        title: Headline.
        clips: Clips of each cluster that are shown.

    Raises:
        FileNotFoundError: If there is no folder for the file.
    """
    shown = Clips(features, points, skeleton)
    sections = []
    for cluster in range(min(int(clusters.cluster.max()) + 1, _MOST_CLUSTERS)):
        rows = clusters.members(cluster)
        cards = []
        for row in rows[:clips].tolist():
            label = int(features.labels[row])
            name = shown.name(row) or shown.class_name(label)
            figures = strip_svg(points(row), skeleton, _FIGURES, title=name)
            cards.append(shown.card("query", label, f"{clusters.distance[row]:.3f} off", row, figures))
        head = f'<p class="note">{counted(len(rows), "clip")}; the nearest to the centre first.</p>'
        sections.append((f"Cluster {cluster}", f'{head}<div class="match">{"".join(cards)}</div>'))
    subtitle = (
        f"{counted(len(clusters.cluster), 'clip')} in {counted(int(clusters.cluster.max()) + 1, 'cluster')}"
    )
    return write_page(path, page(title, subtitle, "", sections))
