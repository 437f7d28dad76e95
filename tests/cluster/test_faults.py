"""A sweep through a real Slurm in which nearly everything goes wrong once, and what comes out of it.

One run for all tests: a trial is cancelled, one is longer than its time limit, one hangs until its time limit, one
needs more memory than it asked for, one fails for good; a node is drained, a node fails, the controller of Slurm is
away for a while, Snakemake is killed.
The same sweep, undisturbed and without Slurm, says what must come out.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from cluster_project import RESULTS, SLOW, SWEEP, cluster_project, put_before_trial
from controller import Controller
from loopback_slurm import Slurm
from slurm_records import Job, Running, jobs_of, running
from workflow_project import Project

TRIALS = 16
MEMORY_MB = 1100  # a trial of this study needs about 600
MINUTES = 3
NAMES = ("hang", "slow", "memory", "disk")
# The first trial that comes so far hangs, the next is slow, the third needs more memory, the fourth finds a broken
# disk. A trial keeps its fault, but hangs and is slow in its first job alone. Only one trial can make a link.
FAULTS = (
    SLOW.format(seconds=0.5)
    + """
import os
from pathlib import Path

ballast = []


def claimed(fault):
    mine = snakemake.wildcards.trial
    others = [name for name in ("hang", "slow", "memory", "disk") if name != fault]
    if any(os.path.islink(name) and os.readlink(name) == mine for name in others):
        return False
    try:
        os.symlink(mine, fault)
    except FileExistsError:
        pass
    return os.readlink(fault) == mine


def faulty(reporter, run):
    while Path("hold").exists():
        Path(f"held-{snakemake.wildcards.sweep}_{snakemake.wildcards.trial}").touch()
        time.sleep(0.2)
    if run.step >= 15 and snakemake.wildcards.sweep == "search" and Path("faults").exists():
        if not Path("hung").exists() and claimed("hang"):
            Path("hung").touch()
            time.sleep(3600)
        if snakemake.params.attempt == 1 and claimed("slow"):
            time.sleep(8)
        if not ballast and claimed("memory"):
            ballast.append(b"x" * 1_000_000_000)
        if claimed("disk"):
            raise OSError("the disk of this node is broken")
    slow(reporter, run)


Reporter.__call__ = faulty
"""
)


@dataclass
class Story:
    """What was done to the sweep, and what Slurm and Snakemake said of it."""

    project: Project
    undisturbed: dict[int, dict[str, Any]]
    told: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    @property
    def records(self) -> dict[int, dict[str, Any]]:
        return records_of(self.project)

    def victim(self, fault: str) -> int:
        """Return the number of the trial that took a fault."""
        return int(self.project.path(fault).readlink().name)

    def jobs_of_trial(self, number: int) -> list[Job]:
        return [job for job in self.jobs if job.rule == "trial" and job.trial == f"search_{number:04d}"]


def records_of(project: Project) -> dict[int, dict[str, Any]]:
    paths = project.path(str(SWEEP / "trials")).glob("*.json")
    records = [json.loads(path.read_text()) for path in paths]
    return {record["number"]: record for record in records}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sweep without Slurm and without faults. `random`: which trials have finished changes no proposal."""
    project = cluster_project(tmp_path_factory.mktemp("undisturbed"), trials=TRIALS, sampler="random")
    run = project.snakemake("--", "sweeps")
    assert run.returncode == 0, run.stdout[-6000:]
    return project


@pytest.fixture(scope="module")
def story(slurm: Slurm, undisturbed: Project, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("faults") / "project"
    shutil.copytree(undisturbed.folder, folder, symlinks=True)
    for made in ("sweeps", "models"):
        shutil.rmtree(folder / RESULTS / made, ignore_errors=True)
    story = Story(Project(folder), records_of(undisturbed))
    put_before_trial(story.project, FAULTS)
    story.project.path("faults").touch()
    profile = story.project.path("profiles/cluster/profile.v9+.yaml")
    text = (
        profile.read_text().replace("16000 * min", f"{MEMORY_MB} * min").replace("runtime: 720", f"runtime: {MINUTES}")
    )
    profile.write_text(text)
    disturb(slurm, story)
    story.jobs = jobs_of(slurm, folder)
    logs = (folder / ".snakemake/slurm_logs").rglob("*.log")
    story.told["logs"] = "".join(path.read_text(errors="replace") for path in logs)
    story.told["finished_beside_it"] = list(story.records)
    story.project.path("faults").unlink()  # somebody has repaired the disk
    last = story.project.snakemake()
    story.said.append(last.stdout)
    story.codes.append(last.returncode)
    return story


def disturb(slurm: Slurm, story: Story) -> None:
    """Run the sweep until it has come as far as it can, and get in its way."""
    folder, told = story.project.folder, story.told
    with Controller(story.project, ("--preemptible-retries", "3", "--", "sweeps")) as first:
        told["cancelled"] = pick(first, slurm)
        slurm.command("scancel", told["cancelled"].job)
        first.until((folder / "hung").exists)
        hanging = next(trial for trial in running(slurm, folder) if trial.name == f"search_{story.victim('hang'):04d}")
        slurm.command("scontrol", "update", f"jobid={hanging.job}", "timelimit=1")
        first.until(lambda: all(story.project.path(fault).is_symlink() for fault in NAMES))

        told["on_drained"] = pick(first, slurm)
        drained = told["on_drained"].node
        slurm.command("scontrol", "update", f"nodename={drained}", "state=drain", "reason=test")
        told["drained"] = (drained, time.time())
        first.until(lambda: ended(slurm, told["on_drained"].job))
        first.until(lambda: any(trial.started > told["drained"][1] + 1 for trial in running(slurm, folder)))
        slurm.command("scontrol", "update", f"nodename={drained}", "state=resume")
        told["resumed"] = time.time()

        told["without_slurm"] = pick(first, slurm)
        slurm.stop_controller()
        time.sleep(20)
        slurm.start_controller()

        first.until(lambda: ended(slurm, hanging.job))
        first.until(lambda: not slow_one(slurm, story))
        told["on_failed"] = pick(first, slurm)
        failed = told["on_failed"].node
        slurm.command("scontrol", "update", f"nodename={failed}", "state=down", "reason=test")
        time.sleep(2)
        slurm.command("scontrol", "update", f"nodename={failed}", "state=resume")

        (folder / "hold").touch()  # nobody may end before it has a twin
        first.until(lambda: held(slurm, story.project))
        orphans = held(slurm, story.project)
        first.kill()
        told["killed"] = time.time()
    story.said.append(first.text)
    story.codes.append(first.process.returncode)
    told["locks"] = list(folder.glob(".snakemake/locks/*"))
    story.project.snakemake("--unlock")
    # Of all trials that are left, those that still run come first: else none of them may get a twin.
    first_of_all = [str(SWEEP / "trials" / f"{one.name.removeprefix('search_')}.json") for one in orphans]
    arguments = ("--preemptible-retries", "3", "--prioritize", *first_of_all, "--", "sweeps")
    with Controller(story.project, arguments) as second:
        second.until(lambda: twins(slurm, story.project, orphans))
        told["orphan"] = twins(slurm, story.project, orphans)[0]
        time.sleep(5)
        (folder / "hold").unlink()
        story.codes.append(second.wait(600))
    story.said.append(second.text)


def pick(controller: Controller, slurm: Slurm) -> Running:
    """Wait for a trial that runs, has no fault of its own and has saved something, and return it."""
    found: list[Running] = []
    controller.until(lambda: found or found.extend(healthy(slurm, controller.project)))
    return found[0]


def twins(slurm: Slurm, project: Project, orphans: list[Running]) -> list[Running]:
    """Return those of the orphans beside which another job of the same trial runs."""
    now = running(slurm, project.folder)
    return [one for one in orphans if any(other.name == one.name and other.job != one.job for other in now)]


def healthy(slurm: Slurm, project: Project) -> list[Running]:
    """Return the trials that run, have no fault of their own and have saved something, but no result."""
    links = [project.path(name) for name in NAMES]
    faulty = {f"search_{path.readlink().name}" for path in links if path.is_symlink()}
    return [
        trial
        for trial in running(slurm, project.folder)
        if trial.name.startswith("search") and trial.name not in faulty and saved(project, trial.name)
    ]


def held(slurm: Slurm, project: Project) -> list[Running]:
    """Return the healthy trials that wait until they may go on; one whose training has ended no longer asks."""
    return [trial for trial in healthy(slurm, project) if project.path(f"held-{trial.name}").exists()]


def slow_one(slurm: Slurm, story: Story) -> bool:
    """Return whether the first job of the slow trial still runs."""
    name = f"search_{story.victim('slow'):04d}"
    return not any(job.name.endswith(name) for job in jobs_of(slurm, story.project.folder))


def saved(project: Project, name: str) -> bool:
    number = name.removeprefix("search_")
    result = list(project.path(str(SWEEP / "ledger")).glob(f"*/trial-{number}.json"))
    return not result and any(project.path(str(SWEEP / "trainings" / number)).glob("*/*"))


def ended(slurm: Slurm, job: str) -> bool:
    return f"JobId={job} " in (slurm.folder / "log/ended.txt").read_text()


def test_undisturbed_it_is_complete(undisturbed: Project) -> None:
    assert {record["state"] for record in records_of(undisturbed).values()} == {"complete"}
    assert sorted(records_of(undisturbed)) == list(range(TRIALS))


def test_the_sweep_comes_to_a_complete_result(story: Story) -> None:
    assert story.codes[-1] == 0, story.said[-1][-6000:]
    assert story.project.path(str(RESULTS / "report.html")).is_file()
    assert sorted(story.records) == list(range(TRIALS))
    with story.project.path(str(SWEEP / "trials.csv")).open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == list(range(TRIALS))
    assert {row["state"] for row in rows} == {"complete"}


def test_every_trial_ends_as_it_does_undisturbed(story: Story) -> None:
    """Bit for bit: the same number in the record, and the same curve, of trials that were stopped anywhere.

    The study's own parameters go to the trial that asks first, whose number differs; it leaves one without its like.
    """
    undisturbed = {json.dumps(record["parameters"]): record for record in story.undisturbed.values()}
    compared = 0
    for record in story.records.values():
        if expected := undisturbed.get(json.dumps(record["parameters"])):
            for key in ("seed", "objective", "best_step", "curve", "generation"):
                assert record[key] == expected[key], (record["number"], key)
            compared += 1
    assert compared >= TRIALS - 1


def test_every_trial_is_published_once(story: Story) -> None:
    ledger = story.project.path(str(SWEEP / "ledger"))
    published = sorted(path.name for path in ledger.glob("*/trial-????.json"))
    assert published == [f"trial-{number:04d}.json" for number in range(TRIALS)]
    assert not list(ledger.glob("*/*second*"))


def test_a_cancelled_trial_goes_on_in_another_job(story: Story) -> None:
    number = int(story.told["cancelled"].name.removeprefix("search_"))
    job = next(job for job in story.jobs if job.number == story.told["cancelled"].job)
    assert [run.state for run in job.runs] == ["CANCELLED"]
    went_on(story, number)


def test_a_trial_longer_than_its_time_limit_saves_itself_in_time_and_goes_on(story: Story) -> None:
    first, *more = story.jobs_of_trial(story.victim("slow"))
    assert [run.state for run in first.runs] == ["FAILED"]  # by its own exit status, not TIMEOUT
    assert more
    jobs = went_on(story, story.victim("slow"))
    assert len({job["job"] for job in jobs}) == len(jobs)  # a job does not try again by itself
    assert re.fullmatch(r"stopped at step \d+ of \d+: time limit", jobs[0]["ended"])
    assert jobs[0]["job"] == first.number
    assert jobs[1]["step"] == int(re.findall(r"\d+", jobs[0]["ended"])[0])


def test_a_trial_that_hangs_is_ended_by_its_time_limit_and_goes_on(story: Story) -> None:
    first, *more = story.jobs_of_trial(story.victim("hang"))
    assert [run.state for run in first.runs] == ["TIMEOUT"]
    assert first.minutes == 1
    assert 120 <= first.runs[0].seconds < 210  # Slurm looks every half minute
    assert more
    assert more[0].minutes == MINUTES


def test_a_trial_that_was_killed_for_its_memory_asks_for_more(story: Story) -> None:
    first, second, *_ = story.jobs_of_trial(story.victim("memory"))
    assert first.runs[0].state == "FAILED"
    assert (first.memory_mb, second.memory_mb) == (MEMORY_MB, 2 * MEMORY_MB)
    assert "Exceeded job memory limit" in (story.told["logs"])


def test_jobs_of_a_drained_node_end_there_and_no_others_begin(story: Story) -> None:
    job = next(job for job in story.jobs if job.number == story.told["on_drained"].job)
    assert [run.state for run in job.runs] == ["COMPLETED"]
    node, since = story.told["drained"]
    runs = [run for job in story.jobs for run in job.runs]
    assert not [run for run in runs if run.node == node and since + 1 < run.started < story.told["resumed"] - 1]
    assert [run for run in runs if run.node != node and since + 1 < run.started < story.told["resumed"]]
    assert [run for run in runs if run.node == node and run.started > story.told["resumed"]]


def test_slurm_starts_the_trials_of_a_failed_node_again(story: Story) -> None:
    job = next(job for job in story.jobs if job.number == story.told["on_failed"].job)
    assert job.runs[0].state == "NODE_FAIL"
    assert len(job.runs) == 2  # the same job
    assert job.memory_mb == MEMORY_MB  # and no attempt of Snakemake's


def test_trials_outlive_an_outage_of_slurms_controller(story: Story) -> None:
    job = next(job for job in story.jobs if job.number == story.told["without_slurm"].job)
    assert job.runs[-1].state == "COMPLETED"
    others = [other for other in story.jobs_of_trial(int(job.trial[-4:])) if other.number != job.number]
    assert all(other.runs[0].submitted > story.told["killed"] for other in others)  # Snakemake has not lost it


def test_trials_outlive_snakemake_and_their_twins_take_their_results(story: Story) -> None:
    assert story.codes[0] == -9
    assert story.told["locks"]
    orphan = next(job for job in story.jobs if job.number == story.told["orphan"].job)
    twin = next(job for job in story.jobs_of_trial(int(orphan.trial[-4:])) if int(job.number) > int(orphan.number))
    assert orphan.runs[-1].state == "COMPLETED"
    assert twin.runs[-1].state == "COMPLETED"
    who_trained = [job["job"] for job in story.records[int(orphan.trial[-4:])]["jobs"]]
    assert who_trained[-1] == orphan.number
    assert twin.number not in who_trained


def test_a_job_that_fails_for_good_is_reported_and_holds_back_nobody(story: Story) -> None:
    number = story.victim("disk")
    assert story.codes[1] == 1
    assert re.search(rf"Error in rule trial:\n(?:.*\n)*?.*trials/{number:04d}\.json", story.said[1])
    assert "the disk of this node is broken" in story.told["logs"] + story.said[1]
    failed = [job for job in story.jobs_of_trial(number) if job.runs[0].state == "FAILED"]
    assert len(failed) >= 4  # the first attempt and three more
    others = story.told["finished_beside_it"]
    assert sorted(others) == sorted(set(range(TRIALS)) - {number})


def went_on(story: Story, number: int) -> list[dict[str, Any]]:
    """Return the jobs that the record of a trial names, a later one of which went on from a saved step."""
    jobs = story.records[number]["jobs"]
    assert len(jobs) > 1
    assert jobs[-1]["step"] > 0
    return jobs
