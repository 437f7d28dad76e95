"""The jobs that one training has taken: a journal beside its checkpoints, and when to give up.

A training longer than the scheduler's limit is a chain of jobs, each of which goes on where the one before has saved
itself. Where two in a row have saved nothing, a third will not either.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hakken.core.files import read_json, write_json
from hakken.training.checkpoint import checkpoints_of

NUMBERS = ("SLURM_JOB_ID", "PBS_JOBID", "PJM_JOBID")
JOURNAL = "jobs.json"
LOST = "ended without a word"


@dataclass(frozen=True)
class Job:
    """One job of a training: which attempt of the workflow it is (1, 2, ...), when, where and from which step it began.

    ``job`` is its number at the scheduler, '' without one; ``ended`` says how it ended, '' while it runs.
    """

    attempt: int
    start: str
    step: int
    host: str
    job: str
    ended: str = ""

    @property
    def name(self) -> str:
        """The job in words."""
        return f"job {self.job} on {self.host}" if self.job else f"a process on {self.host}"


def begin_job(folder: Path, attempt: int) -> tuple[Job, ...]:
    """Note in the journal of the training in ``folder`` that a job begins, and return all so far, this one last.

    Of the jobs before, one that has not said how it ended was killed.
    """
    before = [job if job.ended else replace(job, ended=LOST) for job in read_jobs(folder)]
    number = next((os.environ[name] for name in NUMBERS if name in os.environ), "")
    start = datetime.now(UTC).isoformat(timespec="seconds")
    mine = Job(attempt, start, _saved_step(folder), socket.gethostname(), number)
    jobs = (*before, mine)
    _write(folder, jobs)
    return jobs


def end_job(folder: Path, ended: str) -> None:
    """Note how the last job ended."""
    *before, last = read_jobs(folder)
    _write(folder, (*before, replace(last, ended=ended)))


def read_jobs(folder: Path) -> tuple[Job, ...]:
    """Return the jobs that the training in ``folder`` has taken."""
    path = folder / JOURNAL
    return tuple(Job(**entry) for entry in read_json(path)) if path.is_file() else ()


def without_progress(jobs: Sequence[Job]) -> str:
    """Return why the last of ``jobs`` need not try: the two before it, of the same run, saved nothing; '' otherwise."""
    last = jobs[-3:]
    attempts = [job.attempt for job in last]
    if len(last) < 3 or attempts != list(range(attempts[0], attempts[0] + 3)):
        return ""
    if len({job.step for job in last}) > 1:
        return ""
    ends = "; ".join(f"{job.name}: {job.ended}" for job in last[:-1])
    return f"two jobs in a row saved nothing after step {last[-1].step} ({ends})"


def were_killed(jobs: Sequence[Job]) -> bool:
    """Whether the two jobs before the last ended without a word: by the scheduler, the kernel or with their node."""
    return all(job.ended == LOST for job in jobs[-3:-1])


def _saved_step(folder: Path) -> int:
    """Return the last step that is saved; those of a sequel come after those of the training."""
    return sum(int(files[-1].stem.rpartition("-")[2]) for files in checkpoints_of(folder) if files)


def _write(folder: Path, jobs: Sequence[Job]) -> None:
    write_json(folder / JOURNAL, [asdict(job) for job in jobs])
