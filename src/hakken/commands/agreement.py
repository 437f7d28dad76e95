"""`hakken agreement`: labels against the truth, or of two readers, from a table: accuracy, F1, kappa, McNemar."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command
from hakken.commands.scored import (
    add_bootstrap_options,
    ends,
    number,
    patients_of,
    record,
    require_format,
    resampled_enough,
    say,
    spelling_of_patients,
)

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.core.tables import Table
    from hakken.evaluation.agreement_measure import Agreement, Labels, Measurement

REQUIRED = ("case_id", "truth", "prediction")
OPTIONAL = ("prediction_b", "patient", "lesion_id")
CELLS = 10
"""Classes up to which the screen shows the matrix."""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "agreement",
        "agreement of labels with the truth: confusion matrix, accuracy, F1, kappa, comparison of two predictions",
        "hakken agreement --labels labels.csv --ordered absent,mild,severe --output agreement.json",
        run,
    )
    parser.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="CSV",
        help="table with columns case_id, truth, prediction (any text), and optionally prediction_b and patient",
    )
    parser.add_argument(
        "--ordered",
        type=_classes,
        metavar="A,B,C",
        help="all classes from the lowest to the highest; weighted kappa is given too (default: classes without order)",
    )
    add_bootstrap_options(parser)
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for all results")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="confusion matrix to draw: .pdf, .svg or .png")


def run(options: argparse.Namespace) -> None:
    """Measure, write the results, draw the matrix, print the table."""
    from hakken.core.files import write_json
    from hakken.core.headings import read_known
    from hakken.core.names import spelt_alike
    from hakken.evaluation.agreement_measure import measure, warnings

    if options.figure is not None:
        require_format(options.figure)
    table = read_known(options.labels, REQUIRED, OPTIONAL)
    labels = read_labels(table, options.ordered)
    found = measure(labels, options.bootstrap, options.seed)
    said = warnings(found) + resampled_enough(options.bootstrap) + spelt_alike(labels.classes, "classes")
    said += spelling_of_patients(table)
    if options.output is not None:
        write_json(options.output, record("agreement", {"labels": options.labels}, found.as_dict(), said))
    if options.figure is not None:
        _draw(options, found, said)
    say(summary(found), (options.output, options.figure), said)


def read_labels(table: Table, ordered: tuple[str, ...] | None) -> Labels:
    """Return the labels of a table; raises HakkenError naming what is empty, twice, or no ordered class."""
    import numpy as np

    from hakken.core.case_ids import tidy
    from hakken.evaluation.agreement_measure import Labels

    patients = patients_of(table)
    names = [name for name in ("truth", "prediction", "prediction_b") if name in table]
    table = replace(table, cells=table.cells | {name: [tidy(cell) for cell in table.cells[name]] for name in names})
    columns = {name: table.text(name) if ordered is None else table.choices(name, ordered) for name in names}
    truth = columns.pop("truth")
    classes = ordered or tuple(sorted({*truth, *(label for column in columns.values() for label in column)}))
    patient = np.unique(patients, return_inverse=True)[1].astype(np.int64)
    return Labels(truth, patient, columns, classes, ordered is not None)


def summary(found: Measurement) -> list[str]:
    """Return the lines of the screen's table."""
    classes = found.labels.classes
    lines = [f"{len(found.labels.truth)} cases of {found.labels.patients} patients, {len(classes)} classes"]
    for part in found.predictions:
        lines += _lines(part)
    if found.comparison is not None:
        gap, test = found.comparison.difference, found.comparison.mcnemar
        p = "-" if test.exact_p is None else f"{test.exact_p:.3g}"
        names = " - ".join(part.name for part in found.predictions)
        lines.append(
            f"accuracy {names}: {gap.value:+.4f} {ends(gap.bootstrap.low, gap.bootstrap.high)} bootstrap; "
            f"right alone {test.only_first} and {test.only_second}, McNemar exact p = {p}"
        )
    return lines


def _lines(found: Agreement) -> list[str]:
    wilson, boot = found.accuracy.wilson, found.accuracy_ends
    lines = [
        found.name,
        f"  {'accuracy':<20}{number(found.accuracy.value)} {ends(wilson.low, wilson.high)} Wilson; "
        f"{ends(boot.low, boot.high)} bootstrap",
    ]
    means = {"balanced accuracy": found.balanced_accuracy, "macro F1": found.macro_f1, "MCC": found.mcc}
    for name, part in means.items():
        lines.append(f"  {name:<20}{number(part.value)} {ends(part.bootstrap.low, part.bootstrap.high)} bootstrap")
    for weighting, (kappa, interval) in found.kappas.items():
        name = "kappa" if weighting == "unweighted" else f"{weighting} kappa"
        lines.append(
            f"  {name:<20}{number(kappa.value)} {ends(kappa.low, kappa.high)} asymptotic; "
            f"{ends(interval.low, interval.high)} bootstrap"
        )
    wide = max(5, *map(len, found.classes)) + 2
    lines.append(f"  {'class':<{wide}}{'truth':>8}{'called':>8}{'precision':>11}{'recall':>9}{'F1':>9}")
    for name, one in found.classes.items():
        values = f"{number(one.precision.value):>11}{number(one.recall.value):>9}{number(one.f1.value):>9}"
        lines.append(f"  {name:<{wide}}{one.truth:>8}{one.predicted:>8}{values}")
    return lines + (_matrix(found, wide) if len(found.classes) <= CELLS else [])


def _matrix(found: Agreement, wide: int) -> list[str]:
    cell = max(wide, len(str(found.matrix.max())) + 2)
    lines = [f"  {'':<{wide}}" + "".join(f"{name:>{cell}}" for name in found.classes) + "  <- prediction"]
    for name, row in zip(found.classes, found.matrix.tolist(), strict=True):
        lines.append(f"  {name:<{wide}}" + "".join(f"{count:>{cell}}" for count in row))
    return lines


def _draw(options: argparse.Namespace, found: Measurement, said: list[str]) -> None:
    from hakken.plots.confusion import draw_confusion
    from hakken.plots.publish import save_warned

    save_warned(draw_confusion(found, options.labels.name), options.figure, said)


def _classes(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if len(names) < 2 or "" in names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"`{text}` does not name at least two different classes, as low,middle,high")
    return names
