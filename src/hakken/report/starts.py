"""What a network of a study starts from, in words for figures and tables."""

from __future__ import annotations

from hakken.study import Study


def starts_at_random(study: Study, network: str) -> bool:
    """Whether a network, which may be one ``-scratch``, starts from random weights."""
    return network not in study.training.weights


def start_words(study: Study, network: str) -> str:
    """Return what a network starts from."""
    return "random weights" if starts_at_random(study, network) else "ImageNet weights"
