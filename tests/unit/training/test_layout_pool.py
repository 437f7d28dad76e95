"""The steps that are timed: real trainings of a study's network, alone and in processes that share their gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hakken.errors import HakkenError
from hakken.study import Study
from hakken.studyfile import load_study
from hakken.training.layout import Layout
from hakken.training.layout_pool import Pool, Stepper

ROOT = Path(__file__).resolve().parents[3]
SMALL = {"batch_size": 4, "base_features": 4}
TASKS = ["smoke", "smoke_anomaly", "smoke_classification", "smoke_expectation", "smoke_flat", "smoke_segmentation"]
MEAN = """
import sys, torch
from torch import distributed
from hakken.training.layout_pool import average_gradients
rank = int(sys.argv[1])
distributed.init_process_group("gloo", init_method=sys.argv[2], rank=rank, world_size=2)
weights = [torch.nn.Parameter(torch.zeros(2, 3)), torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.ones(1))]
weights[0].grad = torch.arange(6.0).view(2, 3) * (1 + 2 * rank)
weights[1].grad = torch.full((4,), float(rank))
average_gradients(weights, distributed.group.WORLD)
assert torch.equal(weights[0].grad, torch.arange(6.0).view(2, 3) * 2), weights[0].grad
assert torch.equal(weights[1].grad, torch.full((4,), 0.5)), weights[1].grad
assert weights[2].grad is None
print("averaged")
"""


def study_of(name: str) -> Study:
    study = load_study(ROOT / "tests" / "workflow" / "studies" / f"{name}.yaml", "tiny")
    return study.model_copy(update={"parameters": study.parameters.model_copy(update=SMALL)})


@pytest.mark.parametrize("name", TASKS)
def test_a_step_of_every_task_is_a_whole_one(name: str) -> None:
    stepper = Stepper(study_of(name), channels_last=True)
    before = [weight.detach().clone() for weight in stepper.network.parameters()]
    assert torch.isfinite(stepper.loss())
    stepper.step(torch.float32)
    gradients = [weight.grad for weight in stepper.network.parameters()]
    assert any(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)
    assert all(torch.equal(*pair) for pair in zip(before, stepper.network.parameters(), strict=True)), "rate 0"


def test_bfloat16_is_what_the_layers_compute_in() -> None:
    stepper = Stepper(study_of("smoke"), channels_last=False)
    kinds: set[torch.dtype] = set()
    for layer in stepper.network.modules():
        if isinstance(layer, torch.nn.Conv3d):
            layer.register_forward_hook(lambda layer, given, found: kinds.add(found.dtype))
    stepper.step(torch.bfloat16)
    assert kinds == {torch.bfloat16}
    stepper.step(torch.float32)
    assert kinds == {torch.bfloat16, torch.float32}


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
    running = [
        subprocess.Popen(
            [sys.executable, "-c", MEAN, str(rank), meeting],
            env=os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in running]
    assert [output for output, _ in outputs] == ["averaged\n"] * 2, outputs
