"""Evaluation protocols on feature arrays: probes, nearest neighbours, baselines, reports.

Features are (N, D), labels are integers (N,); where they come from is not known here.
"""

from skel_eval._chance import Chance, chance
from skel_eval._fuse import fuse
from skel_eval._gallery import GalleryClip, GalleryRow, retrieval_gallery
from skel_eval._health import alignment, feature_health, instance_retrieval, uniformity
from skel_eval._knn import KnnResult, knn
from skel_eval._linear import LinearProbe, linear_probe
from skel_eval._metrics import accuracy, confusion_matrix, per_class_accuracy, top_k_accuracy
from skel_eval._report import Report, write_report
from skel_eval._results import ResultRow
from skel_eval._ridge import ridge
from skel_eval._strip import strip_svg
from skel_eval._summary import Summary, summarise
from skel_eval._task import ProbeResult

__version__ = "0.1.0"

__all__ = [
    "Chance",
    "GalleryClip",
    "GalleryRow",
    "KnnResult",
    "LinearProbe",
    "ProbeResult",
    "Report",
    "ResultRow",
    "Summary",
    "accuracy",
    "alignment",
    "chance",
    "confusion_matrix",
    "feature_health",
    "fuse",
    "instance_retrieval",
    "knn",
    "linear_probe",
    "per_class_accuracy",
    "retrieval_gallery",
    "ridge",
    "strip_svg",
    "summarise",
    "top_k_accuracy",
    "uniformity",
    "write_report",
]
