__version__: str

from ._calibration import Calibration as Calibration, calibration as calibration
from ._feature_set import FeatureSet as FeatureSet
from ._fuse import fuse as fuse, side_by_side as side_by_side
from ._metrics import (
    accuracy as accuracy,
    confusion_matrix as confusion_matrix,
    per_class_accuracy as per_class_accuracy,
)
from ._result import UNTRAINED as UNTRAINED, Metric as Metric, Predictions as Predictions, Result as Result
from .checks.diagnostics import (
    alignment as alignment,
    feature_health as feature_health,
    instance_retrieval as instance_retrieval,
    uniformity as uniformity,
)
from .checks.frozen import state_digest as state_digest, unchanged as unchanged
from .checks.leaks import Leaks as Leaks, find_leaks as find_leaks
from .checks.ranks import same_on_all_ranks as same_on_all_ranks
from .comparison.bootstrap import (
    BootstrapDifference as BootstrapDifference,
    BootstrapInterval as BootstrapInterval,
    bootstrap as bootstrap,
    paired_bootstrap as paired_bootstrap,
)
from .comparison.compare import (
    Comparison as Comparison,
    Difference as Difference,
    compare as compare,
    comparison_notes as comparison_notes,
    comparison_rows as comparison_rows,
)
from .comparison.methods import (
    Cell as Cell,
    Method as Method,
    Row as Row,
    cells as cells,
    over_seeds as over_seeds,
    summarise_methods as summarise_methods,
)
from .comparison.summary import Summary as Summary, summarise as summarise
from .comparison.table import (
    Code as Code,
    TableFormat as TableFormat,
    results_table as results_table,
    spread as spread,
    table_text as table_text,
)
from .protocols import PROTOCOLS as PROTOCOLS
from .protocols.clustering import (
    Clustering as Clustering,
    ClusteringResult as ClusteringResult,
    clustering as clustering,
)
from .protocols.few_shot import (
    FewShot as FewShot,
    FewShotResult as FewShotResult,
    OneShotResult as OneShotResult,
    few_shot as few_shot,
    one_shot as one_shot,
)
from .protocols.finetune import Finetune as Finetune, FinetuneResult as FinetuneResult, finetune as finetune
from .protocols.knn import KNN as KNN, KnnResult as KnnResult, knn as knn
from .protocols.linear import (
    LBFGS as LBFGS,
    SGD as SGD,
    Adam as Adam,
    LinearProbe as LinearProbe,
    linear_probe as linear_probe,
)
from .protocols.mlp import MlpProbe as MlpProbe, MlpResult as MlpResult, mlp_probe as mlp_probe
from .protocols.protocol import (
    FrozenProtocol as FrozenProtocol,
    Outcome as Outcome,
    evaluate_features as evaluate_features,
)
from .protocols.published import (
    PUBLISHED_PROTOCOLS as PUBLISHED_PROTOCOLS,
    PublishedProtocol as PublishedProtocol,
    published_protocol as published_protocol,
)
from .protocols.retrieval import (
    Retrieval as Retrieval,
    RetrievalResult as RetrievalResult,
    retrieval as retrieval,
)
from .protocols.ridge import ridge as ridge
from .protocols.training import build_optimizer as build_optimizer, learning_rate_at as learning_rate_at
from .protocols.task import ProbeResult as ProbeResult
from .draw.image import write_gif as write_gif, write_png as write_png
from .draw.points import clip_points as clip_points, present_joints as present_joints
from .draw.skeleton import Skeleton as Skeleton
from .draw.svg import motion_svg as motion_svg, strip_svg as strip_svg
from .report.clip_page import clip_page as clip_page
from .report.comparison import write_comparison as write_comparison
from .report.report import write_report as write_report
