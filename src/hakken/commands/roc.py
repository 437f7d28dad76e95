"""`hakken roc`: how well scores tell cases with and without disease apart, with intervals, from a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command
from hakken.commands.scored import (
    add_bootstrap_options,
    checked,
    ends,
    number,
    patients_of,
    record,
    require_format,
    resampled_enough,
    say,
    spelling_of_patients,
)
from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.core.tables import Table
    from hakken.evaluation.roc_measure import Cohort, Measurement, ScoreMeasurement, Settings

REQUIRED = ("case_id", "label", "score")
OPTIONAL = ("score_b", "patient")


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "roc",
        "ROC analysis of a table of scores: AUC, thresholds, calibration, comparison of two scores",
        "hakken roc --scores test.csv --threshold-from validation.csv --output roc.json --figure roc.pdf",
        run,
    )
    parser.add_argument(
        "--scores",
        type=Path,
        required=True,
        metavar="CSV",
        help="table with columns case_id, label (0 or 1), score, and optionally score_b and patient",
    )
    parser.add_argument(
        "--threshold-from",
        type=Path,
        metavar="CSV",
        help="table of the same columns on which thresholds are chosen (default: the table itself, with a warning)",
    )
    parser.add_argument(
        "--sensitivity",
        type=_share,
        action="append",
        metavar="S",
        help="choose the highest threshold with this sensitivity; may be repeated (default: 0.9)",
    )
    parser.add_argument(
        "--specificity",
        type=_share,
        action="append",
        metavar="S",
        help="choose the lowest threshold with this specificity; may be repeated (default: 0.9)",
    )
    parser.add_argument(
        "--threshold",
        type=_finite,
        action="append",
        metavar="T",
        help="a threshold that was fixed beforehand; may be repeated",
    )
    parser.add_argument(
        "--max-fpr",
        type=_share,
        default=0.2,
        metavar="X",
        help="partial AUC from a false positive rate of 0 to this one (default: 0.2)",
    )
    add_bootstrap_options(parser)
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for all results")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="figure to draw: .pdf, .svg or .png")


def run(options: argparse.Namespace) -> None:
    """Measure, write the results, draw the figure, print the table."""
    from hakken.core.files import write_json
    from hakken.core.headings import read_known
    from hakken.evaluation.roc_measure import measure
    from hakken.evaluation.roc_warnings import warnings

    if options.figure is not None:
        require_format(options.figure)
    table = read_known(options.scores, REQUIRED, OPTIONAL)
    cohort, settings = read_cohort(table), _settings(options)
    other = None
    if options.threshold_from is not None:
        other = read_known(
            options.threshold_from, (*REQUIRED, *[name for name in ("score_b",) if name in table]), OPTIONAL
        )
    found = measure(cohort, settings, None if other is None else _chosen(other, cohort, settings))
    said = warnings(found) + resampled_enough(options.bootstrap) + ([] if other is None else _shared(table, other))
    said += spelling_of_patients(table)
    if options.output is not None:
        files = {"scores": options.scores, "threshold_from": options.threshold_from}
        write_json(options.output, record("roc", files, found.as_dict(), said))
    if options.figure is not None:
        _draw(options, found, said)
    say(summary(found), (options.output, options.figure), said)


def read_cohort(table: Table) -> Cohort:
    """Return the cases of a table; raises HakkenError naming what is empty, twice, no number or no label."""
    import numpy as np

    from hakken.evaluation.roc_measure import Cohort

    patients = patients_of(table)
    names = [name for name in ("score", "score_b") if name in table]
    return Cohort(
        positive=table.flags("label"),
        patient=np.unique(patients, return_inverse=True)[1].astype(np.int64),
        scores={name: table.numbers(name) for name in names},
    )


def summary(found: Measurement) -> list[str]:
    """Return the lines of the screen's table."""
    counts = found.as_dict()["counts"]
    lines = [
        f"{counts['cases']} cases of {counts['patients']} patients: "
        f"{counts['positive']} with label 1, {counts['negative']} with label 0"
    ]
    for part in found.scores:
        lines += _score_lines(part, found.settings.max_fpr)
    if found.comparison is not None:
        gap, spread = found.comparison.clustered or found.comparison.delong, found.comparison.bootstrap
        how = "clustered" if found.comparison.clustered else "DeLong"
        names = " - ".join(part.name for part in found.scores)
        p = "-" if gap.p is None else f"{gap.p:.3g}"
        lines.append(
            f"AUC {names}: {gap.value:+.4f} {ends(gap.low, gap.high)} {how}, p = {p}; "
            f"{ends(spread.low, spread.high)} bootstrap"
        )
    return lines


def _score_lines(found: ScoreMeasurement, max_fpr: float) -> list[str]:
    from hakken.evaluation.roc import MEASURES

    if found.auc is None:
        return [f"{found.name}: no AUC"]
    spread = found.clustered or found.delong
    how = "clustered" if found.clustered else "DeLong"
    delong = ends(None, None) if spread is None else ends(spread.logit.low, spread.logit.high)
    lines = [
        f"{found.name}",
        f"  AUC          {found.auc:.4f} {delong} {how}; {ends(found.auc_ends.low, found.auc_ends.high)} bootstrap",
        f"  partial AUC  {number(found.partial_auc)} up to FPR {max_fpr:g}, corrected {number(found.corrected)}",
    ]
    if found.calibration is not None:
        cal = found.calibration
        lines.append(f"  calibration  ECE {cal.expected_error:.4f}, Brier score {cal.brier:.4f}")
    lines.append(f"  {'operating point':<20}{'threshold':>12}" + "".join(f"{name:>14}" for name in (*MEASURES, "MCC")))
    for point in found.points:
        threshold = "-" if point.threshold is None else f"{point.threshold:.6g}"
        values = [*(point.measures[name][0].value for name in MEASURES), point.mcc[0]]
        cells = "".join(f"{number(value):>14}" for value in values)
        lines.append(f"  {point.name:<20}{threshold:>12}{cells}")
    return lines


def _settings(options: argparse.Namespace) -> Settings:
    from hakken.evaluation.roc import Choice
    from hakken.evaluation.roc_measure import Settings

    choices = [Choice("youden")]
    choices += [Choice("sensitivity", level) for level in dict.fromkeys(options.sensitivity or [0.9])]
    choices += [Choice("specificity", level) for level in dict.fromkeys(options.specificity or [0.9])]
    return Settings(
        max_fpr=options.max_fpr,
        choices=tuple(choices),
        thresholds=tuple(dict.fromkeys(options.threshold or [])),
        resamples=options.bootstrap,
        seed=options.seed,
    )


def _chosen(other: Table, cohort: Cohort, settings: Settings) -> dict[str, list[float | None]]:
    """Return the thresholds that the other table gives, by score; raises HakkenError where it has one class only."""
    from hakken.evaluation.roc import choose, rank

    elsewhere = read_cohort(other)
    found: dict[str, list[float | None]] = {}
    for name in cohort.scores:
        ranking = rank(elsewhere.positive, elsewhere.scores[name])
        if ranking.reason is not None:
            reason = f"{ranking.reason}, so no threshold can be chosen; give cases of both labels"
            raise HakkenError(f"{other.path}, column label: {reason}")
        found[name] = [choose(ranking, choice) for choice in settings.choices]
    return found


def _shared(table: Table, other: Table) -> list[str]:
    """Return a warning where the thresholds were chosen on patients of this very table."""
    here = set(patients_of(table))
    shared = here & set(patients_of(other))
    if not shared:
        return []
    return [
        f"{len(shared)} of {len(here)} patients stand in {other.path} too, where thresholds were chosen: sensitivity "
        "and specificity are optimistic; choose them on other patients"
    ]


def _draw(options: argparse.Namespace, found: Measurement, said: list[str]) -> None:
    from hakken.plots.publish import save_warned
    from hakken.plots.roc import draw_roc, roc_input

    save_warned(draw_roc(roc_input(found, options.scores.name)), options.figure, said)


def _share(text: str) -> float:
    return checked(text, float, lambda value: 0 < value <= 1, "is not above 0 and at most 1")


def _finite(text: str) -> float:
    return checked(text, float, lambda value: abs(value) < float("inf"), "is not a finite number")
