"""Variants in tables: each training, each combination of levels, what matters, and by how much levels differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hakken import plugins
from hakken.core import tables
from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.evaluation.anova import Factor, anova
from hakken.evaluation.bootstrap import estimate
from hakken.outcomes import Part, Replicates, Row
from hakken.runs.predictions import MANIFEST, part_of, read_predictions
from hakken.runs.table import Run
from hakken.study import Study

SCRATCH = ".scratch"
"""The end of the name of a level that differs from another by starting at random."""

SAID = ("fold", "state", "objective", "seconds", "reason")


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination of levels and what its models say of all cases, by id; None where a training failed."""

    label: str
    levels: dict[str, str]
    found: Mapping[str, Any] | None
    failed: int
    folds: int

    def as_dict(self) -> dict[str, Any]:
        """Return all but the predictions as plain values."""
        return {"label": self.label, "levels": self.levels, "failed": self.failed, "folds": self.folds}


@dataclass(frozen=True)
class Observation:
    """One training that held out a fold: its levels (none beside the factors), its rows, and how it went."""

    label: str
    levels: Mapping[str, str]
    fold: int
    state: str
    objective: float | None
    seconds: float
    reason: str
    rows: Mapping[str, float | None]


def observations(
    study: Study, outcome: str, runs: Sequence[Run], records: Sequence[Mapping[str, Any]], cases: Sequence[Any]
) -> list[Observation]:
    """Return every training of a set that held out a fold, measured on that fold; none of any other set."""
    module, found = plugins.load("outcomes", outcome), []
    for run, record in zip(runs, records, strict=False):
        rows: tuple[Row, ...] = ()
        if record["state"] == "complete":
            part = held_part(study, outcome, record, cases)
            rows = module.measure(read_predictions(folder_of(record), outcome, part), part).rows
        found.append(
            Observation(
                label_of(run),
                run.levels,
                run.fold or 0,
                record["state"],
                record.get("objective"),
                float(record["seconds"]),
                str(record.get("reason") or ""),
                {row.name.strip(): row.value for row in rows if not row.reference},
            )
        )
    return found


def label_of(run: Run) -> str:
    """Return the name of a variant within its set."""
    return run.kind.removeprefix(f"{run.set_name}-")


def folder_of(record: Mapping[str, Any]) -> Path:
    """Return the folder of what a training has said of the cases that it held out."""
    return Path(record["predictions"]["path"])


def held_part(study: Study, outcome: str, record: Mapping[str, Any], cases: Sequence[Any]) -> Part:
    """Return those of the ``cases`` that a training held out."""
    held = set(read_json(folder_of(record) / MANIFEST)["cases"])
    return part_of(study, outcome, [case for case in cases if case.case_id in held])


def table_columns(seen: Sequence[Observation]) -> tuple[str, ...]:
    """Return the columns of the table of trainings: variant, factors, how it went, and every row that was measured."""
    factors = dict.fromkeys(factor for one in seen for factor in one.levels)
    return ("variant", *factors, *SAID, *dict.fromkeys(name for one in seen for name in one.rows))


def cell_rows(seen: Sequence[Observation]) -> Iterator[tuple[tables.Cell, ...]]:
    """Yield each training as a row of `table_columns`."""
    names = list(dict.fromkeys(name for one in seen for name in one.rows))
    factors = list(dict.fromkeys(factor for one in seen for factor in one.levels))
    for one in seen:
        said = (one.fold, one.state, one.objective, one.seconds, one.reason)
        yield (one.label, *(one.levels.get(factor, "") for factor in factors), *said, *map(one.rows.get, names))


def anova_of(seen: Sequence[Observation], response: str) -> list[dict[str, Any]]:
    """Return which factors each row that was measured depends on; the folds are the repeated observations.

    That of the ``response`` comes first. Factors of a single level are left out, since there is nothing to compare, and
    so are variants beside the factors. Where nothing can be tested the reason stands in the place of the effects.
    """
    crossed = [one for one in seen if one.levels]
    names = list(dict.fromkeys([response, *(name for one in crossed for name in one.rows)]))
    return [_test(crossed, name) for name in names if any(one.rows.get(name) is not None for one in crossed)]


def _test(seen: Sequence[Observation], response: str) -> dict[str, Any]:
    known = [one for one in seen if one.rows.get(response) is not None]
    texts = {name: [one.levels[name] for one in known] for name in known[0].levels}
    used = [name for name, values in texts.items() if len(set(values)) > 1]
    said: dict[str, Any] = {"response": response, "factors": used, "rows": len(known)}
    if not used:
        return said | {"reason": "no factor has two levels or more"}
    values = np.array([one.rows[response] for one in known], float)
    try:
        found = anova([Factor.of(name, texts[name]) for name in used], values)
    except HakkenError as error:
        return said | {"reason": str(error)}
    return said | {
        "type_ii": [asdict(effect) for effect in found.type_ii],
        "type_iii": [asdict(effect) for effect in found.type_iii],
        "error": {"ss": found.error_ss, "df": found.error_df, "ms": found.error_ms},
        "reason": None,
    }


def contrasts(
    cells: Sequence[Cell], replicates: Replicates, factors: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return by how much the objective differs between levels, on the same resamples of the patients.

    ``factors`` are all levels in the order of the study, ``cells`` the combinations that are complete. Each level of a
    factor is compared with the first, and one with the level of its name that ends in `.scratch`: where the other
    factors are at their first level (``at_first``, undefined where that training failed), and on average over all their
    levels (``over_all``). The levels of the first factor are also compared with each variant beside the factors.
    """
    found = []
    for factor, levels in factors.items():
        pairs = [(level, levels[0]) for level in levels[1:]]
        pairs += [(level, f"{level}{SCRATCH}") for level in levels[1:] if f"{level}{SCRATCH}" in levels[1:]]
        for level, other in dict.fromkeys(pairs):
            found += _contrast(
                cells, replicates, factors, (factor, level, other), _matched(cells, factor, level, other)
            )
    for factor, levels in [*factors.items()][:1]:
        for number, beside in enumerate(cells):
            for level in () if beside.levels else levels:
                both = [(place, number) for place, cell in enumerate(cells) if cell.levels.get(factor) == level]
                found += _contrast(cells, replicates, factors, (factor, level, beside.label), both)
    return found


def _contrast(
    cells: Sequence[Cell],
    replicates: Replicates,
    factors: Mapping[str, Sequence[str]],
    names: tuple[str, str, str],
    pairs: Sequence[tuple[int, int]],
) -> list[dict[str, Any]]:
    """Return what the ``pairs`` of cells differ by; ``names`` are factor, level and what it is compared with."""
    factor, level, against = names
    first = {name: levels[0] for name, levels in factors.items()} | {factor: level}
    if not pairs:
        return []
    return [
        {
            "factor": factor,
            "level": level,
            "against": against,
            "at_first": _difference(replicates, [pair for pair in pairs if dict(cells[pair[0]].levels) == first]),
            "over_all": _difference(replicates, pairs),
            "combinations": len(pairs),
        }
    ]


def _matched(cells: Sequence[Cell], factor: str, level: str, other: str) -> list[tuple[int, int]]:
    """Return the numbers of the cells of both levels that agree in all other factors."""
    place = {tuple(cell.levels.items()): number for number, cell in enumerate(cells)}
    pairs = []
    for number, cell in enumerate(cells):
        twin = place.get(tuple((cell.levels | {factor: other}).items()))
        if cell.levels.get(factor) == level and twin is not None:
            pairs.append((number, twin))
    return pairs


def _difference(replicates: Replicates, pairs: Sequence[tuple[int, int]]) -> dict[str, float | None]:
    if not pairs:
        return asdict(estimate(None, np.empty(0)))
    mine, other = (np.array(numbers) for numbers in zip(*pairs, strict=True))
    value = float((replicates.values[mine] - replicates.values[other]).mean())
    drawn = (replicates.drawn[mine] - replicates.drawn[other]).mean(axis=0)
    return asdict(estimate(value, drawn))
