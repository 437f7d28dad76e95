"""The task that a study names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from hakken.imaging.prepared import PreparedCase
from hakken.patches.loader import Batch
from hakken.study import Hyperparameters, Study
from hakken.study import Task as Name
from hakken.tasks.anomaly import AnomalyTask
from hakken.tasks.classification import ClassificationTask
from hakken.tasks.detection import DetectionTask
from hakken.tasks.expectation import ExpectationTask
from hakken.tasks.segmentation import SegmentationTask

Predictions = Mapping[str, Any]
"""What a network says of cases, by case id; of which kind is the task's own affair."""


class Task(Protocol):
    """From batch to loss and from case to result: all that training and prediction know of a kind of task."""

    @property
    def dimensions(self) -> int:
        """The patches' axes, 2 or 3."""
        ...

    @property
    def parameters(self) -> Hyperparameters:
        """The hyper-parameters of the network."""
        ...

    @property
    def negative_ratio(self) -> float:
        """Negatives per positive in a mini-batch; infinite where there are no positives, 0 where no negatives."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """The classes whose indices are a batch's targets; none where positives are told from negatives."""
        ...

    def network(self) -> nn.Module:
        """Return an untrained network; raises InvalidArchitecture when the parameters describe none."""
        ...

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch."""
        ...

    def predict(self, network: nn.Module, case: PreparedCase) -> Any:
        """Return what a network in evaluation mode says of a prepared case."""
        ...

    def table(self, predictions: Predictions) -> str:
        """Return as CSV what is said of the cases of ``validation``, whichever part they are."""
        ...

    def objective(self, predictions: Predictions) -> float:
        """Return what a training maximises, from what is said of each validation case."""
        ...


TASKS: dict[Name, Callable[..., Task]] = {
    "detection": DetectionTask,
    "anomaly": AnomalyTask,
    "segmentation": SegmentationTask,
    "classification": ClassificationTask,
}


def task_of(study: Study, dimensions: int, parameters: Hyperparameters, validation: Sequence[PreparedCase]) -> Task:
    """Return the task of a study for one set of hyper-parameters; ``dimensions`` are the patches' axes, 2 or 3."""
    kind = ExpectationTask if study.expects else TASKS[study.task]
    return kind(study, dimensions, parameters, validation)
