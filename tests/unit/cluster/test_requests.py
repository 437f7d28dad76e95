"""What jobs ask for, as a dry run shows it (recorded from Snakemake 9.27)."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from hakken.cluster.requests import Request, ask, largest, parse
from hakken.core.errors import HakkenError

DRY_RUN = """\
Job stats:
job                    count
-------------------  -------
check                      2
total                      4

[Sat Nov 21 22:08:14 2026]
rule check:
    input: results/smoke/tiny/cohort/train-000, results/smoke/tiny/cohort/cases.csv
    output: results/smoke/tiny/checked/train-000.json
    log: results/smoke/tiny/logs/check/train-000.log
    jobid: 13
    reason: Forced execution
    wildcards: study=smoke, scale=tiny, part=train, batch=000
    resources: tmpdir=/tmp, disk_mb=50000, disk=50 GB, mem_mb=2000, mem=2 GB, runtime=60, gpu=0, slurm_partition=a,b
[Sat Nov 21 22:08:14 2026]
rule check:
    output: results/smoke/tiny/checked/test-000.json
    resources: tmpdir=/tmp, disk_mb=50000, disk=50 GB, mem_mb=2000, mem=2 GB, runtime=60, gpu=0, slurm_partition=a,b
[Sat Nov 21 22:08:15 2026]
rule trial:
    output: results/smoke/tiny/sweeps/search/trials/0000.json
    threads: 4
    resources: mem_mb=16000, mem=16 GB, runtime=720, gpu=8, nodes=2
[Sat Nov 21 22:08:15 2026]
rule all:
    input: results/smoke/tiny/report.html
    resources: tmpdir=/tmp
"""


def test_jobs_that_ask_for_the_same_are_counted() -> None:
    (check, jobs), (trial, once) = parse(DRY_RUN).items()
    assert (check.stage, check.threads, check.minutes, check.mem_mb, check.gpus, check.nodes) == (
        *("check", 1, 60, 2000),
        *(0, 1),
    )
    assert check.name("slurm_partition") == "a,b"
    assert check.name("slurm_account") is None
    assert (jobs, once) == (2, 1)
    assert (trial.threads, trial.gpus, trial.nodes, trial.gpus_of_a_node) == (4, 8, 2, 4)


def test_the_largest_of_a_stage() -> None:
    small, large = Request("trial", 4, 60, 1000, 1, 1), Request("trial", 1, 30, 1000, 4, 1)
    assert largest([small, large]) is large


def test_a_dry_run_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = SimpleNamespace(returncode=1, stdout="", stderr="WorkflowError:\nno such case table")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(HakkenError) as caught:
        ask("cluster", "mine", "tiny")
    assert str(caught.value) == (
        "the dry run of mine at scale tiny fails; it said:\nWorkflowError:\nno such case table"
    )
