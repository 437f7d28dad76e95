"""The main job through a real Slurm, to its report: what Slurm's own records say of it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cluster_project import RESULTS, SLOTS, SLOW, SWEEP, TRIALS, cluster_project
from controller import Controller
from loopback_slurm import Slurm
from slurm_records import Job, Step, jobs_of, most_at_once, steps_of, utilisation
from workflow_project import Project

GPU_RULES = {"trial", "shared", "predict"}  # of this study
LIMIT = 840.0  # seconds


@dataclass(frozen=True)
class Finished:
    """A workflow that has run to its end, what Slurm says of its jobs, and when Snakemake saw each of them end."""

    project: Project
    jobs: list[Job]
    steps: list[Step]
    seen: dict[str, float]

    @property
    def trials(self) -> list[Job]:
        """The jobs of the trainings; the untuned default takes a slot as those of the search do."""
        return [job for job in self.jobs if job.rule == "trial"]


@pytest.fixture(scope="session")
def begun(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """The main job, which runs while the tests before these do their work."""
    with Controller(cluster_project(tmp_path_factory.mktemp("main"), SLOW.format(seconds=0.4))) as controller:
        yield controller


@pytest.fixture(scope="module")
def finished(slurm: Slurm, begun: Controller) -> Finished:
    code, project = begun.wait(LIMIT), begun.project
    assert code == 0, begun.text[-6000:]
    return Finished(project, jobs_of(slurm, project.folder), steps_of(slurm), begun.seen_to_end())


def test_it_begins(begun: Controller) -> None:
    begun.until(lambda: "has been submitted with SLURM jobid" in begun.text)


def test_it_comes_to_its_report(finished: Finished) -> None:
    assert finished.project.path(str(RESULTS / "report.html")).stat().st_size > 10_000
    table = finished.project.path(str(SWEEP / "trials.csv")).read_text().splitlines()
    assert [line.split(",")[0] for line in table[1:]] == [str(number) for number in range(TRIALS)]
    assert {(job.runs[-1].state, len(job.runs)) for job in finished.jobs} == {("COMPLETED", 1)}


def test_gpu_rules_hold_a_gpu_each_and_no_other_job_does(finished: Finished) -> None:
    assert {job.rule for job in finished.jobs} >= {"phantom", "prepare", "measure", "report", *GPU_RULES}
    assert {job.rule: job.gpus for job in finished.jobs if job.gpus} == dict.fromkeys(GPU_RULES, 1)
    assert {job.rule for job in finished.jobs if not job.gpus}.isdisjoint(GPU_RULES)
    named = {job.number: job for job in finished.jobs}
    for step in finished.steps:
        if step.job in named:
            assert len(step.gpus) == named[step.job].gpus, named[step.job].name


def test_gpu_jobs_get_what_the_profile_asks_for(finished: Finished) -> None:
    assert {(job.memory_mb, job.minutes, job.cpus) for job in finished.trials} == {(16_000, 720, 1)}
    assert {(job.memory_mb, job.minutes, job.cpus) for job in finished.jobs if job.rule == "predict"} == {
        (16_000, 120, 4)
    }


def test_there_are_never_more_trials_at_once_than_slots_and_all_slots_are_used(finished: Finished) -> None:
    assert most_at_once(job.runs[0] for job in finished.trials) == SLOTS


def test_jobs_of_a_node_see_different_gpus_at_the_same_time(finished: Finished) -> None:
    """Every pair of jobs that held GPUs of one node at once, with at least one pair to look at."""
    visible = {step.job: step.gpus for step in finished.steps}
    holding = [job for job in finished.jobs if job.gpus]
    together = [
        (one, other)
        for number, one in enumerate(holding)
        for other in holding[number + 1 :]
        if one.runs[0].node == other.runs[0].node
        and min(one.runs[0].ended, other.runs[0].ended) - max(one.runs[0].started, other.runs[0].started) > 1
    ]
    assert len({job.runs[0].node for job in holding}) == 2
    assert together
    for one, other in together:
        assert set(visible[one.number]).isdisjoint(visible[other.number]), (one, other)


def test_what_slurm_and_snakemake_cost(
    finished: Finished, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Print what was measured and keep it in pytest's cache; one GPU-slot is never busy all the time."""
    runs = [job.runs[0] for job in finished.trials]
    waited = [job.runs[0].started - job.runs[0].submitted for job in finished.jobs]
    noticed = [finished.seen[job.number] - job.runs[0].ended for job in finished.jobs]
    trained = [record["seconds"] for record in _records(finished)]
    measured = {
        "jobs": len(finished.jobs),
        "trials": len(runs),
        "slots": SLOTS,
        "most_trials_at_once": most_at_once(runs),
        "utilisation_of_slots": round(utilisation(runs, SLOTS), 3),
        "seconds_of_a_trial": _summary([run.seconds for run in runs]),
        "seconds_of_its_training": _summary(trained),
        "seconds_from_submission_to_start": _summary(waited),
        "seconds_from_end_to_seen": _summary(noticed),
        "seconds_of_a_job_without_gpu": _summary([job.runs[0].seconds for job in finished.jobs if not job.gpus]),
        "seconds_in_all": round(max(finished.seen.values()) - min(job.runs[0].submitted for job in finished.jobs), 1),
    }
    path = pytestconfig.cache.mkdir("cluster") / "measured.json"
    path.write_text(json.dumps(measured, indent=2) + "\n")
    with capsys.disabled():
        print(f"\n{path}")
        for name, value in measured.items():
            print(f"  {name.replace('_', ' '):34} {value if not isinstance(value, dict) else _words(value)}")
    assert min(waited) >= 0
    assert min(noticed) >= 0
    assert 0.2 < measured["utilisation_of_slots"] <= 1


def test_a_trial_knows_what_had_finished_before_it_started(finished: Finished) -> None:
    records = _records(finished)
    assert all(record["state"] == "complete" for record in records)
    for record in records:
        before = {other["number"] for other in records if other["end"] < record["proposed_at"]}
        assert before <= set(record["known"])
    last = max(records, key=lambda record: record["proposed_at"])  # numbers do not say who asked first
    assert len(last["known"]) >= TRIALS - SLOTS


def _records(finished: Finished) -> list[dict]:
    paths = sorted(finished.project.path(str(SWEEP / "trials")).glob("*.json"))
    return [json.loads(path.read_text()) for path in paths]


def _summary(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "most": round(max(values), 1)}


def _words(summary: dict[str, float]) -> str:
    return f"median {summary['median']}, at most {summary['most']}"
