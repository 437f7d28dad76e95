"""A Snakemake that runs beside the test: what it says with the second in which it said it, and a sure end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workflow_project import ROOT, Project

SUBMITTED = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\d+)")
FINISHED = re.compile(r"Finished jobid: (\d+)")
STAND_IN = ROOT / "profiles/cluster/without-accounting"  # the Slurm of the tests keeps no accounts
# The first look at a job comes after 40 s by default; jobs of the tests last 8 s. Each look at which none has ended
# makes the time to the next one 10 s longer, so one that comes too early costs more than it saves.
ARGUMENTS = (
    *("--profile", "profiles/cluster"),
    *("--slurm-init-seconds-before-status-checks", "12", "--max-status-checks-per-second", "1"),
    # No job asks for more threads than `--cores` says, which is else the number of this machine.
    *("--cores", "64", "--set-threads", "trial=1", "predict=4", "--latency-wait", "20", "--quiet", "host"),
)


@dataclass
class Controller:
    """One call of Snakemake with the cluster's profile. Use it as a context: its process ends with the block."""

    project: Project
    arguments: tuple[str, ...] = ()
    lines: list[tuple[float, str]] = field(default_factory=list)

    def __enter__(self) -> Controller:
        environment = self.project.environment()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *ARGUMENTS, *self.arguments],
            cwd=self.project.folder,
            env=environment | {"PATH": f"{STAND_IN}{os.pathsep}{environment['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # it cancels its jobs
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
        self.reader.join(timeout=10)

    @property
    def text(self) -> str:
        return "".join(line for _, line in list(self.lines))

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit code; fails with the last lines when it does not come."""
        try:
            code = self.process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:.0f} s:\n{self.text[-6000:]}") from None
        self.reader.join(timeout=10)
        return code

    def until(self, happened: Callable[[], object], timeout: float = 180) -> None:
        """Wait until ``happened()`` is true; fails when Snakemake ends before, or when it takes too long."""
        deadline = time.monotonic() + timeout
        while not happened():
            assert self.process.poll() is None, f"it ended too early:\n{self.text[-6000:]}"
            assert time.monotonic() < deadline, f"{timeout:.0f} s have passed:\n{self.text[-6000:]}"
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill Snakemake and all that it has started here; jobs of the cluster run on."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def seen_to_end(self) -> dict[str, float]:
        """Return, by Slurm's id of a job, the second since the epoch in which Snakemake said that it had finished."""
        ids: dict[str, str] = {}
        seen = {}
        for second, line in self.lines:
            if submitted := SUBMITTED.search(line):
                ids[submitted[1]] = submitted[2]
            elif (finished := FINISHED.search(line)) and finished[1] in ids:
                seen[ids[finished[1]]] = second
        return seen

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.time(), line))
