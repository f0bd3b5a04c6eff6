"""Evaluation protocols on feature arrays: probes, nearest neighbours, baselines, reports.

Features are (N, D), labels are integers (N,); where they come from is not known here.
"""

from skel_eval._bootstrap import BootstrapDifference, BootstrapInterval, bootstrap, paired_bootstrap
from skel_eval._calibration import Calibration, calibration
from skel_eval._chance import Chance, chance
from skel_eval._clustering import ClusteringResult, clustering
from skel_eval._compare import (
    ComparedRun,
    Comparison,
    Contender,
    Difference,
    Predicted,
    Score,
    compare,
    comparison_notes,
    comparison_rows,
)
from skel_eval._feature_set import FeatureSet
from skel_eval._few_shot import FewShotResult, OneShotResult, few_shot, one_shot
from skel_eval._finetune import FinetuneResult, finetune
from skel_eval._finetune_settings import Finetune
from skel_eval._frozen import state_digest, unchanged
from skel_eval._fuse import fuse, side_by_side
from skel_eval._health import alignment, feature_health, instance_retrieval, uniformity
from skel_eval._knn import KnnResult, knn
from skel_eval._leaks import Leaks, find_leaks
from skel_eval._linear import linear_probe
from skel_eval._linear_settings import LinearProbe
from skel_eval._metrics import accuracy, confusion_matrix, per_class_accuracy, top_k_accuracy
from skel_eval._mlp import MlpProbe, MlpResult, mlp_probe
from skel_eval._presets import PUBLISHED_PROTOCOLS, Neighbours, PublishedProtocol, published_protocol
from skel_eval._protocols import Outcome, evaluate_features
from skel_eval._ranks import same_on_all_ranks
from skel_eval._result import Metric, Predictions, Result
from skel_eval._retrieval import RetrievalResult, retrieval
from skel_eval._ridge import ridge
from skel_eval._summary import Summary, summarise
from skel_eval._table import Code, TableRow, results_table, spread, table_text
from skel_eval._task import ProbeResult
from skel_eval.draw.image import write_gif, write_png
from skel_eval.draw.points import clip_points, present_joints
from skel_eval.draw.skeleton import Skeleton
from skel_eval.draw.svg import motion_svg, strip_svg
from skel_eval.report.clip_page import clip_page
from skel_eval.report.comparison import write_comparison
from skel_eval.report.report import write_report

__version__ = "0.1.0"

__all__ = [
    "PUBLISHED_PROTOCOLS",
    "BootstrapDifference",
    "BootstrapInterval",
    "Calibration",
    "Chance",
    "ClusteringResult",
    "Code",
    "ComparedRun",
    "Comparison",
    "Contender",
    "Difference",
    "FeatureSet",
    "FewShotResult",
    "Finetune",
    "FinetuneResult",
    "KnnResult",
    "Leaks",
    "LinearProbe",
    "Metric",
    "MlpProbe",
    "MlpResult",
    "Neighbours",
    "OneShotResult",
    "Outcome",
    "Predicted",
    "Predictions",
    "ProbeResult",
    "PublishedProtocol",
    "Result",
    "RetrievalResult",
    "Score",
    "Skeleton",
    "Summary",
    "TableRow",
    "accuracy",
    "alignment",
    "bootstrap",
    "calibration",
    "chance",
    "clip_page",
    "clip_points",
    "clustering",
    "compare",
    "comparison_notes",
    "comparison_rows",
    "confusion_matrix",
    "evaluate_features",
    "feature_health",
    "few_shot",
    "find_leaks",
    "finetune",
    "fuse",
    "instance_retrieval",
    "knn",
    "linear_probe",
    "mlp_probe",
    "motion_svg",
    "one_shot",
    "paired_bootstrap",
    "per_class_accuracy",
    "present_joints",
    "published_protocol",
    "results_table",
    "retrieval",
    "ridge",
    "same_on_all_ranks",
    "side_by_side",
    "spread",
    "state_digest",
    "strip_svg",
    "summarise",
    "table_text",
    "top_k_accuracy",
    "unchanged",
    "uniformity",
    "write_comparison",
    "write_gif",
    "write_png",
    "write_report",
]
