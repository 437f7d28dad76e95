"""Outcome `numbers`: numbers with a truth, one or many of a case, measured by bias, error and shrinkage.

A method predicts arrays (n,) of a case by quantity. They are kept as `numbers/<case>.npy`, float32 (quantities, n), and
`numbers/quantities.json` names the rows. The truth is a file of each item, with an array (n,) of each quantity; or,
where a case has one number of each, columns of the case table. An array that the truth does not have (a flag, say) is
reported by its mean. Numbers of the same patient, or of the same phantom volume, are resampled together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, replacing, write_json
from hakken.core.names import counted, nearest, spoken
from hakken.core.tables import Cell
from hakken.evaluation.findings import Floats
from hakken.evaluation.numbers import MEASURES, Answers, Stratum, drawn_skills, measure_numbers, skill_of
from hakken.evaluation.numbers import Measured as MeasuredNumbers
from hakken.imaging.cases import Case
from hakken.outcomes import Measured, Part, Replicates, Row, Table
from hakken.outcomes._arrays import array_file, write_arrays
from hakken.study import Distinct, Name, Section

FOLDER, NAMES = "numbers", "quantities.json"
FIGURES = ("numbers",)
BASELINES = ("prior_mean",)
MEASURED_ON = ()
STRATA = (
    *("quantity", "level", "fifth", "numbers", "mean_truth"),
    *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")),
)
SHRUNK = 0.5
"""Answers that follow the truth with a smaller slope are warned of."""

Predictions = Mapping[str, Mapping[str, NDArray[Any]]]


class Settings(Section):
    """Where the true numbers stand and how they are grouped."""

    quantities: Distinct[Name] = Field(min_length=1, description="The quantities that are measured.")
    truth: Name | None = Field(
        default=None,
        description="Column of the case table with a file (.npz) of each item that holds an array of each quantity; "
        "without it the case table has a column of numbers for each quantity.",
    )
    by: Name | None = Field(
        default=None,
        description="What numbers are grouped by, beside fifths of the truth: an array of that file, or a column of "
        "the case table.",
    )
    labels: dict[Name, str] = Field(
        default={}, description="How figures write quantities and what numbers are grouped by: `D_star: D*`."
    )

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        known = (*self.quantities, *([self.by] if self.by else []))
        for name in self.labels:
            if name not in known:
                raise ValueError(f"labels: `{name}` is no quantity and not `by`{nearest(name, known)}")
        return self

    @property
    def case_columns(self) -> tuple[str, ...]:
        """The columns of the case table that the numbers stand in, where they stand in no file."""
        return () if self.truth is not None else (*self.quantities, *((self.by,) if self.by else ()))

    def label(self, name: str) -> str:
        """Return how figures write a quantity, or what numbers are grouped by."""
        return self.labels.get(name, spoken(name))


def problems(study: Any) -> Iterator[str]:
    """Yield what does not fit: a truth that is no file of the cases."""
    truth = study.outcomes["numbers"].truth
    if truth is not None and truth not in study.cohort.files:
        known = ", ".join(study.cohort.files)
        yield f"outcomes.numbers.truth: `{truth}` is no file of the cases; cohort.files names {known}"


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    return "mean skill (1 - RMSE / SD of the truth)"


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the numbers of a part."""
    names = list(next(iter(found.values()), {}))
    stacked = {case_id: np.stack([found[case_id][name] for name in names]) for case_id in part.case_ids}
    write_arrays(folder / FOLDER, stacked, part.case_ids, "float32")
    write_json(folder / FOLDER / NAMES, names)


def read(folder: Path, part: Part) -> Predictions:
    """Return the numbers of a part; raises HakkenError naming a file that cannot be read."""
    names, found = read_json(folder / FOLDER / NAMES), {}
    for case_id in part.case_ids:
        path = array_file(folder / FOLDER, case_id)
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise HakkenError(f"{path}: cannot be read ({error}); predict again") from None
        if array.ndim != 2 or len(array) != len(names):
            raise HakkenError(f"{path}: holds {array.shape}, not {len(names)} quantities; predict again")
        found[case_id] = dict(zip(names, array, strict=True))
    return found


ENDINGS = (".npz",)


def save_one(path: Path, found: Mapping[str, Floats], case: Item, point: Mapping[str, Any] | None) -> Iterator[str]:
    """Write the numbers of a new case, an array for each quantity, and yield a line on the mean of each."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {name: np.asarray(values, float) for name, values in found.items()}
        np.savez(stream, **arrays)
    count = max(np.size(values) for values in found.values())
    yield f"{path}: {counted(count, 'number')} each of {', '.join(found)} of {case.case_id}"
    for name, values in found.items():
        yield f"  mean of {name}: {float(np.mean(values)):.4g}"


def objective(found: Predictions, part: Part) -> float:
    """Return the mean skill of the quantities."""
    return float(np.mean([skill_of(answers) for answers in answers_of(found, part).values()]))


def replicates(tables: Sequence[Predictions], part: Part, seed: int) -> Replicates:
    """Return the mean skill of each model on the same resamples of the patients."""
    values = np.array([objective(found, part) for found in tables])
    drawn = [
        np.mean([drawn_skills(one, part.resamples, seed) for one in answers_of(found, part).values()], axis=0)
        for found in tables
    ]
    return Replicates(values, np.array(drawn), part.resamples, 0, seed, (-np.inf, 1.0))


def measure(found: Predictions, part: Part) -> Measured:
    """Measure each quantity as a whole, by level and by fifths of the truth."""
    answers = answers_of(found, part)
    measured = {name: measure_numbers(one, part.resamples, part.seed) for name, one in answers.items()}
    main = _main(measured)
    extra = [name for name in next(iter(found.values()), {}) if name not in answers]
    means = [
        Row(f"mean of {name}", float(np.mean([float(one[name].mean()) for one in found.values()]))) for name in extra
    ]
    return Measured(
        objective=main,
        rows=(main, *(row for name, one in measured.items() for row in _rows(name, one)), *means),
        counts={
            "cases": len(part.cases),
            "patients": len(set(part.patients)),
            "numbers": sum(len(one.truth) for one in answers.values()),
        },
        warnings=tuple(_warnings(measured, part)),
        details={name: {"sd_of_truth": one.spread} for name, one in measured.items()},
        tables={"strata": Table(STRATA, tuple(_strata(measured)))},
    )


def answers_of(found: Predictions, part: Part) -> dict[str, Answers]:
    """Return truth and answer of each quantity over all cases of a part.

    Raises HakkenError naming the case whose truth is missing, whose answer is no finite number, or where their numbers
    differ.
    """
    settings = _own(part.settings)
    truths = [true_numbers(case, settings) for case in part.cases]
    counts = [len(next(iter(truth.values()))) for truth in truths]
    patient = np.repeat(part.patient_index, counts)
    cases: Sequence[Case] = part.cases
    groups = [_levels(*one, settings) for one in zip(cases, truths, counts, strict=True)]
    by = [level for group in groups for level in group]
    levels = tuple(sorted(dict.fromkeys(by), key=_order))
    level = np.array([levels.index(one) for one in by], np.int64) if len(levels) > 1 else np.zeros(len(by), np.int64)
    return {
        name: Answers(
            np.concatenate([truth[name] for truth in truths]),
            np.concatenate([_answer(found, case, name, n) for case, n in zip(cases, counts, strict=True)]),
            patient,
            level,
            levels,
        )
        for name in settings.quantities
    }


def true_numbers(case: Case, settings: Settings) -> dict[str, Floats]:
    """Return the true numbers (n,) of a case by quantity, and what they are grouped by, where that is an array.

    Raises HakkenError naming what is missing or no number.
    """
    wanted = [*settings.quantities, *([settings.by] if settings.by and settings.truth else [])]
    if settings.truth is None:
        return {name: np.array([_cell(case, name)]) for name in settings.quantities}
    path = case.file(settings.truth)  # type: ignore[union-attr]  # `problems` has asked for items
    found: dict[str, Floats] = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name in wanted:
                if name not in arrays:
                    raise HakkenError(f"{path}: holds no array `{name}`, only {', '.join(arrays)}")
                found[name] = np.asarray(arrays[name], float).ravel()
    except (OSError, ValueError, EOFError) as error:
        raise HakkenError(f"{path}: cannot be read as .npz ({error})") from None
    if len({len(values) for values in found.values()}) > 1:
        raise HakkenError(
            f"{path}: its arrays differ in length: {', '.join(f'{k} {len(v)}' for k, v in found.items())}"
        )
    return found


def _cell(case: Case, name: str) -> float:
    text = case.columns.get(name, "")
    try:
        return float(text)
    except ValueError:
        said = f"`{text}` is no number" if text else "there is none"
        raise HakkenError(
            f"case {case.case_id}: needs a number in the column `{name}` of the case table; {said}"
        ) from None


def _levels(case: Case, truth: Mapping[str, Floats], count: int, settings: Settings) -> list[str]:
    """Return the level of each number of a case as text."""
    if settings.by is None:
        return [""] * count
    if settings.truth is not None:
        return [f"{value:g}" for value in truth[settings.by]]
    return [case.columns.get(settings.by, "")] * count


def _order(level: str) -> tuple[float, str]:
    """Sort numbers by size and other levels by the alphabet."""
    try:
        return float(level), ""
    except ValueError:
        return np.inf, level


def _answer(found: Predictions, case: Case, name: str, count: int) -> Floats:
    if name not in found[case.case_id]:
        raise HakkenError(f"case {case.case_id}: no `{name}` was predicted, only {', '.join(found[case.case_id])}")
    answer = np.asarray(found[case.case_id][name], float).ravel()
    if len(answer) != count:
        raise HakkenError(
            f"case {case.case_id}: {len(answer)} values of `{name}` were predicted, the truth has {count}"
        )
    if not np.isfinite(answer).all():
        raise HakkenError(f"case {case.case_id}: a predicted `{name}` is no finite number")
    return answer


def _own(settings: Section) -> Settings:
    assert isinstance(settings, Settings)
    return settings


def _main(measured: Mapping[str, MeasuredNumbers]) -> Row:
    value = float(np.mean([one.of().measures["skill"].value for one in measured.values()]))
    drawn = np.mean([one.skills for one in measured.values()], axis=0)
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist() if len(drawn) else (None, None)
    return Row("mean skill (1 - RMSE / SD of the truth)", value, low, high)


def _rows(name: str, found: MeasuredNumbers) -> Iterator[Row]:
    """Yield the rows of one quantity, in shares of the SD of its truth."""
    whole, lowest, highest = found.of(), found.of(fifth=1), found.of(fifth=5)
    yield _share(f"{name}: RMSE / SD", whole, "rmse", found.spread)
    yield _share(f"{name}: bias / SD", whole, "bias", found.spread)
    yield _share(f"{name}: bias / SD, lowest fifth of the truth", lowest, "bias", found.spread)
    yield _share(f"{name}: bias / SD, highest fifth", highest, "bias", found.spread)
    slope = whole.measures["slope"]
    yield Row(f"{name}: slope of the answers", slope.value, slope.low, slope.high)


def _share(name: str, stratum: Stratum, measure: str, spread: float) -> Row:
    found = stratum.measures[measure]
    value, low, high = (None if end is None else end / spread for end in (found.value, found.low, found.high))
    return Row(name, value, low, high)


def _warnings(measured: Mapping[str, MeasuredNumbers], part: Part) -> Iterator[str]:
    for name, one in measured.items():
        slope = one.of().measures["slope"].value
        if slope is not None and slope < SHRUNK:
            shown = round(slope, 2) + 0.0  # never -0.00
            yield f"{name}: answers shrink towards the mean (slope {shown:.2f}); a small RMSE says little here"
    if len(set(part.patients)) < 2:
        yield "all numbers are of one patient; there is no interval over patients"


def _strata(measured: Mapping[str, MeasuredNumbers]) -> Iterator[tuple[Cell, ...]]:
    for name, one in measured.items():
        for stratum in one.strata:
            ends = [end for kind in MEASURES for end in _ends(stratum, kind)]
            yield name, stratum.level, stratum.fifth, stratum.numbers, stratum.mean_truth, *ends


def _ends(stratum: Stratum, kind: str) -> tuple[float | None, float | None, float | None]:
    found = stratum.measures[kind]
    return found.value, found.low, found.high
