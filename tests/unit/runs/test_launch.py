"""How a training is started: over how many processes, with which commands, and by which order."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.runs import launch
from hakken.runs.fit import Fitting
from hakken.runs.launch import Processes, TrainingFailed, processes_of, run_training
from hakken.runs.worker import Order
from hakken.training.layout import Layout
from hakken.training.loop import Interrupted
from hakken.training.stopping import Deadline
from hakken.training.team import SECRET

from ..miniature import study

LEASE: Any = SimpleNamespace(path=Path("lease"), token="t", held=True)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(launch, "read_layout", lambda: None)


def fitting(folder: Path, **changes: Any) -> Fitting:
    plain: dict[str, Any] = {
        "study": study(training={"out_of_memory": "accumulate"}),
        "seed": 7,
        "patches": Path("patches"),
        "train": (Path("a"), Path("b")),
        "validation": (Path("c"),),
        "folder": folder,
        "label": "00",
        "identity": "i",
        "metadata": {"sweep": "search"},
    }
    return Fitting(**plain | changes)


def test_no_more_processes_than_the_host_does_best_with(monkeypatch: pytest.MonkeyPatch) -> None:
    training = study(training={"gpus_per_node": 8}).training
    assert processes_of(training, threads=16, across=False) == Processes(1, 8, 2)
    monkeypatch.setattr(launch, "read_layout", lambda: Layout(processes=4, threads=4))
    assert processes_of(training, threads=16, across=False) == Processes(1, 4, 4)
    assert processes_of(training, threads=3, across=False) == Processes(1, 2, 1)


def test_a_host_with_gpus_is_not_asked_for_its_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(launch, "read_layout", lambda: 1 / 0)
    assert processes_of(study(training={"gpus_per_node": 8}).training, threads=16, across=False) == Processes(1, 2, 8)


def test_several_machines_need_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    training = study(training={"nodes": 2, "gpus_per_node": 2}).training
    assert processes_of(training, threads=4, across=False) == Processes(1, 4, 1)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(HakkenError) as error:
        processes_of(training, threads=2, across=True)
    assert str(error.value) == (
        "training.nodes is 2, and there is no `srun` to start processes on other machines (it comes with Slurm); set "
        "training.nodes to 1 and training.gpus_per_node to the GPUs of one machine"
    )
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/srun")
    assert processes_of(training, threads=2, across=True) == Processes(2, 2, 1)


def test_the_command_that_reaches_several_machines() -> None:
    assert launch._launcher(Processes(1, 4, 2)) == []
    assert launch._launcher(Processes(3, 4, 2)) == [
        *("srun", "--nodes=3", "--ntasks=3", "--ntasks-per-node=1"),
        *("--cpus-per-task=8", "--cpu-bind=none", "--kill-on-bad-exit=1", "--export=ALL"),
    ]


@pytest.mark.parametrize(
    ("others", "held_out", "patches", "deadline"),
    [(Path("book"), (), Path("patches"), Deadline(1.5, 2.5)), (None, ("x", "y"), None, None)],
)
def test_an_order_is_plain_values_and_comes_back_whole(
    others: Path | None, held_out: tuple[str, ...], patches: Path | None, deadline: Deadline | None
) -> None:
    given = fitting(Path("f"), others=others, held_out=held_out, patches=patches, deadline=deadline, parts=4)
    order = Order(given, Path("lease"), "token", Path("outcome.json"), Path("meeting"), None, 3)
    back = Order.from_json(json.loads(json.dumps(order.to_json())))
    assert all(getattr(back.fitting, one.name) == getattr(given, one.name) for one in fields(Fitting))
    assert all(getattr(back, one.name) == getattr(order, one.name) for one in fields(Order) if one.name != "fitting")


class Started:
    """A process in the place of torchrun that leaves an outcome, or none."""

    outcome: Any = None
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}  # noqa: RUF012 - of the last one that was started

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        Started.command, Started.environment = tuple(command), env
        meeting = Path(json.loads(Path(command[-1]).read_text())["meeting"])
        for name in (meeting, meeting.with_name(f"{meeting.name}-machines")):
            name.touch()

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send_signal(self, number: int) -> None:
        pass

    def wait(self) -> int:
        if Started.outcome is not None:
            Path(Started.command[-1]).with_name("outcome.json").write_text(json.dumps(Started.outcome))
        return 1


def apart(folder: Path, monkeypatch: pytest.MonkeyPatch, outcome: Any) -> Any:
    monkeypatch.setattr(Started, "outcome", outcome)
    monkeypatch.setattr(launch.subprocess, "Popen", Started)
    return run_training(fitting(folder), Processes(1, 2, 3), LEASE)


def test_what_the_processes_leave_is_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    found = apart(tmp_path, monkeypatch, {"record": {"state": "complete"}})
    assert found == {"state": "complete", "processes": 2, "nodes": 1, "parts": 1}
    assert Started.command[-3:] == ("-m", "hakken.runs.worker", str(tmp_path / "order.json"))
    order = Order.from_json(json.loads((tmp_path / "order.json").read_text()))
    assert (order.token, order.threads, order.fitting.seed) == ("t", 3, 7)
    assert signal.getsignal(signal.SIGTERM) == before


def test_each_start_has_a_secret_and_a_meeting_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meeting-of-a-killed-one").touch()
    seen = []
    for _ in range(2):
        apart(tmp_path, monkeypatch, {"record": {}})
        (endpoint,) = [word for word in Started.command if word.startswith("--rdzv-endpoint=")]
        assert endpoint.startswith(f"--rdzv-endpoint={tmp_path}/meeting-")
        seen.append((endpoint, Started.environment[SECRET]))
        assert len(bytes.fromhex(Started.environment[SECRET])) == 32
        assert list(tmp_path.glob("meeting*")) == []
    assert len({*seen[0], *seen[1]}) == 4
    assert Started.environment["GLOO_SOCKET_IFNAME"] == "lo"
    assert Started.environment[SECRET] not in (tmp_path / "order.json").read_text(), "others may read that one"


def test_an_interruption_and_a_failure_come_back_as_what_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted, match="stopped at step 4"):
        apart(tmp_path, monkeypatch, {"interrupted": "stopped at step 4"})
    with pytest.raises(TrainingFailed, match="the loss was nan") as caught:
        apart(tmp_path, monkeypatch, {"reason": "diverged", "detail": "the loss was nan"})
    assert caught.value.reason == "diverged"


def test_processes_without_an_outcome_are_an_error_and_an_old_outcome_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outcome.json").write_text('{"record": {}}')
    with pytest.raises(HakkenError) as caught:
        apart(tmp_path, monkeypatch, None)
    assert str(caught.value) == (
        "00: the 2 processes of this training ended with status 1 and left no result; what they said stands above, and "
        "in the log of the job"
    )


@pytest.mark.parametrize(
    ("most", "parts"),
    [(16, [1]), (8, [1, 2]), (2, [1, 2, 4, 8])],
)
def test_out_of_memory_mini_batches_are_halved_until_they_fit(
    most: int, parts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def here(given: Fitting, processes: Processes, lease: Any) -> dict[str, Any]:
        tried.append(given.parts)
        if 16 // given.parts > most:
            raise MemoryError
        return {}

    monkeypatch.setattr(launch, "_here", here)
    assert run_training(fitting(tmp_path), Processes(1, 1, 1), LEASE)["parts"] == parts[-1]
    assert tried == parts


def test_a_part_of_one_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(given: Fitting, processes: Processes, lease: Any) -> dict[str, Any]:
        raise MemoryError(given.parts)

    monkeypatch.setattr(launch, "_here", here)
    with pytest.raises(MemoryError, match="8"):
        run_training(fitting(tmp_path), Processes(1, 1, 1), LEASE)
    with pytest.raises(MemoryError, match="1"):
        run_training(fitting(tmp_path, study=study()), Processes(1, 1, 1), LEASE)
