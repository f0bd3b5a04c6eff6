"""Evaluation protocols on frozen features, and fine-tuning."""

from collections.abc import Mapping

PROTOCOLS: Mapping[str, str] = {
    "linear": "skel_eval.protocols.linear:LinearProbe",
    "rbf": "skel_eval.protocols.rbf:RBFProbe",
    "mlp": "skel_eval.protocols.mlp:MlpProbe",
    "knn": "skel_eval.protocols.knn:KNN",
    "retrieval": "skel_eval.protocols.retrieval:Retrieval",
    "few-shot": "skel_eval.protocols.few_shot:FewShot",
    "clustering": "skel_eval.protocols.clustering:Clustering",
    "zero-shot": "skel_eval.zero_shot.protocol:ZeroShot",
}
"""Evaluation protocols on frozen features: "module:Class" by name."""
