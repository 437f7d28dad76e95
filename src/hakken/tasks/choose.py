"""The task that a study names."""

from __future__ import annotations

from collections.abc import Sequence

from hakken.imaging.prepared import PreparedCase
from hakken.study import Hyperparameters, Study
from hakken.tasks.anomaly import AnomalyTask
from hakken.tasks.detection import DetectionTask

Task = DetectionTask | AnomalyTask


def task_of(study: Study, dimensions: int, parameters: Hyperparameters, validation: Sequence[PreparedCase]) -> Task:
    """Return the task of a study for one set of hyper-parameters; ``dimensions`` are the patches' axes, 2 or 3."""
    kind: type[DetectionTask] | type[AnomalyTask] = AnomalyTask if study.task == "anomaly" else DetectionTask
    return kind(study, dimensions, parameters, validation)
