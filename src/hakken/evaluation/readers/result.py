"""Everything that a result file says about one reader study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hakken.core.errors import HakkenError
from hakken.evaluation.readers import dbm, obuchowski_rockette, standalone
from hakken.evaluation.readers.intervals import SCOPES
from hakken.evaluation.readers.merit import FIGURES, Merit, merit
from hakken.evaluation.readers.ratings import RatingTable, ReaderStudy

FEW_READERS = 5
METHOD = "jackknife over patients (each case its own unless told), degrees of freedom of Hillis 2007"


@dataclass(frozen=True, eq=False)
class StudyResult:
    """A crossed study, its figure of merit, and the analyses of it.

    ``every`` are all figures of merit of its design by name, None where its cases do not allow one.
    """

    study: ReaderStudy
    merit: Merit
    every: dict[str, Merit | None]
    analysis: obuchowski_rockette.Analysis
    pseudovalues: dbm.DbmAnalysis
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **_head(self.study, self.merit),
            "figures_of_merit": {
                name: None if found is None else _by_reading(self.study, found) for name, found in self.every.items()
            },
            "components": asdict(self.analysis.components),
            "obuchowski_rockette": {scope: asdict(found) for scope, found in self.analysis.inference.items()},
            "reader_differences": [
                {"reader": entry.reader, **asdict(entry.difference)} for entry in self.analysis.reader_differences
            ],
            "dbm": {
                "mean_squares": asdict(self.pseudovalues.mean_squares),
                "components": asdict(self.pseudovalues.components),
                **{scope: asdict(found) for scope, found in self.pseudovalues.inference.items()},
            },
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, eq=False)
class SystemResult:
    """A stand-alone system beside the readers of one modality."""

    study: ReaderStudy
    merit: Merit
    system: standalone.SystemComparison
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **_head(self.study, self.merit),
            "system": asdict(self.system),
            "warnings": list(self.warnings),
        }


def analyse_study(study: ReaderStudy, figure: str) -> StudyResult:
    """Analyse a study of two or more modalities and readers by a figure of merit, a key of `FIGURES`."""
    found = merit(study, figure)
    analysis = obuchowski_rockette.analyse(found, study.modality, study.reader)
    pseudovalues = dbm.analyse(found, study.modality)
    every, lacking = _every_figure(study)
    return StudyResult(study, found, every, analysis, pseudovalues, (*_warnings(study, analysis), *lacking))


def _every_figure(study: ReaderStudy) -> tuple[dict[str, Merit | None], list[str]]:
    """Return each figure of merit of the design by name, None where the cases do not allow it, and why not."""
    every: dict[str, Merit | None] = {}
    reasons: list[str] = []
    for name, figure in FIGURES.items():
        if study.design not in figure.designs:
            continue
        try:
            every[name] = merit(study, name)
        except HakkenError as error:
            every[name] = None
            reasons.append(f"figures_of_merit: null, {error}")
    return every, reasons


def analyse_system(table: RatingTable, system: str, readers: str, figure: str) -> SystemResult:
    """Compare the one reader of modality ``system`` with the two or more of modality ``readers``.

    Raises HakkenError where the system has more than one reader, or a rating is missing.
    """
    alone = table.study([system], least=1, readers=1, most_readers=1)
    study = table.study([readers], least=1)
    found = merit(study, figure)
    compared = standalone.compare(
        merit(alone, figure), found, system_name=system, readers_name=readers, reader=study.reader
    )
    warnings = [*_few_readers(len(study.reader))]
    warnings += [
        f"{scope}: {system} minus {readers} has no variance, so t, p and interval are null"
        for scope in SCOPES
        if compared.difference[scope].p is None
    ]
    if compared.system_level.low is None:
        warnings.append(f"{system}: the figure does not change without any one case, so it has no interval")
    return SystemResult(study, found, compared, tuple(warnings))


def _head(study: ReaderStudy, found: Merit) -> dict[str, Any]:
    """Return what was measured, and every reader's figure."""
    return {
        "design": study.design,
        "figure_of_merit": found.name,
        "label": FIGURES[found.name].label,
        "less_is_better": FIGURES[found.name].less_is_better,
        "method": METHOD,
        "counts": {
            "modalities": len(study.modality),
            "readers": len(study.reader),
            "cases": len(study.case_id),
            "patients": len(set(study.patient.tolist())),
            "diseased": int(study.diseased.sum()),
            "lesions": len(study.lesion_case),
            "jackknifed": len(found.unit),
        },
        "figures": _by_reading(study, found),
    }


def _by_reading(study: ReaderStudy, found: Merit) -> dict[str, dict[str, float]]:
    """Return a figure of merit by modality and reader."""
    return {
        modality: dict(zip(study.reader, row, strict=True))
        for modality, row in zip(study.modality, found.value.tolist(), strict=True)
    }


def _warnings(study: ReaderStudy, analysis: obuchowski_rockette.Analysis) -> Iterator[str]:
    """Yield a sentence for every value that is undefined or weakly founded."""
    yield from _few_readers(len(study.reader))
    for scope, found in analysis.inference.items():
        if found.test.p is None:
            reason = "the differences of the modalities have no variance"
            yield f"{scope}: F, t, p and intervals of differences are null: {reason}"
        for entry in found.levels:
            if entry.low is None:
                yield f"{scope}: {entry.name} has no variance, so its interval is null"
    for own in analysis.reader_differences:
        if own.difference.p is None:
            step = own.difference
            yield f"reader {own.reader}: {step.of} minus {step.minus} has no variance, so its p and interval are null"
    parts = analysis.components
    if parts.var_tr < 0:
        yield f"the variance of readers by modalities is estimated as {parts.var_tr:.3g}, below 0: it counts as 0"


def _few_readers(readers: int) -> Iterator[str]:
    if readers < FEW_READERS:
        yield f"{readers} readers: what is said about other readers (RRRC, RRFC) rests on few degrees of freedom"
