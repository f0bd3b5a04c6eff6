"""Write the small golden vectors beside this file: plain loops over python numbers, nothing from the package.

Run: python packages/skel-eval/tests/vectors/make.py
"""

import json
import math
from pathlib import Path

import numpy as np


def vote(train, labels, query, k, temperature):
    """Class with the largest sum of exp(cosine / temperature) over the k nearest rows."""
    scored = []
    for row, label in zip(train, labels, strict=True):
        dot = sum(a * b for a, b in zip(row, query, strict=True))
        norms = math.sqrt(sum(a * a for a in row)) * math.sqrt(sum(b * b for b in query))
        scored.append((dot / norms, label))
    scored.sort(key=lambda pair: -pair[0])
    votes = {}
    for similarity, label in scored[:k]:
        votes[label] = votes.get(label, 0.0) + math.exp(similarity / temperature)
    return max(votes, key=lambda label: votes[label])


def knn_case(rng):
    """40 train and 15 test rows of 4 overlapping classes."""
    centres = rng.normal(size=(4, 6))
    train_labels, test_labels = rng.integers(0, 4, 40), rng.integers(0, 4, 15)
    train = (centres[train_labels] + rng.normal(size=(40, 6))).astype(np.float32)
    test = (centres[test_labels] + rng.normal(size=(15, 6))).astype(np.float32)
    case = {
        "in.train": train,
        "in.train_labels": train_labels,
        "in.test": test,
        "in.test_labels": test_labels,
    }
    for k in (1, 3, 10):
        found = [vote(train.tolist(), train_labels.tolist(), query, k, 0.1) for query in test.tolist()]
        case[f"out.pred_k{k}"] = np.array(found)
        case[f"out.acc_k{k}"] = np.float32(np.mean(np.array(found) == test_labels))
    return {"kind": "knn", "metric": "cosine", "temperature": 0.1}, case


def ensemble_case(rng):
    """Three streams of 20 rows and 7 classes."""
    weights = {"joint": 0.6, "bone": 0.6, "motion": 0.4}
    labels = rng.integers(0, 7, 20)
    case = {"in.labels": labels}
    for name in weights:
        case[f"in.{name}"] = (rng.normal(size=(20, 7)) + 1.2 * np.eye(7)[labels]).astype(np.float32)
    hits = {1: 0, 5: 0}
    for row, label in enumerate(labels):
        fused = [sum(w * float(case[f"in.{n}"][row, c]) for n, w in weights.items()) for c in range(7)]
        ranked = sorted(range(7), key=lambda c: -fused[c])
        for k in hits:
            hits[k] += label in ranked[:k]
    case |= {f"out.top{k}": np.float32(count / 20) for k, count in hits.items()}
    return {"kind": "ensemble", "weights": weights}, case


if __name__ == "__main__":
    rng = np.random.default_rng(20)
    for config, arrays in (knn_case(rng), ensemble_case(rng)):
        path = Path(__file__).with_name(f"eval.{config['kind']}.npz")
        np.savez_compressed(path, config=json.dumps(config), **arrays)
