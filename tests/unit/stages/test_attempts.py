"""What an attempt has cost is known however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hakken.stages import attempts
from hakken.stages.attempts import counted


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_an_attempt_that_ends_well(tmp_path: Path) -> None:
    with counted(tmp_path / "a.log"):
        pass
    assert set(read(tmp_path / "a.cost.json")) == {"seconds", "cpu_seconds", "gpu_seconds", "peak_mb"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.cost.json"]


def test_attempts_that_fail_are_counted_with_the_one_that_does_not(tmp_path: Path) -> None:
    for status in (1, 75):
        with pytest.raises(SystemExit), counted(tmp_path / "a.log"):
            sys.exit(status)
    assert not (tmp_path / "a.cost.json").exists()
    with counted(tmp_path / "a.log"):
        pass
    cost = read(tmp_path / "a.cost.json")
    assert len(cost["unfinished"]) == 2
    assert all(0 < attempt["cpu_seconds"] <= cost["cpu_seconds"] for attempt in cost["unfinished"])
    assert not (tmp_path / "a.attempts.json").exists()


def test_an_attempt_that_is_killed_has_left_its_count(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from hakken.stages import attempts\n"
        "attempts.RENEWED = 0.05\n"
        "with attempts.counted(Path(sys.argv[1])): time.sleep(60)\n"
    )
    log, left = tmp_path / "a.log", tmp_path / "a.attempts.json"
    process = subprocess.Popen([sys.executable, "-c", code, str(log)])
    for _ in range(600):
        if left.exists():
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with counted(log):
        pass
    (killed,) = read(tmp_path / "a.cost.json")["unfinished"]
    assert 0 < killed["seconds"] < 90


def test_a_broken_count_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "a.attempts.json").write_text("{")
    with counted(tmp_path / "a.log"):
        pass
    assert "unfinished" not in read(tmp_path / "a.cost.json")


def test_what_a_process_has_started_is_counted_too() -> None:
    before = attempts.cost()["cpu_seconds"]
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert attempts.cost()["cpu_seconds"] >= before + 0.5


@pytest.mark.parametrize("used", [True, False])
def test_seconds_with_a_gpu(used: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: used))
    monkeypatch.setitem(sys.modules, "torch", torch)  # type: ignore[arg-type]
    cost = attempts.cost()
    assert cost["gpu_seconds"] == (cost["seconds"] if used else 0.0)
