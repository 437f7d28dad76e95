"""What kinds of task there are, and which networks and figures each of them can have."""

from __future__ import annotations

from typing import Literal

from hakken.study_grid import IMAGENET, ImageNetName

NetworkName = Literal["patch_cnn", "projection_cnn", "conv_autoencoder", "expectation_unet", "unet", ImageNetName]
Task = Literal["detection", "anomaly", "segmentation", "classification"]
Figure = Literal[
    "froc",
    "roc",
    "search",
    "learnt",
    "strata",
    "overlays",
    "anomalies",
    "registration",
    "calibration",
    "expectations",
    "baseline",
    "segmentations",
    "sizes",
    "confusion",
    "grid",
]
FIGURES: dict[Task, tuple[Figure, ...]] = {
    "detection": ("froc", "search", "learnt", "strata", "overlays", "registration"),
    "anomaly": ("roc", "search", "learnt", "anomalies"),
    "segmentation": ("segmentations", "sizes", "search", "learnt"),
    "classification": ("confusion", "search", "learnt", "registration"),
}
"""The figures that a study of each task draws unless it says otherwise."""

OF_CASES: tuple[Figure, ...] = ("roc", "anomalies")
"""Figures that only a study of cases (`evaluation.objective: roc`) has the numbers for."""

OF_EXPECTATION: tuple[Figure, ...] = ("calibration", "expectations", "baseline")
"""Figures that only the network `expectation_unet` has the numbers for."""

OF_MASKS: tuple[Figure, ...] = ("segmentations", "sizes")
"""Figures that only the task `segmentation` has the numbers for."""

NETWORKS: dict[Task, tuple[NetworkName, ...]] = {
    "detection": ("patch_cnn", "projection_cnn"),
    "anomaly": ("conv_autoencoder", "expectation_unet"),
    "segmentation": ("unet",),
    "classification": IMAGENET,
}

OBJECTIVES: dict[Task, str] = {"segmentation": "mean Dice", "classification": "balanced accuracy"}
"""What a training maximises, for the tasks that have one objective alone."""
