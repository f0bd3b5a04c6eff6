"""Made-up features for the tests, and a reader of pages."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest


def make_task(seed, rows=120, width=10, classes=4, subjects=5, spread=1.0):
    """Features, labels and subjects of overlapping classes: train rows, then as many test rows."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width))
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 2 * rows - classes)])
    features = centres[labels] + spread * rng.normal(size=(2 * rows, width))
    # columns of very different size, as real features have
    features = (features * np.logspace(-1, 2, width) + rng.normal(size=width)).astype(np.float32)
    groups = rng.integers(0, subjects, rows)
    return features[:rows], labels[:rows], features[rows:], labels[rows:], groups


@pytest.fixture
def task():
    return make_task(0)


@pytest.fixture
def task_of_seed():
    return make_task


VOID = {"meta", "br", "hr", "img", "link", "input"}


class Checker(HTMLParser):
    """Fails on tags that do not match; collects the headings, the text and all attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))

    def headings(self):
        return [data for tag, data in self.text if tag == "h2"]


def read_page(path):
    """The parsed page and its text, after checks that it is whole and needs nothing else."""
    text = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert text.startswith("<!DOCTYPE html>")
    # bytes of motions are letters at random
    assert "http" not in re.sub(r'data-motion="[^"]*"', "", text)
    assert "link" not in checker.tags
    assert not any(key in ("src", "srcset") or key.startswith("on") for key, _ in checker.attributes)
    assert all(value.startswith("#") for key, value in checker.attributes if key == "href")
    ids = [value for key, value in checker.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    return checker, text


@pytest.fixture
def parse():
    return read_page
