# fmt: off
from ._feature_set import FeatureSet
from ._fuse import fuse, side_by_side
from ._metrics import Calibration, accuracy, calibration, confusion_matrix, per_class_accuracy
from ._result import HANDMADE, UNTRAINED, Metric, Predictions, Result
from .checks.diagnostics import alignment, feature_health, instance_retrieval, uniformity
from .checks.frozen import state_digest, unchanged
from .checks.leaks import Leaks, feature_leaks, find_leaks
from ._ranks import same_on_all_ranks
from .comparison.bootstrap import BootstrapInterval, bootstrap, paired_bootstrap
from .comparison.compare import Comparison, compare, comparison_notes, comparison_rows
from .comparison.methods import (
    Cell, Method, Row, Summary, cells, over_seeds, summarise, summarise_methods
)
from .comparison.paired import BestSimple, Difference, best_simple, best_simple_sentence
from .comparison.table import Code, TableFormat, results_table, spread, table_text
from .protocols import PROTOCOLS
from .protocols.clustering import Clustering, ClusteringResult, clustering
from .protocols.few_shot import FewShot, FewShotResult, few_shot, one_shot
from .protocols.finetune import Finetune, FinetuneResult, finetune
from .protocols.knn import KNN, KnnResult, knn
from .protocols.linear import LBFGS, SGD, Adam, LinearProbe, linear_probe
from .protocols.mlp import MlpProbe, mlp_probe
from .protocols.protocol import FrozenProtocol, Outcome, evaluate_features
from .protocols.published import PUBLISHED_PROTOCOLS, PublishedProtocol, published_protocol
from .protocols.retrieval import Retrieval, RetrievalResult, retrieval
from .protocols.rbf import RBFProbe, RBFRegression, RBFResult, rbf_probe
from .protocols.ridge import ridge
from .protocols.training import build_optimizer, learning_rate_at
from .protocols.task import ProbeResult
from .zero_shot.heads import (
    InfoCPLHead, JointEstimator, SmieLoss, smie_frames, smie_loss, smie_scores
)
from .zero_shot.protocol import ZeroShot
from .zero_shot.splits import UNSEEN, UnseenClasses
from .zero_shot.texts import load_texts
from .detection.head import window_probabilities
from .detection.metrics import detection_map, edit_score, frame_accuracy, segmental_f1
from .detection.segments import Extraction, detections, frame_labels, label_frames, segments_of
from .detection.segments import between_centres, smooth, stretch
from .explore.clusters import Clusters, find_clusters
from .explore.typiclust import Queries, typiclust
from .draw.image import write_gif, write_png
from .draw.points import clip_points, present_joints
from .draw.skeleton import Skeleton
from .draw.svg import motion_svg, strip_svg
from .report.clip_page import clip_page
from .report.clusters import write_clusters
from .report.comparison import write_comparison
from .report.report import write_report

__all__ = [
    "HANDMADE", "KNN", "LBFGS", "PROTOCOLS", "PUBLISHED_PROTOCOLS", "SGD", "UNSEEN",
    "UNTRAINED", "Adam", "BestSimple", "BootstrapInterval", "Calibration", "Cell", "Clustering",
    "ClusteringResult", "Clusters", "Code", "Comparison", "Difference", "Extraction",
    "FeatureSet", "FewShot", "FewShotResult", "Finetune", "FinetuneResult", "FrozenProtocol",
    "InfoCPLHead", "JointEstimator", "KnnResult", "Leaks", "LinearProbe", "Method", "Metric",
    "MlpProbe", "Outcome", "Predictions", "ProbeResult", "PublishedProtocol", "Queries",
    "RBFProbe", "RBFRegression", "RBFResult", "Result", "Retrieval", "RetrievalResult", "Row",
    "Skeleton", "SmieLoss", "Summary", "TableFormat", "UnseenClasses", "ZeroShot", "accuracy",
    "alignment", "best_simple", "best_simple_sentence", "between_centres", "bootstrap",
    "build_optimizer", "calibration", "cells", "clip_page", "clip_points", "clustering",
    "compare", "comparison_notes", "comparison_rows", "confusion_matrix", "detection_map",
    "detections", "edit_score", "evaluate_features", "feature_health", "feature_leaks",
    "few_shot", "find_clusters", "find_leaks", "finetune", "frame_accuracy", "frame_labels",
    "fuse", "instance_retrieval", "knn", "label_frames", "learning_rate_at", "linear_probe",
    "load_texts", "mlp_probe", "motion_svg", "one_shot", "over_seeds", "paired_bootstrap",
    "per_class_accuracy", "present_joints", "published_protocol", "rbf_probe", "results_table",
    "retrieval", "ridge", "same_on_all_ranks", "segmental_f1", "segments_of", "side_by_side",
    "smie_frames", "smie_loss", "smie_scores", "smooth", "spread", "state_digest", "stretch",
    "strip_svg", "summarise", "summarise_methods", "table_text", "typiclust", "unchanged",
    "uniformity", "window_probabilities", "write_clusters", "write_comparison", "write_gif",
    "write_png", "write_report",
]
__version__: str
