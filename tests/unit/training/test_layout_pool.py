"""The steps that are timed: real trainings of a study's network, alone and in processes that share their gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.study import Study
from hakken.study.reading import load_study
from hakken.training.layout import Layout
from hakken.training.layout_pool import Pool, Stepper

ROOT = Path(__file__).resolve().parents[3]
SMALL = {"batch_size": 4, "base_features": 4}
TASKS = ["smoke", "smoke_anomaly", "smoke_classification", "smoke_expectation", "smoke_flat", "smoke_segmentation"]
SHARED = """
import sys, torch
from dataclasses import replace
from pathlib import Path
from torch import distributed
from hakken.study.reading import load_study
from hakken.training.layout import Layout
from hakken.training.layout_pool import Stepper
from hakken.training.team import Team
rank, study = int(sys.argv[1]), load_study(Path(sys.argv[3]), "tiny")
distributed.init_process_group("gloo", init_method=sys.argv[2], rank=rank, world_size=2)
alone = Stepper(study, Layout())
joined = Stepper(study, Layout(2), Team(rank, 2), distributed.group.WORLD)
for stepper in (alone, joined):
    stepper.batch = replace(stepper.batch, targets=(stepper.batch.targets + rank) % 2)
    stepper.step()
    print(sum(float(weight.grad.abs().sum()) for weight in stepper.network.parameters() if weight.grad is not None))
"""


def study_of(name: str) -> Study:
    study = load_study(ROOT / "tests" / "workflow" / "studies" / f"{name}.yaml", "tiny")
    return study.model_copy(update={"parameters": study.parameters.model_copy(update=SMALL)})


@pytest.mark.parametrize("name", TASKS)
def test_a_step_of_every_task_is_a_whole_one(name: str) -> None:
    stepper = Stepper(study_of(name), Layout(channels_last=True))
    before = [weight.detach().clone() for weight in stepper.network.parameters()]
    assert torch.isfinite(stepper.step())
    gradients = [weight.grad for weight in stepper.network.parameters()]
    assert any(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)
    assert all(torch.equal(*pair) for pair in zip(before, stepper.network.parameters(), strict=True)), "rate 0"


@pytest.mark.parametrize(("precision", "kind"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)])
def test_the_precision_is_what_the_layers_compute_in(precision: Literal["bfloat16"], kind: torch.dtype) -> None:
    stepper = Stepper(study_of("smoke"), Layout(precision=precision))
    kinds: set[torch.dtype] = set()
    for layer in stepper.network.modules():
        if isinstance(layer, torch.nn.Conv3d):
            layer.register_forward_hook(lambda layer, given, found: kinds.add(found.dtype))
    assert stepper.step().dtype == torch.float32
    assert kinds == {kind}


def test_a_pool_times_one_process_and_two() -> None:
    with Pool(study_of("smoke"), 2) as pool:
        layouts = [Layout(1, 2), Layout(2, 1, channels_last=True), Layout(1, 1)]
        assert all(0 < pool.seconds(layout, 2) < 30 for layout in layouts)
        processes = list(pool._processes)
    assert not any(process.is_alive() for process in processes)


def test_a_process_that_cannot_says_why() -> None:
    study = study_of("smoke")
    broken = study.model_copy(update={"parameters": study.parameters.model_copy(update={"kernel": 0})})
    with Pool(broken, 1) as pool, pytest.raises(HakkenError, match=r"^\w+ while measuring: "):
        pool.seconds(Layout(), 1)


def test_a_process_that_dies_is_noticed() -> None:
    with Pool(study_of("smoke"), 1) as pool:
        pool._processes[0].kill()
        with pytest.raises(HakkenError, match=r"^a process of the measurement ended by itself, perhaps for want of"):
            pool.seconds(Layout(), 1)


def test_two_processes_share_the_mean_of_their_gradients(tmp_path: Path) -> None:
    meeting = (tmp_path / "meeting").as_uri()
    study = ROOT / "tests" / "workflow" / "studies" / "smoke.yaml"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SHARED, str(rank), meeting, str(study)],
            env=os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in running]
    (alone, shared), (other, same) = ([float(line) for line in output.splitlines()] for output, _ in outputs)
    assert shared == pytest.approx(same)
    assert abs(alone - other) > 1e-3 * alone
    assert shared != pytest.approx(alone)
