"""A finished study, gathered from its files for the summary and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hakken.cohort.parts import openings_folder
from hakken.core.names import counted as counted_words
from hakken.core.tables import Cell
from hakken.evaluation.caution import NO_WIDTH, Caution, has_no_width, lines
from hakken.outcomes import Row
from hakken.report.cost import JobCost, StageCost, by_stage, read_jobs
from hakken.report.heads import head_of
from hakken.runs.measurement import Measurement, read_measurement
from hakken.runs.shown import require_shown
from hakken.runs.table import DEFAULT, SELECTED, folds_of, name_of, variant_runs
from hakken.seal.freeze import read_freeze, read_sealed
from hakken.seal.guard import opened_for
from hakken.seal.openings import Opening
from hakken.study import Study

PARTS = ("validation", "test")
SHARES = {
    "waited_share": "waited for data",
    "validation_share": "measured its objective",
    "review_share": "looked for its own errors",
}
"""What trainings did with their time beside learning, by the key of their records."""
CHOOSE = "delete it, and the model beside it, to choose the model again"


@dataclass(frozen=True)
class StudyResult:
    """Everything that the report says.

    ``records`` say which trial each trained model is, ``measurements`` hold what was measured by part and model, in the
    order in which it is shown. ``optimism`` is None where nothing was chosen among trials, ``opening`` for a study
    without cases.
    """

    study: Study
    folder: Path
    records: Mapping[str, dict[str, Any]]
    measurements: Mapping[tuple[str, str], Measurement]
    optimism: dict[str, Any] | None
    hashes: Mapping[str, Any]
    opening: Opening | None
    jobs: tuple[JobCost, ...]

    @property
    def main(self) -> tuple[tuple[str, str], ...]:
        """The part and model of each column of the table of what was measured.

        The selected model on validation and test, the untuned default and the baselines on test.
        """
        columns = [key for key in self.measurements if key[1] in self._compared]
        return tuple(key for key in columns if key[1] == SELECTED or key[0] != "validation")

    @property
    def variants(self) -> tuple[tuple[str, str], ...]:
        """The part and model of each measurement of a variant."""
        return tuple(key for key in self.measurements if key[1] not in self._compared)

    @property
    def _compared(self) -> tuple[str, ...]:
        return (SELECTED, DEFAULT, *self.study.baselines)

    def chosen(self, model: str) -> tuple[dict[str, Any], ...]:
        """Return what is recorded of the choice of a model, or of that in each fold; nothing where there is none."""
        return tuple(
            self.records[name] for fold in folds_of(self.study) if (name := name_of(model, fold)) in self.records
        )

    @property
    def objectives(self) -> dict[str, float]:
        """The validation objective of the selected model and of the untuned default, the mean over folds."""
        known = {model: list(map(objective_of, self.chosen(model))) for model in (SELECTED, DEFAULT)}
        return {model: sum(values) / len(values) for model, values in known.items() if values}

    @property
    def by_fold(self) -> dict[str, list[str]]:
        """The objective in each fold as people read it, by the head of the column; none where there are no folds."""
        rows = {
            key: [fold[one.objective].objective for fold in one.folds]
            for key in self.main
            for one in [self.measurements[key]]
        }
        return {head_of(*key): [row.cell if row else "" for row in found] for key, found in rows.items() if found}

    @property
    def costs(self) -> tuple[StageCost, ...]:
        """What each stage has cost."""
        return by_stage(self.jobs)

    @property
    def cpu_hours(self) -> float:
        """CPU-hours of all finished jobs, with those of their unfinished attempts."""
        return sum(cost.cpu_hours for cost in self.costs)

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of the trainings."""
        return sum(float(record["gpu_seconds"]) for record in self.records.values()) / 3600

    @property
    def shares(self) -> dict[str, float]:
        """The largest share of its time that a training of these models did something else than learn, in words."""
        trials = [record["trial"] for record in self.records.values()]
        found = {words: [float(one[key]) for one in trials if key in one] for key, words in SHARES.items()}
        return {words: max(values) for words, values in found.items() if values}

    @property
    def besides(self) -> tuple[str, ...]:
        """What the selected model learnt from its own errors, in sentences, each once."""
        return tuple(dict.fromkeys(line for one in self.chosen(SELECTED) for line in besides_of(one["trial"])))

    @property
    def peak_mb(self) -> float:
        """Largest resident memory of a job in MB."""
        return max((cost.peak_mb for cost in self.costs), default=0.0)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What warns of the numbers of `main` and of those of their folds, with what it warns of."""
        found = [Caution(head_of(*key), line) for key in self.main for line in self.measurements[key].warnings]
        found += [
            Caution(f"{head_of(*key)}, fold {number}", line)
            for key in self.main
            for number, fold in enumerate(self.measurements[key].folds)
            for line in fold[self.measurements[key].objective].said
        ]
        corrected = (self.optimism or {}).get("corrected", {})
        if has_no_width(*(corrected.get(end) for end in ("value", "low", "high"))):
            found.append(Caution("validation objective, corrected for the choice", NO_WIDTH))
        return tuple(lines(found))

    @property
    def warnings_of_variants(self) -> dict[str, list[str]]:
        """What warns of the numbers of the variants, each line with all that it warns of."""
        found: dict[str, list[str]] = {}
        for key in self.variants:
            for line in self.measurements[key].warnings:
                found.setdefault(line, []).append(head_of(*key))
        return found


def objective_of(record: Mapping[str, Any]) -> float:
    """Return the validation objective that a model was chosen by: that of its trial, or the mean over its seeds."""
    return float(record.get("objective", record["trial"]["objective"]))


def besides_of(trial: Mapping[str, Any]) -> list[str]:
    """Return sentences on the hard mining and on the second stage of a training, of those that it had.

    >>> besides_of({"hard_mining": {"cases": ["a"], "training_cases": 4, "false_candidates": 9, "step": 50}})
    ['After 50 steps 9 false candidates were found in 1 of 4 training cases, and windows put on them (hard mining).']
    """
    found, mining, second = [], trial.get("hard_mining"), trial.get("second_stage")
    if mining:
        many = mining["false_candidates"]
        were = "was" if many <= 1 else "were"
        said = f"{counted_words(many, 'false candidate') if many else 'no false candidate'} {were}"
        done = f"windows put on {'it' if many == 1 else 'them'}" if many else "windows drawn as before"
        found.append(
            f"After {counted_words(mining['step'], 'step')} {said} found in {len(mining['cases'])} of "
            f"{counted_words(mining['training_cases'], 'training case')}, and {done} (hard mining)."
        )
    if second:
        learnt = second["found"]
        found.append(
            f"A second stage learnt in {second['seconds']:.0f} s from {counted_words(learnt['hits'], 'hit')} and "
            f"{counted_words(learnt['false_candidates'], 'false candidate')}; its weight in the scores, chosen on "
            f"validation, is {trial['second_stage_weight']:g}. Before it the validation objective was "
            f"{second['objective_before']:.3f}."
        )
    return found


def confirmed_words(record: Mapping[str, Any]) -> list[str]:
    """Return a line for each trial that was trained again, the best first: its mean over seeds, and each of them.

    >>> confirmed_words({"confirmed": [{"number": 4, "mean": 0.5, "objectives": [0.6, 0.4], "failed": 1}]})
    ['trial 4: mean 0.500 of 2 seeds (0.600, 0.400), 1 failed']
    """
    return [
        f"trial {one['number']}: mean {one['mean']:.3f} of {counted_words(len(one['objectives']), 'seed')} "
        f"({', '.join(f'{value:.3f}' for value in one['objectives'])})"
        + (f", {one['failed']} failed" if one["failed"] else "")
        for one in record.get("confirmed", ())
    ]


def is_average(record: Mapping[str, Any]) -> bool:
    """Whether a model is the average of several trials."""
    return len(record.get("ensemble", {}).get("members", ())) > 1


def chosen_words(record: Mapping[str, Any]) -> str:
    """Return which trial a model is, or of which it is the average, of how many."""
    total = sum(record["trials"].values())
    if is_average(record):
        return f"average of trials {', '.join(str(one['number']) for one in record['ensemble']['members'])} of {total}"
    return f"trial {record['trial']['number']} of {total}"


def averaged_words(record: Mapping[str, Any]) -> list[str]:
    """Return what averages were tried, and what the model that was taken has cost and costs; nothing where none were.

    >>> tried = [{"size": 1, "objective": 0.5, "seconds_per_case": 1.0}]
    >>> tried += [{"size": 2, "objective": 0.6, "seconds_per_case": 2.1}]
    >>> averaged_words({"ensemble": {"tried": tried, "members": [{"seconds": 40}, {"seconds": 50}]}})
    ['objective alone 0.500, of 2 averaged 0.600', 'its trainings 90 s, prediction 2.1 s per case (1.0 s alone)']
    """
    if "ensemble" not in record:
        return []
    tried, members = record["ensemble"]["tried"], record["ensemble"]["members"]
    names = [("alone" if one["size"] == 1 else f"of {one['size']} averaged", one["objective"]) for one in tried]
    spent = {one["size"]: one["seconds_per_case"] for one in tried}
    each = f"prediction {spent[len(members)]:.1f} s per case"
    alone = f" ({spent[1]:.1f} s alone)" if len(members) > 1 else ""
    return [
        "objective " + ", ".join(f"{name} {value:.3f}" for name, value in names),
        f"its trainings {sum(one['seconds'] for one in members):.0f} s, {each}{alone}",
    ]


def gather(study: Study, folder: Path) -> StudyResult:
    """Read the files of a finished study from its results ``folder``; what was measured of other models is left out.

    Raises HakkenError naming a missing file, a measurement that is not what was measured, or the ledger of test
    openings when it was tampered with.
    """
    opening, optimism, freeze = folder / "test" / "opening.json", folder / "optimism.json", folder / "freeze.json"
    records = {path.stem: read_sealed(path, CHOOSE) for path in sorted(folder.glob("models/*.json"))}
    models = dict.fromkeys((SELECTED, DEFAULT, *study.baselines, *(run.kind for run in variant_runs(study))))
    found = {path.parts[-3:-1]: path.parent for path in folder.glob("measurements/*/*/measurement.json")}
    order = sorted((key for key in found if key[1] in models), key=lambda key: _place(key[0], key[1], list(models)))
    ledger = openings_folder(study)
    opened = opened_for(opening, ledger) if opening.exists() else None
    require_shown(folder, [found[key] for key in order], opened, ledger)
    return StudyResult(
        study=study,
        folder=folder,
        records=records,
        measurements={(part, model): read_measurement(found[part, model]) for part, model in order},
        optimism=read_sealed(optimism, "delete it to estimate it again") if optimism.exists() else None,
        hashes=read_freeze(freeze)["hashes"] if freeze.exists() else {},
        opening=opened,
        jobs=read_jobs(folder / "logs"),
    )


def _place(part: str, model: str, models: Sequence[str]) -> tuple[int, int]:
    """Return where a measurement stands: selected, default, baselines, variants; validation before test."""
    return models.index(model), PARTS.index(part) if part in PARTS else len(PARTS)


def measured_table(result: StudyResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the heads of the columns, and a row of cells for each number, its name first."""
    columns = [result.measurements[key] for key in result.main]
    names = list(dict.fromkeys(row.name for column in columns for row in column.rows))
    known: list[dict[str, Row]] = [{row.name: row for row in column.rows} for column in columns]
    rows = [(name, *(found[name].cell if name in found else "" for found in known)) for name in names]
    return tuple(head_of(*key) for key in result.main), rows


def variants_table(result: StudyResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the heads of the columns, and a row of cells for each variant: its objective on each part, by outcome."""
    cells: dict[str, dict[str, str]] = {}
    for part, model in result.variants:
        for measured in result.measurements[part, model].outcomes.values():
            if measured.objective is not None:
                cells.setdefault(model, {})[f"{part}, {measured.objective.name.strip()}"] = measured.objective.cell
    heads = tuple(dict.fromkeys(head for found in cells.values() for head in found))
    return heads, [(model, *(found.get(head, "") for head in heads)) for model, found in cells.items()]


MEASURED = ("part", "model", "outcome", "measured", "value", "low", "high", "text", "warning")


def measured_rows(result: StudyResult) -> Iterator[tuple[Cell, ...]]:
    """Yield a line of the columns `MEASURED` for each number that was measured of a model on a part."""
    for (part, model), measurement in result.measurements.items():
        for outcome, measured in measurement.outcomes.items():
            for row in measured.rows:
                warning = "" if row.reference else "; ".join(filter(None, (row.warning, *measured.warnings)))
                yield part, model, outcome, row.name.strip(), row.value, row.low, row.high, row.text, warning


def counted(result: StudyResult) -> tuple[str, list[str]]:
    """Return what was counted, and how many in each column."""
    columns = [result.measurements[key].main.counts for key in result.main]
    names = list(columns[0]) if columns else []
    return ", ".join(names), [", ".join(str(counts.get(name, "")) for name in names) for counts in columns]


def with_interval(entry: Mapping[str, Any] | None, digits: int = 2) -> str:
    """Return `0.71 [0.62, 0.80]`, without the interval where there is none, or `undefined`."""
    if entry is None:
        return "undefined"
    ends = entry.get("value"), entry.get("low"), entry.get("high")
    return Row("", *ends, digits, warning=NO_WIDTH if has_no_width(*ends) else "").cell


def plain(value: Any) -> str:
    """Return a parameter's value as people write it: four significant digits for a real number."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
