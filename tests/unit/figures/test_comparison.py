from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.report.comparison import Comparison, Plan, notes, read_comparison, write_comparison
from hakken.report.figure import Machine, TrialRecord
from hakken.search.comparison import TimedSweep
from hakken.search.course import TimedTrial
from hakken.search.trial import State

CPU = Machine("host", "cpu", 1)
NOON = 1767268800.0  # 2026-01-01T12:00:00+00:00
PLANS = {"n2-r0": Plan("bayesian", 2, 0), "random-r0": Plan("random", 1, 0), "default": Plan("default", 1, 0)}


def record(sweep: str, number: int, seconds: tuple[float, float], value: float | None, state: State) -> TrialRecord:
    start, end = seconds
    return TrialRecord(sweep, number, {"rate": 0.1}, state, value, NOON + start, NOON + end, 0.0, CPU)


RECORDS = (
    record("n2-r0", 0, (0, 8), 0.5, "complete"),
    record("n2-r0", 1, (1.5, 4), None, "failed"),
    record("n2-r0", 2, (4.25, 10), 0.9, "pruned"),
    record("random-r0", 0, (20, 23), 0.25, "complete"),
    record("default", 0, (30, 35), 0.4, "complete"),
)
TABLE = """\
sweep,sampler,slots,repeat,finished,seconds,best,trial,state,objective,start,began,host,device,threads
n2-r0,bayesian,2,0,1,4.0,,1,failed,,1.5,2026-01-01T12:00:00.000+00:00,host,cpu,1
n2-r0,bayesian,2,0,2,8.0,0.5,0,complete,0.5,0.0,2026-01-01T12:00:00.000+00:00,host,cpu,1
n2-r0,bayesian,2,0,3,10.0,0.5,2,pruned,0.9,4.25,2026-01-01T12:00:00.000+00:00,host,cpu,1
random-r0,random,1,0,1,3.0,0.25,0,complete,0.25,0.0,2026-01-01T12:00:20.000+00:00,host,cpu,1
default,default,1,0,1,5.0,0.4,0,complete,0.4,0.0,2026-01-01T12:00:30.000+00:00,host,cpu,1
"""


def written(folder: Path) -> Path:
    path = folder / "comparison.csv"
    write_comparison(path, PLANS, RECORDS)
    return path


def test_the_table_by_hand(tmp_path: Path) -> None:
    assert written(tmp_path).read_text() == TABLE


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    found = read_comparison(written(tmp_path))
    first, second = found.sweeps
    assert first == TimedSweep(
        name="n2-r0",
        sampler="bayesian",
        slots=2,
        repeat=0,
        began=NOON,
        trials=(
            TimedTrial(1, "failed", None, 1.5, 4),
            TimedTrial(0, "complete", 0.5, 0, 8),
            TimedTrial(2, "pruned", 0.9, 4.25, 10),
        ),
        hosts=frozenset({"host"}),
    )
    assert (second.name, second.began) == ("random-r0", NOON + 20)
    assert (found.default, found.machines) == (0.4, {CPU})


def test_a_sweep_without_a_trial_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"comparison\.csv: sweep `random-r0` has no trial"):
        write_comparison(tmp_path / "comparison.csv", PLANS, RECORDS[:3])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",10.0,", ",later,", "comparison.csv: row 4, column seconds: `later` is not a number"),
        (",10.0,", ",,", "comparison.csv: row 4, column seconds: a number is missing"),
        ("2026-01-01T12:00:20.000+00:00", "noon", "comparison.csv: column began: `noon` is no time as 2026"),
        ("finished", "done", "comparison.csv: column finished is missing"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "comparison.csv"
    path.write_text(TABLE.replace(old, new, 1))
    with pytest.raises(HakkenError, match=message):
        read_comparison(path)


def test_the_notes_say_what_was_averaged_and_where_it_ran(tmp_path: Path) -> None:
    assert notes(read_comparison(written(tmp_path))) == (
        "Lines: best so far, mean over 1 repeat of 1 to 3 trainings where all have one; bands: lowest to highest "
        "repeat. Failed and pruned trainings count and take their time.",
        "Best of all 1 training of random search: 0.250.",
        "Ran on one machine: CPU, 1 thread a training.",
    )


def test_the_notes_warn_of_sweeps_that_shared_a_machine(tmp_path: Path) -> None:
    found = read_comparison(written(tmp_path))
    first, second = found.sweeps
    shared = Comparison((first, replace(second, began=first.began)), None, frozenset({CPU, Machine("two", "cuda", 4)}))
    assert notes(shared)[-1] == (
        "Ran on 2 machines: CPU and CUDA, 1 to 4 threads a training. Sweeps ran at the same time on one machine: their "
        "times are longer than those of one alone."
    )
