"""Protocols on features of the size of the large sets."""

import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from rate import rate
from skel_data import get_layout
from skel_encoders import STGCN
from skel_eval import SGD, few_shot, knn, linear_probe, retrieval
from skel_recipes.run.embedding import embed

_CLIPS, _CLASSES, _EPOCHS = 512, 60, 100
_NTU120 = 63_026


def measure(seconds: float, device: torch.device, _: Path) -> dict[str, float]:
    """Queries, episodes and epochs per second, and how many times as fast a probe on kept features is."""
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(_NTU120, 256, generator=generator).to(device)
    labels = torch.randint(120, (_NTU120,), generator=generator)
    queries, truth = bank[:2000] + 0.1, labels[:2000]
    probe = SGD(epochs=1, milestones=())
    found = {
        "test clips through k-NN, k = 20, 63,026 training clips": rate(
            lambda: knn(bank, labels, queries, k=20), seconds, device, len(queries)
        ),
        "test clips through retrieval with mAP, 63,026 training clips": rate(
            lambda: retrieval(bank, labels, queries, truth), seconds, device, len(queries)
        ),
        "few-shot episodes, 5-way 1-shot": rate(
            lambda: few_shot(queries, truth, queries=5, episodes=200), seconds, device, 200
        ),
        "epochs of the published SGD probe, 40,000 clips": rate(
            lambda: linear_probe(bank[:40_000], labels[:40_000], bank[:2], labels[:2], solver=probe),
            seconds,
            device,
        ),
    }
    return found | _probe(device)


def _probe(device: torch.device) -> dict[str, float]:
    """The linear protocol with features that are kept, and with an encoder that runs in every epoch."""
    encoder = STGCN(get_layout("ntu-25")).to(device).eval()
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(_CLIPS, 3, 50, 25, 2, generator=generator).to(device)
    labels = torch.arange(_CLIPS) % _CLASSES
    settings = SGD(epochs=_EPOCHS)

    started = time.perf_counter()
    features = embed(encoder, clips)
    linear_probe(features, labels, features, labels, solver=settings)
    kept = time.perf_counter() - started

    head = torch.zeros(_CLASSES, encoder.feature_dim, device=device, requires_grad=True)
    optimizer = torch.optim.SGD([head], settings.learning_rate, momentum=0.9)
    wanted = labels.to(device)
    started = time.perf_counter()  # one epoch, which is what each of them costs
    order = torch.from_numpy(np.random.default_rng(0).permutation(_CLIPS))
    for rows in torch.split(order, settings.batch_size):
        with torch.no_grad():
            seen = encoder(clips[rows])
        loss = functional.cross_entropy(seen @ head.T, wanted[rows])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    every = _EPOCHS * (time.perf_counter() - started)
    return {
        f"seconds of the linear protocol, {_EPOCHS} SGD epochs, {_CLIPS} clips, ST-GCN-16": kept,
        "times as fast as with the encoder in every epoch": every / kept,
    }
