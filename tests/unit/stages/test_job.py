"""Jobs of a search whose trainings pause at rungs: from asking to their files, whatever ends them on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hakken.cli import main
from hakken.core.files import read_json
from hakken.core.tables import read_table
from hakken.outcomes import candidates
from hakken.runs import attempt as attempts
from hakken.runs import course, segments
from hakken.runs.guard import SCIENCE
from hakken.runs.table import run_named
from hakken.runs.trials import read_trials
from hakken.search import Trial
from hakken.search.ledger import Ledger
from hakken.stages import job as stage
from hakken.stages import trial as stage_of_trial
from hakken.stages.patches import patches
from hakken.stages.select import select
from hakken.stages.sweep_table import sweep_table
from hakken.study.slices import study_slice
from hakken.training.checkpoint import checkpoint_files
from hakken.training.reporter import Reporter
from hakken.training.stopping import REQUEUE

from ..miniature import prepare_case, study
from .deaths import killed_at

SPACE = {
    "learning_rate": {"type": "real", "low": 0.005, "high": 0.05, "scale": "log"},
    "dense_units": {"type": "integer", "low": 4, "high": 9},
}
SEARCH: dict[str, Any] = {"space": SPACE, "slots": 1, "startup": 2, "rungs": ["1/9", "1/3"]}
TRAINING = {"steps": 18, "validate_every": 9, "checkpoint_seconds": 1000}
JOBS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training patches and prepared validation cases of the miniature study."""
    folder = tmp_path_factory.mktemp("data")
    for number, places in enumerate([[(8, 9, 10), (14, 18, 16)], [(11, 13, 12)], []]):
        prepare_case(folder / "prepared" / "train-000", f"t{number}", list(places))
    prepare_case(folder / "prepared" / "validation-000", "v0", [(9, 9, 9), (13, 17, 15)])
    patches(study=study(), prepared=[folder / "prepared" / "train-000"], output=folder / "patches" / "train")
    return folder


def given(data: Path, results: Path, search: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the jobs of a search and the untuned default share."""
    chosen = study(search=search, **more | {"training": TRAINING | more.get("training", {})})
    planned = run_named(chosen, "search")
    return {
        "study": study_slice(chosen, SCIENCE),
        "run": planned.as_dict(),
        "trials": planned.trials,
        "slots": planned.slots,
        "stop_after_failures": planned.stop_after_failures,
        "patches": str(data / "patches" / "train"),
        "validation": [str(data / "prepared" / "validation-000")],
        "ledger": str(results / "search" / "ledger"),
        "logs": str(results / "logs"),
        "log": str(results / "log"),
    }


def run(data: Path, results: Path, number: int = 0, **changes: Any) -> dict[str, Any]:
    """Run a job as the workflow does, with plain values, and return what its file says."""
    options = {name: changes.pop(name) for name in ("minutes", "attempt", "threads") if name in changes}
    sections = {name: changes.pop(name) for name in ("parameters", "training") if name in changes}
    output = results / "search" / "jobs" / f"{number:04d}.json"
    stage.job(
        number=f"{number:04d}",
        work=str(results / "search" / "trainings"),
        output=str(output),
        code_of_trial="c0de",
        **given(data, results, {"trials": JOBS, **SEARCH} | changes, **sections),
        **options,
    )
    found: dict[str, Any] = read_json(output)
    return found


def whole_search(data: Path, results: Path, order: Sequence[int] = range(JOBS), **changes: Any) -> list[dict[str, Any]]:
    """Run all jobs of a search of one slot in some order; return the records of its trainings."""
    for number in order:
        run(data, results, number, **changes)
    return read_trials(jobs_of(results))


def jobs_of(results: Path) -> list[Path]:
    return sorted((results / "search" / "jobs").iterdir())


def ledger_of(results: Path) -> Ledger:
    (folder,) = (results / "search" / "ledger").iterdir()
    return Ledger(folder)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of one slot, run to its end; tests must not change it."""
    folder = tmp_path_factory.mktemp("finished")
    whole_search(data, folder)
    return folder


def test_a_job_spends_the_steps_of_a_full_training_and_its_file_says_on_what(finished: Path) -> None:
    for path in jobs_of(finished):
        content = read_json(path)
        each = content["segments"]
        assert sum(Fraction(one["segment"]["until"]) - Fraction(one["segment"]["since"]) for one in each) == 1
        assert {one["segment"]["job"] for one in each} == {content["job"]} == {int(path.stem)}
        assert content["seconds"] == pytest.approx(sum(one["seconds"] for one in each), abs=0.01)
        assert content["sweep"] == "search"
    first = read_json(jobs_of(finished)[0])["segments"]
    assert [(one["state"], one["segment"]["since"], one["segment"]["until"]) for one in first] == [
        ("complete", "0", "1")
    ]
    assert first[0]["parameters"] == {"learning_rate": 0.02, "dense_units": 8}, "the untuned default is never paused"
    assert list(first[0]["by_rung"]) == ["1/9", "1/3", "1"]


def test_a_training_is_one_record_by_its_last_segment(finished: Path) -> None:
    records = read_trials(jobs_of(finished))
    assert [one["number"] for one in records] == list(range(len(records))) == [one["place"] for one in records]
    assert {one["state"] for one in records} == {"complete", "paused"}
    promoted = next(one for one in records if len(one["segments"]) > 1)
    assert promoted["segments"][0]["state"] == "paused"
    assert promoted["seconds"] == pytest.approx(sum(one["seconds"] for one in promoted["segments"]), abs=0.01)
    assert promoted["rung"] == list(promoted["by_rung"])[-1] == promoted["segments"][-1]["until"]
    paused = next(one for one in records if one["state"] == "paused" and one["rung"] == "1/9")
    assert (paused["reason"], [point["step"] for point in paused["curve"]]) == ("rung 1/9", [2])
    assert paused["objective"] == paused["by_rung"]["1/9"] == paused["curve"][0]["objective"]
    assert "model" not in paused


def test_one_that_pauses_keeps_its_checkpoint_and_one_that_is_complete_its_model(finished: Path) -> None:
    for one in read_trials(jobs_of(finished)):
        (folder,) = (finished / "search" / "trainings" / f"{one['number']:04d}").iterdir()
        assert bool(checkpoint_files(folder)) == (one["state"] == "paused")
        assert (folder / "model.pt").is_file() == (one["state"] == "complete")


def test_a_training_that_paused_ends_like_one_that_did_not(data: Path, finished: Path, tmp_path: Path) -> None:
    """The same parameters and seed, once in segments and once at a stretch."""
    whole = [one for one in read_trials(jobs_of(finished)) if one["state"] == "complete"]
    parts = run_apart(data, tmp_path)
    one, other = (next(r for r in records if r["number"] == 0) for records in (whole, parts))
    assert (len(one["segments"]), len(other["segments"])) == (1, 3)
    for key in ("parameters", "seed", "curve", "objective", "by_rung"):
        assert one[key] == other[key], key
    assert one["model"]["sha256"] == other["model"]["sha256"]
    assert one["predictions"]["sha256"] == other["predictions"]["sha256"]


def run_apart(data: Path, results: Path, **changes: Any) -> list[dict[str, Any]]:
    """Train the default in three segments, as if it were a training like any."""
    with pytest.MonkeyPatch.context() as patched:
        decided = iter([(0, 1), (1, 2), (2, 3)])

        def in_order(settings: Any, known: Any, job: int, budget: int) -> Any:
            since, until = next(decided)
            own = {name: study().parameters.model_dump()[name] for name in SPACE}
            return segments.Segment(job, 0, since, until), own

        patched.setattr(segments, "decide_segment", in_order)
        run(data, results, **changes)
    return read_trials(jobs_of(results))


def test_with_one_slot_a_search_is_the_same_in_whatever_order_its_jobs_come(
    data: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, found = read_trials(jobs_of(finished)), whole_search(data, tmp_path, (2, 0, 3, 1))
    for key in ("place", "parameters", "seed", "objective", "curve", "state", "by_rung"):
        assert [one[key] for one in found] == [one[key] for one in expected], key
    digests = [[one["model"]["sha256"] for one in records if "model" in one] for records in (found, expected)]
    assert digests[0] == digests[1]
    capsys.readouterr()
    assert main(["search", "replay", str(tmp_path / "search")]) == 0
    count = len(ledger_of(tmp_path).log())
    assert capsys.readouterr().out.startswith(f"{count} of {count} proposals are the same when recomputed")


def kill_once(target: Any, name: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the call number ``at`` of a function end its process."""
    calls: list[int] = []
    function = getattr(target, name)

    def dies(*arguments: Any, **options: Any) -> Any:
        calls.append(0)
        if len(calls) == at:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    monkeypatch.setattr(target, name, dies)


@pytest.mark.parametrize(
    "moment", [(segments, "decide_segment", 3), (Ledger, "claim", 4), (course, "train", 4), (Ledger, "publish", 5)]
)
def test_a_job_that_is_killed_goes_on_with_its_own_segment_and_changes_nothing(
    moment: tuple[Any, str, int], data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        kill_once(*moment, patched)
        whole_search(data, tmp_path)
    found, expected = whole_search(data, tmp_path), read_trials(jobs_of(finished))
    for key in ("parameters", "seed", "objective", "curve", "state", "by_rung"):
        assert [one[key] for one in found] == [one[key] for one in expected], key
    log, before = ledger_of(tmp_path).log(), ledger_of(finished).log()
    assert [one.proposal and one.proposal.segment for one in log] == [
        one.proposal and one.proposal.segment for one in before
    ]


def test_a_living_twin_is_waited_for_and_its_result_taken(
    data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, waits = ledger_of(finished), list[int]()

    @contextmanager
    def taken(self: Ledger, number: int) -> Iterator[SimpleNamespace]:
        if number in waits:  # the twin publishes while this job waits
            self.publish(number, known.result(number) or {})
        waits.append(number)
        yield SimpleNamespace(held=False)

    monkeypatch.setattr(Ledger, "lease", taken)
    monkeypatch.setattr(attempts, "WAIT_SECONDS", 0)
    monkeypatch.setattr(course, "train", None)
    whole_search(data, tmp_path, range(2))
    count = len(ledger_of(tmp_path).log())
    assert waits == [number for number in range(count) for _ in range(2)], "each was asked for once, and waited for"
    assert [one["segments"] for one in map(read_json, jobs_of(tmp_path))] == [
        one["segments"] for one in map(read_json, jobs_of(finished)[:2])
    ]
    assert not (tmp_path / "search" / "trainings").exists()
    assert "01 to 1/9: another process trains it; waiting for its result" in (tmp_path / "log").read_text()


def test_near_its_time_limit_a_job_saves_itself_and_the_next_goes_on(
    data: Path, finished: Path, tmp_path: Path
) -> None:
    run(data, tmp_path)
    for attempt in range(1, 3):  # each has time for one step
        with pytest.raises(SystemExit) as stopped:
            run(data, tmp_path, 1, minutes=1e-9, attempt=attempt)
        assert stopped.value.code == REQUEUE
    found = run(data, tmp_path, 1, minutes=60, attempt=3)
    expected = read_json(jobs_of(finished)[1])
    assert [one["objective"] for one in found["segments"]] == [one["objective"] for one in expected["segments"]]
    assert [one["step"] for one in found["segments"][0]["jobs"]] == [0, 1, 2]


def test_killed_within_a_segment_it_goes_on_from_its_checkpoint(
    data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_at(8, monkeypatch):
        run(data, tmp_path)
    steps: list[int] = []
    monkeypatch.setattr(Reporter, "__call__", lambda self, run: steps.append(run.step))
    found = run(data, tmp_path)
    assert steps[0] == 7, "the last measurement was at the rung 1/3, step 6"
    assert found["segments"][0]["model"]["sha256"] == read_json(jobs_of(finished)[0])["segments"][0]["model"]["sha256"]


def test_a_training_that_fails_leaves_its_job_the_rest_of_its_budget(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, tmp_path)
    train, calls = course.train, []

    def fails_once(*arguments: Any, **options: Any) -> Any:
        calls.append(0)
        if len(calls) == 1:
            raise FloatingPointError("the loss was nan at step 1")
        return train(*arguments, **options)

    monkeypatch.setattr(course, "train", fails_once)
    found = run(data, tmp_path, 1)
    first, *others = found["segments"]
    assert (first["state"], first["reason"], first["by_rung"]) == ("failed", "diverged", {})
    assert others
    assert all(one["state"] != "failed" for one in others)
    spent = sum(Fraction(one["segment"]["until"]) - Fraction(one["segment"]["since"]) for one in found["segments"])
    assert spent == 1
    (failed,) = (one for one in read_trials(jobs_of(tmp_path)) if one["state"] == "failed")
    assert failed["number"] == first["segment"]["training"]


def test_where_too_many_fail_in_a_row_no_segment_is_begun(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(data, tmp_path)

    def diverges(*arguments: Any, **options: Any) -> Any:
        raise FloatingPointError("the loss was nan at step 1")

    monkeypatch.setattr(course, "train", diverges)
    with pytest.raises(SystemExit) as ended:
        run(data, tmp_path, 1, stop_after_failures=2)
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert "the last 2 trials of the sweep `search` failed, so no other is started:" in shown
    assert "search-0001.log" in shown
    assert len(ledger_of(tmp_path).log()) == 3


def test_the_untuned_default_is_the_first_training_of_the_search(data: Path, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "results")
    output = tmp_path / "default" / "shared" / "0000.json"

    def default(results: Path) -> dict[str, Any]:
        stage_of_trial.trial(
            number="0000",
            work=str(results / "search" / "trainings" / "0000"),
            output=str(output),
            code="c0de",
            first=True,
            **given(data, results, {"trials": JOBS, **SEARCH}),
        )
        found: dict[str, Any] = read_json(output)
        return found

    assert default(tmp_path / "results") == ledger_of(tmp_path / "results").result(0)
    asked = default(tmp_path)
    assert (asked["segment"]["job"], asked["state"]) == (0, "complete"), "where nobody has asked, it does as job 0"
    (read,) = read_trials([output])
    select(trials=[output], model=tmp_path / "default.pt", record=tmp_path / "default.json")
    taken = read_json(tmp_path / "default.json")
    assert (taken["trial"]["objective"], taken["trials"]) == (asked["objective"], {"complete": 1})
    assert "rungs" not in taken, "what the search has spent is said of the model that comes from it"
    assert (read["sweep"], read["number"], read["parameters"]) == ("search", 0, asked["parameters"])
    assert run(data, tmp_path)["segments"] == [asked]


def test_the_best_are_trained_again_at_a_stretch(data: Path, finished: Path, tmp_path: Path) -> None:
    chosen = study(search={"trials": JOBS, **SEARCH, "confirm": 1}, training=TRAINING)
    planned = run_named(chosen, "confirm")
    outputs = [tmp_path / "confirm" / "trials" / f"{number:04d}.json" for number in range(planned.trials)]
    for number, output in enumerate(outputs):
        options = given(data, tmp_path, {"trials": JOBS, **SEARCH, "confirm": 1}) | {
            "run": planned.as_dict(),
            "trials": planned.trials,
            "ledger": str(tmp_path / "confirm" / "ledger"),
            "searched": list(map(str, jobs_of(finished))),
        }
        work = str(tmp_path / "confirm" / "trainings" / output.stem)
        stage_of_trial.trial(number=f"{number:04d}", work=work, output=str(output), code="c0de", **options)
    full = [one for one in read_trials(jobs_of(finished)) if one["state"] == "complete"]
    best = max(full, key=lambda one: one["objective"])
    again = read_trials(outputs)
    assert [one["confirms"] for one in again] == [{"trial": best["number"], "seed": seed} for seed in (1, 2)]
    assert len({one["seed"] for one in (best, *again)}) == 3
    for one in again:
        assert (one["state"], one["parameters"]) == ("complete", best["parameters"])
        assert [point["step"] for point in one["curve"]] == [9, 18], "not measured at rungs, where it does not pause"
        assert not {"segment", "segments", "by_rung"} & one.keys()
    kept = {"model": tmp_path / "model.pt", "record": tmp_path / "record.json"}
    select(trials=jobs_of(finished), confirmations=outputs, confirm=1, **kept)
    record = read_json(tmp_path / "record.json")
    assert record["confirmed"][0]["objectives"] == [one["objective"] for one in (best, *again)]
    assert record["rungs"]["spent"] == JOBS


def test_a_trial_of_a_search_with_rungs_and_a_job_of_one_without_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = given(data, tmp_path, {"trials": JOBS, **SEARCH})
    with pytest.raises(SystemExit):
        stage_of_trial.trial(number="0003", work=str(tmp_path / "w"), output=str(tmp_path / "o"), code="c0de", **shared)
    assert (
        "the trainings of `search` pause at rungs, and there are jobs in place of trials: ask for "
        "sweeps/search/jobs/0003.json"
    ) in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(data, tmp_path, 3, rungs=[])
    assert (
        "the trainings of `search` do not pause at rungs, and each is a trial: ask for sweeps/search/trials/0003.json"
    ) in capsys.readouterr().err
    assert not (tmp_path / "search").exists(), "nothing has been asked for"


def test_select_and_the_table_read_trainings(finished: Path, tmp_path: Path) -> None:
    records = read_trials(jobs_of(finished))
    select(trials=jobs_of(finished), model=tmp_path / "model.pt", record=tmp_path / "record.json")
    chosen = read_json(tmp_path / "record.json")
    full = [one for one in records if one["state"] == "complete"]
    assert chosen["trial"]["objective"] == max(one["objective"] for one in full)
    assert sum(chosen["trials"].values()) == len(records)
    assert chosen["trials"]["paused"] == len(records) - len(full)
    sweep_table(trials=jobs_of(finished), parameters=list(SPACE), output=tmp_path / "trials.csv")
    rows = list(read_table(tmp_path / "trials.csv", ("number", "state", "rung", "segments")).records())
    assert [(row["number"], row["rung"], row["segments"]) for row in rows] == [
        (str(one["number"]), one["rung"], str(len(one["segments"]))) for one in records
    ]


def test_status_and_export_speak_of_trainings(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_trials(jobs_of(finished))
    count = {state: sum(one["state"] == state for one in records) for state in ("complete", "paused")}
    promoted = sum(len(one["segments"]) - 1 for one in records)
    assert main(["search", "status", str(finished / "search")]) == 0
    states = f"{count['complete']} complete, {count['paused']} paused, {promoted} promoted"
    assert f"4.0 of 4 full trainings spent ({states})" in " ".join(capsys.readouterr().out.split())
    main(["search", "export", str(finished / "search"), "--output", str(tmp_path / "trials.csv")])
    exported = list(read_table(tmp_path / "trials.csv", ("number", "state", "rung", "segments")).records())
    assert [(row["number"], row["state"], row["rung"], row["segments"]) for row in exported] == [
        (str(one["number"]), one["state"], one["rung"], str(len(one["segments"]))) for one in records
    ]


def test_a_running_training_is_exported_as_such(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(data, tmp_path)
    with pytest.raises(SystemExit):
        run(data, tmp_path, 1, minutes=1e-9)
    capsys.readouterr()
    main(["search", "export", str(tmp_path / "search")])
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["0", "0", "complete"], ["1", "1", "running"]]


def test_what_was_written_by_hand_is_refused(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "search", tmp_path / "search")
    path = jobs_of(tmp_path)[1]
    path.write_text(path.read_text().replace('"state": "paused"', '"state": "complete"', 1))
    with pytest.raises(Exception, match=r"says otherwise than the ledger .*`state`"):
        read_trials(jobs_of(tmp_path))


def test_rungs_that_say_little_are_switched_off_and_the_terminal_says_so(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hakken.search import rungs

    monkeypatch.setattr(rungs, "FEWEST", 1)  # of one training a correlation says nothing, which counts as 0
    whole_search(data, tmp_path, range(2))
    shown = capsys.readouterr().err
    said = "objectives at the rungs (1/9, 1/3) and at the end correlate by 0.00 and 0.00 (Spearman), on average 0.00"
    assert shown.count(said) == 1
    assert "less than 0.5: no training pauses any more" in shown
    proposal = ledger_of(tmp_path).log()[1].proposal
    assert proposal is not None
    assert proposal.segment is not None
    assert (proposal.segment.agreement, proposal.segment.whole, proposal.segment.until) == ((0.0, 0.0), True, 3)
    assert read_json(jobs_of(tmp_path)[1])["segments"][0]["segment"]["whole"] is True


def test_with_a_stored_objective_the_candidates_are_those_of_the_best_network(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal objectives before and after a pause: the first network is kept, and so must be its candidates."""
    monkeypatch.setattr(candidates, "objective", lambda found, part: 0.5)
    whole, parts = run(data, tmp_path / "whole")["segments"][0], run_apart(data, tmp_path / "apart")[0]
    assert (whole["best_step"], parts["best_step"]) == (2, 2)
    assert parts["predictions"]["sha256"] == whole["predictions"]["sha256"]


def test_the_model_proposes_by_the_last_rung_and_the_end(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hakken.runs import ask

    propose, asked = ask.propose_trial, []

    def watched(settings: Any, trials: Sequence[Trial], place: int) -> Any:
        asked.append((place, {trial.state for trial in trials}))
        return propose(settings, trials, place)

    monkeypatch.setattr(ask, "propose_trial", watched)
    whole_search(data, tmp_path, range(2))
    assert [place for place, _ in asked] == list(range(len(asked)))
    assert asked[2][1] == {"complete", "running"}, "the default is whole, the one that pauses at 1/9 is not known"


@pytest.mark.slow
def test_two_processes_pause_and_go_on_together(data: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"batch_norm": False, "dropout": 0.0}
    alone = run_apart(data, tmp_path / "1", threads=1, parameters=settings, training={"gpus_per_node": 2})[0]
    together = run_apart(data, tmp_path / "2", threads=2, parameters=settings, training={"gpus_per_node": 2})[0]
    assert (alone["processes"], together["processes"]) == (1, 2)
    assert [one["state"] for one in together["segments"]] == ["paused", "paused", "complete"]
    assert [point["step"] for point in together["curve"]] == [2, 6, 10, 18], "rungs, and every ninth step"
    for one, other in zip(alone["curve"], together["curve"], strict=True):
        assert other == pytest.approx(one, abs=1e-4)
