"""nnU-Net v2 for `benchmarks/detection.py`: its own fingerprint, planner, preprocessor, trainer and predictor.

It gets the prepared channels of hakken as NIfTI and normalises them once more, as it plans to. The planner is asked for
a plan that fits little memory (`MEMORY_GB`), since it would plan for a GPU of 8 GB otherwise, and a step of that takes
half a minute on one thread; its networks, losses, augmentation and sampling stay what they are. Epochs are shortened to
`EPOCH` iterations, and there are as many as the budget holds, so that its schedule ends with the budget. The final
weights are kept, its predictor runs without mirroring at test time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from detection_cost import cpu_seconds
from detection_hakken import Info
from detection_sets import Rotation
from numpy.typing import NDArray

from hakken.core.files import read_json, write_json
from hakken.imaging.prepared import PreparedCase

NUMBER, NAME = 1, "Dataset001_Benchmark"
MEMORY_GB = 0.25
EPOCH, WARM_UP, TIMED = 5, 2, 6
"""Iterations of an epoch, and those of the trial run that its cost is told from."""
LOADERS, COMPILE = "nnUNet_n_proc_DA", "nnUNet_compile"


class NnUnet:
    """nnU-Net on the training cases; the cases that choose are those that its own validation loss is of."""

    def train(self, rotation: Rotation, budget: float, folder: Path, seed: int) -> Info:
        """Plan, preprocess and time a few iterations, which is told apart, then learn for the budget."""
        _environment(folder)
        begun = cpu_seconds()
        configuration = "2d" if rotation.images.axes == 2 else "3d_fullres"
        _write_raw(rotation, folder)
        plan = _plan(rotation, folder, configuration)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - what its loaders draw from
        with _loaders(0):
            epochs = _epochs(folder, configuration, budget)
            beforehand = cpu_seconds() - begun
            trainer = _trainer(folder, configuration)
            trainer.num_epochs = epochs
            trainer.run_training()
        return {
            "steps": epochs * EPOCH,
            "beforehand": round(beforehand, 1),
            "patch": list(plan["patch_size"]),
            "batch": plan["batch_size"],
            "maps": list(plan["architecture"]["arch_kwargs"]["features_per_stage"]),
            "weights": sum(one.numel() for one in trainer.network.parameters()),
        }

    def predict(self, rotation: Rotation, folder: Path, case: PreparedCase) -> NDArray[np.float32]:
        """Return the probability of a lesion at each voxel of the mask."""
        del rotation
        _environment(folder)
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        predictor = nnUNetPredictor(
            tile_step_size=0.5, use_mirroring=False, device=torch.device("cpu"), verbose=False, allow_tqdm=False
        )
        (trained,) = (folder / "results" / NAME).iterdir()
        predictor.initialize_from_trained_model_folder(str(trained), (0,))
        # One window at a time on one thread takes PyTorch's slow convolution; two threads avoid it.
        torch.set_num_threads(2)
        image = np.array(case.image(), np.float32)
        spacing = {"spacing": list(case.geometry.spacing[::-1])}
        _, said = predictor.predict_single_npy_array(image, spacing, save_or_return_probabilities=True)
        return np.asarray(said[1], np.float32) * (case.mask() > 0)


def _environment(folder: Path) -> None:
    """Tell nnU-Net its folders; it reads them from the environment."""
    for key, name in (("raw", "raw"), ("preprocessed", "preprocessed"), ("results", "results")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.environ[f"nnUNet_{key}"] = str((folder / name).resolve())
    os.environ[COMPILE], os.environ[LOADERS] = "f", "1"


@contextmanager
def _loaders(count: int) -> Iterator[None]:
    """Within the block so many processes load data: none means this one, so that all CPU time is counted."""
    before, os.environ[LOADERS] = os.environ[LOADERS], str(count)
    try:
        yield
    finally:
        os.environ[LOADERS] = before


def _write_raw(rotation: Rotation, folder: Path) -> None:
    """Write the prepared cases of training and validation as nnU-Net reads them, and which are which."""
    raw, split = folder / "raw" / NAME, {}
    for part, key in (("train", "train"), ("validation", "val")):
        split[key] = []
        for number, case in enumerate(rotation.cases(part)):
            name = f"{part}{number:03d}"
            split[key].append(name)
            for channel, array in enumerate(np.array(case.image(), np.float32)):
                _write(raw / "imagesTr" / f"{name}_{channel:04d}.nii.gz", array, case)
            _write(raw / "labelsTr" / f"{name}.nii.gz", (case.labels() > 0).astype(np.uint8), case)
    channels = dict(enumerate(rotation.images.content["channels"]))
    write_json(
        raw / "dataset.json",
        {
            "channel_names": {str(number): name for number, name in channels.items()},
            "labels": {"background": 0, "lesion": 1},
            "numTraining": sum(map(len, split.values())),
            "file_ending": ".nii.gz",
        },
    )
    write_json(folder / "preprocessed" / NAME / "splits_final.json", [split])


def _write(path: Path, array: NDArray[Any], case: PreparedCase) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(tuple(map(float, case.geometry.spacing)))
    sitk.WriteImage(image, str(path))


def _plan(rotation: Rotation, folder: Path, configuration: str) -> dict[str, Any]:
    """Let nnU-Net look at the data, plan and preprocess; return its plan of a configuration."""
    del rotation
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    DatasetFingerprintExtractor(NUMBER, 1).run()
    plans = ExperimentPlanner(NUMBER, gpu_memory_target_in_gb=MEMORY_GB).plan_experiment()
    DefaultPreprocessor(verbose=False).run(NUMBER, configuration, "nnUNetPlans", num_processes=1)
    for source in (folder / "raw" / NAME / "labelsTr").iterdir():  # what its own command copies for its validation
        target = folder / "preprocessed" / NAME / "gt_segmentations" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    found: dict[str, Any] = plans["configurations"][configuration]
    return found


def _trainer(folder: Path, configuration: str) -> Any:
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    place = folder / "preprocessed" / NAME
    plans = {**read_json(place / "nnUNetPlans.json"), "continue_training": False}
    trainer = nnUNetTrainer(plans, configuration, 0, read_json(place / "dataset.json"), torch.device("cpu"))
    trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = EPOCH, 1
    return trainer


def _epochs(folder: Path, configuration: str, budget: float) -> int:
    """Return how many epochs a budget holds, by a trial run."""
    trainer = _trainer(folder, configuration)
    trainer.on_train_start()
    trainer.on_train_epoch_start()
    for number in range(WARM_UP + TIMED):
        if number == WARM_UP:
            start = cpu_seconds()
        trainer.train_step(next(trainer.dataloader_train))
    step = (cpu_seconds() - start) / TIMED
    return epochs_within(budget, step)


def epochs_within(budget: float, step: float) -> int:
    """Return how many epochs a budget of CPU-seconds holds; the one validation step of an epoch costs about a third.

    >>> epochs_within(54, step=1.0)
    10
    """
    return max(int(budget / (step * (EPOCH + 1 / 3))), 1)
