"""One cell of the grid: a network trained on moved crops of all folds but one, and what it says of that one.

There is no early stopping and no choice among weights: a fold that is predicted decides nothing about its network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hakken.patches.augment import Augmentation, Frame, augment, crop
from hakken.patches.crop_store import CropStore, Ints
from hakken.patches.loader import Batch
from hakken.patches.misregistration import KINDS, misregister
from hakken.seeds import derive_seed
from hakken.study import Study
from hakken.tasks.classification import ClassificationTask
from hakken.training.checkpoint import Checkpoints
from hakken.training.device import choose_layout
from hakken.training.grid_plan import SCRATCH, Cell
from hakken.training.loop import TrainingResult, train
from hakken.training.stopping import Deadline, stop_requests

Probabilities = NDArray[np.float64]
AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class CellResult:
    """The lesions of the fold that was left out, by number (n,), their probabilities (n, k), and the training."""

    lesions: Ints
    probability: Probabilities
    training: TrainingResult


def train_cell(
    study: Study,
    cell: Cell,
    store: CropStore,
    device: torch.device,
    *,
    checkpoints: Checkpoints | None = None,
    deadline: Deadline | None = None,
) -> CellResult:
    """Train the cell's network and return what it says of the lesions of its fold. Raises what a training raises.

    It goes on from ``checkpoints``; near its ``deadline`` and when it is asked to stop it saves itself and raises
    Interrupted.
    """
    chosen = cell_study(study, cell)
    task = ClassificationTask(chosen, 2, chosen.parameters, ())
    seed = derive_seed(study.seed, "grid", *cell.seeds)
    torch.manual_seed(derive_seed(seed, "weights"))
    network = task.network().to(device)
    crops = moved_crops(chosen, cell, store)
    with stop_requests(deadline) as stop:
        result = train(
            network,
            CropBatches(chosen, crops, store, np.flatnonzero(store.fold != cell.fold), seed=seed, device=device),
            task.loss,
            lambda network: 0.0,  # measured once, at the end: the last weights are kept
            parameters=chosen.parameters,
            training=chosen.training,
            seed=seed,
            precision=choose_layout(chosen.training.precision, device).dtype,
            checkpoints=checkpoints,
            stop=stop,
        )
    network.load_state_dict(result.weights)  # a cell that was finished before did not train again
    held = np.flatnonzero(store.fold == cell.fold)
    edge = chosen.parameters.patch_size
    found = probabilities(network.eval(), crops, store.lesion, held, edge=edge, device=device)
    return CellResult(held, found, result)


def cell_study(study: Study, cell: Cell) -> Study:
    """Return the study as the cell's network is trained: its name, its learning rate, and so many steps."""
    assert study.grid is not None
    name = cell.network.removesuffix(SCRATCH)
    weights = {} if cell.network.endswith(SCRATCH) else study.training.weights
    rates = {str(one): rate for one, rate in study.grid.learning_rates.items()}
    rate = rates.get(name, study.parameters.learning_rate)
    # One network of many: each has one GPU, whatever a training of the search has.
    steps = {"steps": study.grid.steps, "validate_every": study.grid.steps, "nodes": 1, "gpus_per_node": 1}
    return study.model_copy(
        update={
            "training": study.training.model_copy(update={"network": name, "weights": weights, **steps}),
            "parameters": study.parameters.model_copy(update={"learning_rate": rate}),
        }
    )


def moved_crops(study: Study, cell: Cell, store: CropStore) -> torch.Tensor:
    """Return all crops float32 (m, c, q, q), misregistered as the cell asks; which way depends on the case alone."""
    crops = torch.from_numpy(store.crops).float()
    kind = next((kind for kind in KINDS if kind == cell.condition.kind), None)
    if kind is None:
        return crops
    ways = [
        np.random.default_rng(derive_seed(study.seed, "misregistration", str(case))).uniform(0, 2 * math.pi)
        for case in store.case
    ]
    phi = torch.tensor(ways, dtype=torch.float64)[torch.from_numpy(store.lesion)]
    return misregister(crops, kind, cell.condition.amount, phi, study.inputs.index(study.reference))


def probabilities(
    network: nn.Module, crops: torch.Tensor, lesion: Ints, held: Ints, *, edge: int, device: torch.device
) -> Probabilities:
    """Return the probabilities (n, k) of the lesions ``held`` (n,), the mean over the crops of ``edge`` of each."""
    rows = np.flatnonzero(np.isin(lesion, held))
    found = []
    for start in range(0, len(rows), AT_ONCE):
        part = crop(crops[rows[start : start + AT_ONCE]], edge).to(device)
        with torch.no_grad():
            found.append(network(part).float().softmax(1).cpu().double().numpy())
    values = np.concatenate(found)
    return np.stack([values[lesion[rows] == number].mean(axis=0) for number in held.tolist()])


class CropBatches:
    """Batches of augmented crops of the lesions ``chosen``: the classes take turns, a lesion and a slice at random.

    Batch ``step`` is a pure function of the seed and the step.
    """

    def __init__(
        self,
        study: Study,
        crops: torch.Tensor,
        store: CropStore,
        chosen: Ints,
        *,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.crops, self.seed, self.device = crops, seed, torch.device(device)
        self.size = study.parameters.batch_size
        self.augmentation = Augmentation(study.parameters.augmentation)
        spacing = study.preparation.spacing_mm
        self.frame = Frame(study.parameters.patch_size, crops.shape[-1], (spacing[1], spacing[0]))
        self.target = store.truth[store.lesion]
        classes = sorted(set(store.truth[chosen].tolist()))
        self.rows = [
            [np.flatnonzero(store.lesion == lesion) for lesion in chosen.tolist() if store.truth[lesion] == number]
            for number in classes
        ]

    def iterate(self, start_step: int = 0, prefetch: bool = True, stride: int = 1) -> Iterator[Batch]:
        """Yield the batch of ``start_step`` and every ``stride``-th after it, without end."""
        step = start_step
        while True:
            yield self.batch(step)
            step += stride

    def batch(self, step: int) -> Batch:
        """Return the batch of ``step`` (0, 1, ...)."""
        random = np.random.default_rng(derive_seed(self.seed, "batch", step))
        turns = [self.rows[(step * self.size + place) % len(self.rows)] for place in range(self.size)]
        lesions = [group[int(random.integers(len(group)))] for group in turns]
        rows = np.array([rows[int(random.integers(len(rows)))] for rows in lesions], np.intp)
        generator = torch.Generator(self.device).manual_seed(derive_seed(self.seed, "augmentation", step))
        images = augment(self.crops[rows].to(self.device), self.augmentation, self.frame, generator)
        return Batch(images, torch.from_numpy(self.target[rows]).to(self.device), rows)
