"""Two processes do what one does: gradients, trainings, and a training that goes on with another number of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from hakken.training.checkpoint import checkpoint_files
from hakken.training.loop import Interrupted
from hakken.training.team import ALONE, largest_team

from . import team_process

PROCESS = Path(__file__).with_name("team_process.py")


def two(test: str, folder: Path) -> list[Any]:
    """Run a test of `team_process` in two processes; what each of them found."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run = subprocess.run(
        [*torchrun, str(PROCESS), test, str(folder)], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in range(2)]


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    expected = team_process.gradients(ALONE)
    for found in two("gradients", tmp_path):
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            assert gradient.dtype == torch.float64
            assert gradient.abs().max() > 1e-4
            torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-12)


def test_a_synchronised_normalisation_is_that_of_all_mini_batches_together(tmp_path: Path) -> None:
    expected = team_process.gradients(ALONE, norm=True)
    assert any("running" in name for name in expected)
    for found in two("norm", tmp_path):
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-12)


def close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, weight in found["weights"].items():
        torch.testing.assert_close(weight, expected["weights"][name], rtol=0, atol=1e-6)
    for point, wanted in zip(found["curve"], expected["curve"], strict=True):
        assert point == pytest.approx(wanted, abs=1e-6)


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    expected = team_process.trained(ALONE)
    assert [step for step, _, _ in expected["curve"]] == [8, 16, 24]
    for found in two("trained", tmp_path):
        close(found, expected)
    assert checkpoint_files(tmp_path / "checkpoints")[-1].name == "checkpoint-000000024.pt"


def test_begun_by_two_processes_it_is_finished_by_one(tmp_path: Path) -> None:
    """The last of the two is asked to stop; both stop at the same step, and one goes on from there."""
    two("interrupted", tmp_path)
    assert checkpoint_files(tmp_path / "checkpoints")[-1].name == "checkpoint-000000012.pt"
    close(team_process.trained(ALONE, tmp_path / "checkpoints"), team_process.trained(ALONE))


def test_begun_by_one_process_it_is_finished_by_two(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="stopped at step 12 of 24"):
        team_process.trained(ALONE, tmp_path / "checkpoints", stop_at=12)
    for found in two("trained", tmp_path):
        close(found, team_process.trained(ALONE))


@pytest.mark.parametrize(
    ("minibatches", "most", "expected"), [(1, 8, 1), (8, 1, 1), (8, 3, 2), (8, 8, 8), (6, 4, 3), (7, 6, 1), (4, 0, 1)]
)
def test_a_team_shares_an_update_evenly(minibatches: int, most: int, expected: int) -> None:
    assert largest_team(minibatches, most) == expected
