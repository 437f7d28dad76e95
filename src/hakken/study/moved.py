"""Keys of study files of hakken 0.1 and what has taken their place; see docs/how-to/migrate.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAGE = "docs/how-to/migrate.md"

METHODS = {
    "patch_cnn": "patch_classifier",
    "projection_cnn": "projection_classifier",
    "conv_autoencoder": "autoencoder",
    "expectation_unet": "expectation",
    "unet": "unet",
}
"""The method that trains what `training.network` named; networks of the ImageNet years are one method."""

BY_TASK = {
    "detection": "patch_classifier",
    "anomaly": "autoencoder",
    "segmentation": "unet",
    "classification": "imagenet_classifier",
}

MOVED = {
    "grid": "variants",
    "training.input_size": "parameters.input_size",
    "training.weights": "parameters.weights",
    "training.sizes": "parameters.sizes",
    "training.loss": "parameters.loss",
    "training.focal_gamma": "parameters.focal_gamma",
    "training.optimizer": "parameters.optimizer",
    "evaluation.hit": "outcomes.candidates.hit",
    "evaluation.maximum_fp": "outcomes.candidates.maximum_fp",
    "evaluation.at": "outcomes.candidates.at",
    "evaluation.operating_point": "outcomes.candidates.operating_point",
    "evaluation.diameters_mm": "outcomes.candidates.diameters_mm",
    "evaluation.operating_rule": "outcomes.case_scores.operating_rule",
}
"""Where a key of 0.1 stands now."""

OBJECTIVES = {"froc": "candidates", "roc": "case_scores"}


def moved_keys(content: Mapping[str, Any]) -> dict[str, str]:
    """Return for each key of a study of 0.1 what to write in its place.

    >>> moved_keys({"task": "detection", "evaluation": {"hit": "inside"}})["evaluation.hit"]
    'is `outcomes.candidates.hit` since 0.2'
    """
    found: dict[str, str] = {}
    training = content.get("training")
    network = training.get("network") if isinstance(training, Mapping) else None
    if "task" in content or network is not None:
        method = METHODS.get(str(network)) or BY_TASK.get(str(content.get("task")), "imagenet_classifier")
        if "task" in content:
            found["task"] = f"is `method: {method}` since 0.2"
        if network is not None:
            inner = f", with `parameters.network: {network}`" if method == "imagenet_classifier" else ""
            found["training.network"] = f"is `method: {method}`{inner} since 0.2"
    for key, place in MOVED.items():
        section, _, name = key.rpartition(".")
        part = content.get(section) if section else content
        if isinstance(part, Mapping) and name in part:
            found[key] = f"is `{place}` since 0.2"
    evaluation = content.get("evaluation")
    objective = evaluation.get("objective") if isinstance(evaluation, Mapping) else None
    if isinstance(objective, str) and objective in OBJECTIVES:
        found["evaluation.objective"] = f"`{objective}` is `{OBJECTIVES[objective]}` since 0.2"
    return found
