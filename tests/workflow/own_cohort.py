"""A small cohort of one's own images, one case for each part, and the smallest study of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from workflow_project import Project, new_project

from hakken.core.volume import Volume
from hakken.imaging.files import write_volume

DIRECTION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PARTS = ("train", "validation", "test")
STUDY = """
name: own
title: Own images
seed: 3
method: patch_classifier
cohort: {table: data/own/cases.csv}
channels: {T1: {modality: mr}, T2: {modality: mr}}
reference: T1
registration: {method: none}
preparation: {spacing_mm: [2, 2, 2], mask: nonzero}
patches: {size_voxel: 8, margin_voxel: 1, positives_per_lesion: 2, easy_negatives_per_case: 9}
parameters: {patch_size: 6, convolutions: 1, base_features: 2, batch_size: 4}
search: {trials: 1, slots: 1, space: {learning_rate: {type: real, low: 1.0e-4, high: 1.0e-1, scale: log}}}
training: {steps: 2, validate_every: 1}
without_baseline: a small run
evaluation: {bootstrap: 100}
scales: {tiny: {}}
"""


def volume(seed: int, shape: tuple[int, int, int] = (14, 16, 18), origin: float = 0.0) -> Volume:
    array = np.random.default_rng(seed).normal(100, 10, shape).astype(np.float32)
    return Volume(array, (2.0, 2.0, 2.0), (origin, 0.0, 0.0), DIRECTION)


def lesions(shape: tuple[int, int, int] = (14, 16, 18), place: int = 0) -> Volume:
    array = np.zeros(shape, np.int16)
    array[6:9, 6:9, 6 + place : 9 + place] = 1
    return Volume(array, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), DIRECTION)


def own_project(folder: Path) -> Project:
    """Return a project with three cases of its own, one for each part."""
    project = new_project(folder, "studies: {own: tiny}\ncases_per_job: 8\n")
    project.path("config/studies/own.yaml").write_text(STUDY)
    rows = ["case_id,patient,split,T1,T2,lesion_mask"]
    for number, part in enumerate(PARTS):
        place = project.path(f"data/own/c{number}")
        write_volume(place / "T1.nii.gz", volume(number))
        write_volume(place / "T2.nii.gz", volume(number + 10))
        write_volume(place / "lesions.nii.gz", lesions(place=number))
        rows.append(f"c{number},p{number},{part},c{number}/T1.nii.gz,c{number}/T2.nii.gz,c{number}/lesions.nii.gz")
    project.path("data/own/cases.csv").write_text("\n".join(rows) + "\n")
    return project
