"""`hakken overlap`: predicted masks against true ones: Dice, volume, surface distance, lesions found."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.commands.parser import add_command
from hakken.commands.scored import add_bootstrap_options, patients_of, record, require_format, resampled_enough, say
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.evaluation.caution import NO_WIDTH, Caution, has_no_width, lines, of_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hakken.commands.parser import Subparsers
    from hakken.core.tables import Table
    from hakken.core.volume import Geometry, Volume
    from hakken.evaluation.overlap import LesionRule, Overlap
    from hakken.evaluation.summary import Pooled, Summary

EVERY = "any"
"""How the structure is called that is every value above 0."""

SHOWN_VALUES = 5
NAMES = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "volume_error_ml": "volume error, ml",
    "absolute_volume_error_ml": "absolute volume error, ml",
    "relative_volume_error": "relative volume error",
    "hd95_mm": "HD95, mm",
    "mean_surface_distance_mm": "mean surface distance, mm",
    "false_positive_ml": "false positive volume, ml",
    "false_negative_ml": "false negative volume, ml",
    "lesion_sensitivity": "lesion sensitivity",
    "lesion_precision": "lesion precision",
}
DEFINITIONS = {
    "volume_error_ml": "prediction less truth; relative to the truth's volume",
    "surface": "voxels of the mask with a face neighbour outside it; each counts once",
    "hd95_mm": "the larger of the two directed 95th percentiles, each a distance that occurs; not pooled",
    "mean_surface_distance_mm": "mean over the surface voxels of both masks together",
    "false_positive_ml": "of the 18-connected pieces of the prediction without a voxel of the truth (autoPET)",
    "false_negative_ml": "of the 18-connected pieces of the truth without a voxel of the prediction (autoPET)",
    "empty": "both masks empty: Dice and Jaccard null; one empty: 0; distances null in both cases",
    "interval": "95 %, percentiles over resampled patients",
}


@dataclass(frozen=True)
class Row:
    """One structure of one case."""

    case_id: str
    patient: str
    label: str
    overlap: Overlap
    grid: Geometry


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "overlap",
        "compare predicted masks with true ones: Dice, volume, surface distance, lesions found",
        "hakken overlap --pairs pairs.csv --output overlap.json --figure overlap.pdf",
        run,
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        required=True,
        metavar="CSV",
        help="table case_id, truth, prediction, patient (optional); paths of images relative to the table",
    )
    values = parser.add_mutually_exclusive_group()
    values.add_argument("--label", metavar="N", help="the value of the structure (default: every value above 0)")
    values.add_argument("--labels", metavar="N,N", help="the values of several structures, each measured alone")
    parser.add_argument(
        "--connectivity",
        type=int,
        choices=(6, 18, 26),
        metavar="N",
        default=26,
        help="neighbours of one lesion share a face (6), an edge (18) or a corner (26; default)",
    )
    parser.add_argument(
        "--overlap",
        type=float,
        metavar="IOU",
        help="intersection over union from which two lesions match (default: one voxel in common)",
    )
    add_bootstrap_options(parser)
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for every case and the summary")
    parser.add_argument("--table", type=Path, metavar="CSV", help="a row per case and structure; LaTeX for .tex")
    parser.add_argument(
        "--figure", type=Path, metavar="PDF", help="Bland-Altman plot of the volumes and Dice; pdf, svg or png"
    )


def run(options: argparse.Namespace) -> None:
    """Measure every pair, print the summary and write what was asked for."""
    from hakken.commands.overlap_pairs import labels_of, warnings_of
    from hakken.evaluation.overlap import LesionRule

    labels = labels_of(options.label if options.label is not None else options.labels)
    rule = LesionRule(options.connectivity, options.overlap)
    if options.figure is not None:
        require_format(options.figure)
    rows = measure_pairs(options.pairs, labels, rule)
    result = _result(rows, rule, options)
    result["warnings"] += warnings_of(options.pairs)
    if options.output is not None:
        write_json(options.output, result)
    if options.table is not None:
        _write_table(rows, options.table)
    if options.figure is not None:
        _draw(rows, options.figure, result["warnings"])
    say(_shown(result, options.pairs), (options.output, options.table, options.figure))


def measure_pairs(path: Path, labels: Sequence[int], rule: LesionRule) -> list[Row]:
    """Return a row for each case and label of the table; no label means every value above 0.

    Raises HakkenError naming the row of a case that stands twice, a mask that cannot be read or holds what is no
    label, and of two masks on different grids; and a label that occurs in no mask.
    """
    from hakken.core.tables import read_table

    table = read_table(path, ("case_id", "truth", "prediction"), ("patient",))
    patients, case_ids = patients_of(table), table.text("case_id")
    files = [table.text(column) for column in ("truth", "prediction")]
    rows, seen = [], set[int]()
    for entry, case_id in enumerate(case_ids):
        truth, prediction = (
            _mask(table, entry, column, path.parent / names[entry], seen)
            for column, names in zip(("truth", "prediction"), files, strict=True)
        )
        measured = _measure(truth, _on_grid(table, entry, truth.geometry, prediction), labels, rule)
        rows += [Row(case_id, patients[entry], label, overlap, truth.geometry) for label, overlap in measured.items()]
        values = ", ".join("null" if one.dice is None else f"{one.dice:.3f}" for one in measured.values())
        progress(f"case {entry + 1}/{len(case_ids)} {case_id}: Dice {values}")
    for label in labels:
        if label not in seen:
            held = f"the masks hold {', '.join(map(str, sorted(seen)))}" if seen else "all masks are empty"
            raise HakkenError(f"{path}: label {label} occurs in no mask; {held}")
    return rows


def _mask(table: Table, entry: int, column: str, path: Path, seen: set[int]) -> Volume:
    """Read a mask and add its values above 0 to ``seen``; raises HakkenError where a value is no label."""
    import numpy as np

    from hakken.core.volume import Volume
    from hakken.imaging.files import read_volume
    from hakken.imaging.truth_checks import VALUE_TOLERANCE

    try:
        volume = read_volume(path)
    except HakkenError as error:
        raise table.error(entry, column, str(error).replace("in the case table", "in the table")) from None
    found = np.unique(volume.array)
    values = np.rint(found[np.isfinite(found)])
    bad = found[~np.isfinite(found) | (found < -VALUE_TOLERANCE) | (np.abs(found - np.rint(found)) > VALUE_TOLERANCE)]
    if bad.size:
        shown = ", ".join(f"{value:g}" for value in bad[:SHOWN_VALUES])
        reason = f"{path} holds {shown}{', …' if bad.size > SHOWN_VALUES else ''}; a mask holds whole numbers from 0, "
        raise table.error(entry, column, f"{reason}so choose a threshold and write labels")
    seen.update(int(value) for value in values if value)
    return Volume.on(volume.geometry, np.rint(volume.array))


def _on_grid(table: Table, entry: int, truth: Geometry, prediction: Volume) -> Volume:
    """Return the prediction in the order of the truth's voxels; raises HakkenError where its grid is another."""
    from hakken.imaging.lattice import TOLERANCE, onto_lattice

    if placed := onto_lattice(prediction, truth):
        return placed
    differing = ", ".join(differences(truth, prediction.geometry, TOLERANCE * min(truth.spacing)))
    reason = f"another grid than the truth's ({differing}): {prediction.geometry}; truth: {truth}; "
    raise table.error(entry, "prediction", f"{reason}resample it onto the truth's grid by nearest neighbour")


def differences(one: Geometry, other: Geometry, tolerance_mm: float) -> list[str]:
    """Return in what two grids differ such that a voxel lies more than ``tolerance_mm`` elsewhere."""
    import numpy as np

    if one.shape_zyx != other.shape_zyx:
        return ["shape"]
    spacing = np.abs(np.subtract(one.spacing, other.spacing)) * one.shape_zyx[::-1]
    origin = np.abs(np.subtract(one.origin, other.origin))
    turned = np.abs(np.subtract(one.direction, other.direction)).max() > 1e-3
    found = {"spacing": spacing.max() > tolerance_mm, "origin": origin.max() > tolerance_mm, "direction": turned}
    names = [name for name, differs in found.items() if differs]
    return names if names or one.matches(other, tolerance_mm) else ["direction"]


def _measure(truth: Volume, prediction: Volume, labels: Sequence[int], rule: LesionRule) -> dict[str, Overlap]:
    from hakken.evaluation.overlap import measure_overlap

    spacing = truth.spacing[::-1]
    if not labels:
        return {EVERY: measure_overlap(truth.array > 0, prediction.array > 0, spacing, rule)}
    return {
        str(label): measure_overlap(truth.array == label, prediction.array == label, spacing, rule) for label in labels
    }


def _result(rows: Sequence[Row], rule: LesionRule, options: argparse.Namespace) -> dict[str, Any]:
    """Return everything that the JSON file says."""
    import numpy as np

    from hakken.evaluation.bootstrap import draw

    names, patient = np.unique([row.patient for row in rows], return_inverse=True)
    counts = draw(len(names), options.bootstrap, options.seed)
    by_label: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        by_label.setdefault(row.label, []).append(place)
    structures = {}
    warnings = [*_warnings(len(names), len(next(iter(by_label.values())))), *resampled_enough(options.bootstrap)]
    warnings += _of_flat_images([row.grid for row in rows])
    for label, places in by_label.items():
        measured = [rows[place].overlap for place in places]
        structures[label] = _structure(measured, patient[places], counts)
        warnings += _nulls(label, measured)
        warnings += _without_width(label, structures[label])
        skipped = structures[label]["summary"]["dice"]["skipped"]
        if skipped and len(names) > 1:
            warnings.append(f"label {label}: {skipped} resamples held no case with a Dice and were skipped for it")
    content = {
        "label": {EVERY: "every value above 0"} if EVERY in by_label else list(by_label),
        "lesions": {**asdict(rule), "rule": rule.words},
        "definitions": DEFINITIONS,
        "bootstrap": {
            "unit": "patient",
            "patients": len(names),
            "resamples": options.bootstrap,
            "seed": options.seed,
        },
        "structures": structures,
        "cases": [
            {"case_id": row.case_id, "patient": row.patient, "label": row.label, **row.overlap.as_dict()}
            for row in rows
        ],
    }
    return record("overlap", {"pairs": options.pairs}, content, warnings)


def _structure(measured: Sequence[Overlap], patient: NDArray[np.int64], counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the summary of one label over its cases."""
    import numpy as np

    from hakken.evaluation.bland_altman import bland_altman
    from hakken.evaluation.overlap import MEASURES
    from hakken.evaluation.summary import pool, summarise

    def number(name: str) -> NDArray[np.int64]:
        return np.array([getattr(one.lesions, name) for one in measured], np.int64)

    summary: dict[str, Summary] = {
        measure: summarise([one.value(measure) for one in measured], patient, counts) for measure in MEASURES
    }
    pooled: dict[str, Pooled] = {
        "lesion_sensitivity": pool(number("found"), number("truth"), patient, counts),
        "lesion_precision": pool(number("matched"), number("predicted"), patient, counts),
    }
    predicted, true = (np.array([getattr(one, name) for one in measured]) for name in ("prediction_ml", "truth_ml"))
    return {
        "cases": len(measured),
        "both_empty": sum(one.both_empty for one in measured),
        "summary": {name: asdict(entry) for name, entry in summary.items()},
        "pooled_over_lesions": {name: asdict(entry) for name, entry in pooled.items()},
        "volume_agreement_ml": asdict(bland_altman(predicted, true)),
    }


def _warnings(patients: int, cases: int) -> Iterator[str]:
    if patients == 1:
        yield "one patient: there is no interval over patients"
    yield from of_few(patients)
    if cases == 1:
        yield "one case: SD and limits of agreement are null"
    if patients < cases:
        yield "several cases of one patient: the intervals of the limits of agreement take them as independent"


def _without_width(label: str, structure: Mapping[str, Any]) -> list[str]:
    """Return a line on all means and medians whose interval has no width."""
    named = [
        (f"{measure} ({kind})", entry[kind])
        for measure, entry in structure["summary"].items()
        for kind in ("mean", "median")
    ]
    return lines(
        Caution(f"label {label}: {name}", NO_WIDTH)
        for name, entry in named
        if has_no_width(entry["value"], entry["low"], entry["high"])
    )


def _of_flat_images(grids: Sequence[Geometry]) -> Iterator[str]:
    """Yield what volumes and lengths are where masks are flat."""
    flat = next((grid for grid in grids if grid.is_flat), None)
    if flat is not None:
        thick = f"{flat.spacing[2]:g} {flat.unit}"
        yield f"flat masks: a volume in ml is an area in {flat.size_unit} times {thick} of thickness, by 1000"
        if flat.unit == "px":
            yield "pictures have no size in mm: lengths that are called mm are in pixels (px)"


def _nulls(label: str, measured: Sequence[Overlap]) -> Iterator[str]:
    """Yield which measures are null, in how many cases and why."""
    from hakken.evaluation.overlap import MEASURES

    alike: dict[str, list[str]] = {}
    for measure in MEASURES:
        why = Counter(one.reasons[measure] for one in measured if measure in one.reasons)
        if why:
            words = ", ".join(f"{reason} in {count}" for reason, count in why.items())
            alike.setdefault(f"null in {why.total()} of {len(measured)} cases: {words}", []).append(measure)
    for words, measures in alike.items():
        yield f"label {label}: {', '.join(measures)} {words}"


def _shown(result: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Yield the lines to print."""
    boot = result["bootstrap"]
    for label, found in result["structures"].items():
        values = "every value above 0" if label == EVERY else f"label {label}"
        yield f"{path}: {values}, cases {found['cases']}, patients {boot['patients']}; {result['lesions']['rule']}"
        yield f"{'':<27}{'cases':>6}{'null':>6}   {'mean [95 % interval]':<26}{'median':>9}{'SD':>9}"
        for measure, entry in found["summary"].items():
            sd, median = (_number(value) for value in (entry["sd"], entry["median"]["value"]))
            mean = _interval(entry["mean"])
            yield f"{NAMES[measure]:<27}{entry['cases']:>6}{entry['nulls']:>6}   {mean:<26}{median:>9}{sd:>9}"
        for measure, entry in found["pooled_over_lesions"].items():
            share = f"{entry['count']}/{entry['total']}"
            yield f"{NAMES[measure] + ', pooled':<27}{share:>12}   {_interval(entry['share'])}"
    yield from (f"warning: {warning}" for warning in result["warnings"])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(entry: Mapping[str, float | None]) -> str:
    if entry["value"] is None or entry["low"] is None or entry["high"] is None:
        return _number(entry["value"])
    star = " *" if entry["low"] == entry["high"] else ""
    return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]{star}"


def _write_table(rows: Sequence[Row], path: Path) -> None:
    """Write a row for each case and label; an empty cell is a value that is not defined."""
    from hakken.core.tables import write_table

    records = []
    for row in rows:
        values = row.overlap.as_dict()
        reasons = "; ".join(dict.fromkeys(values.pop("reasons").values()))
        records.append({"case_id": row.case_id, "patient": row.patient, "label": row.label, **values, "why": reasons})
    write_table(path, list(records[0]), [list(record.values()) for record in records])


def _draw(rows: Sequence[Row], path: Path, warnings: list[str]) -> None:
    import numpy as np

    from hakken.plots.bland_altman import StructureInput, draw_overlap
    from hakken.plots.publish import save_warned

    structures = []
    for label in dict.fromkeys(row.label for row in rows):
        measured = [row.overlap for row in rows if row.label == label]
        structures.append(
            StructureInput(
                "every value above 0" if label == EVERY else f"label {label}",
                np.array([one.prediction_ml for one in measured]),
                np.array([one.truth_ml for one in measured]),
                np.array([one.dice for one in measured if one.dice is not None], float),
                sum(one.both_empty for one in measured),
            )
        )
    save_warned(draw_overlap(tuple(structures)), path, warnings)
