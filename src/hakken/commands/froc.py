"""`hakken froc`: the FROC curve of anybody's candidates, with intervals, strata and a comparison."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.commands.parser import add_command
from hakken.commands.scored import record, require_format, resampled_enough, say, whole
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.evaluation.caution import Caution, has_no_width, lines

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.evaluation.bootstrap import Estimate
    from hakken.evaluation.findings import Floats
    from hakken.evaluation.matching import Rules
    from hakken.evaluation.measure import Measurement, Settings

WIDTH, LABEL = 28, 14
"""Letters of the first column on the screen, and of a name in the figure."""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "froc",
        "measure candidates against lesions: FROC curve, sensitivities, partial AUC and CPM with 95 %% intervals",
        "hakken froc --cases cases.csv --lesions lesions.csv --candidates candidates.csv --output froc.json",
        run,
    )
    files = parser.add_argument_group("tables (CSV)")
    files.add_argument("--cases", type=Path, required=True, help="case_id[,patient,...]: every case that was read")
    files.add_argument(
        "--lesions",
        type=Path,
        help="case_id,x,y,z,diameter_mm[,lesion_id,kind,...], or a folder of one table for each case (default: those "
        "that a column lesion_table of the cases names)",
    )
    files.add_argument(
        "--candidates",
        type=Path,
        required=True,
        help="case_id,x,y,z,score[,lesion_id,diameter_mm,...], or a folder of one table for each case",
    )
    files.add_argument("--compare", type=Path, metavar="CANDIDATES", help="another detector on the same cohort")
    files.add_argument("--overlaps", type=Path, help="case_id,lesion_id,candidate_id,iou: overlaps of masks or boxes")
    rules = parser.add_argument_group("rules")
    rules.add_argument(
        "--hit", default="distance", help="distance (< radius), distance-inclusive, fixed:MM, inside, overlap:IOU"
    )
    rules.add_argument(
        "--duplicates",
        choices=("ignore", "false-positive"),
        default="ignore",
        help="what further hits of a lesion are: neither true nor false positives, or false ones (default: ignore)",
    )
    rules.add_argument(
        "--double-hit",
        choices=("both", "one", "score"),
        default="both",
        help="a mark in two lesions hits both (default), or one: by score each mark takes the best lesion that is free "
        "(COCO, nnDetection), by one overlaps are assigned as a whole (PI-CAI)",
    )
    rules.add_argument(
        "--per", choices=("case", "lesion-free"), default="case", help="the cases that they are divided by"
    )
    rules.add_argument("--max-candidates", type=_count, metavar="N", help="marks a case, by LUNA16's rule")
    rules.add_argument("--unknown-diameter", type=_positive, metavar="MM", help="of lesions with a negative diameter")
    report = parser.add_argument_group("report")
    report.add_argument("--max-fp", type=_positive, default=3.0, help="partial AUC up to so many (default: 3)")
    report.add_argument("--at", type=_numbers, metavar="N,N", help="false positives per case (default: the CPM's)")
    report.add_argument("--sensitivities", type=_shares, default=(0.5, 0.7, 0.9), help="to give false positives at")
    report.add_argument("--by", action="append", default=[], metavar="COLUMN", help="strata: diameter:5,10 or a column")
    report.add_argument("--bootstrap", type=whole, default=1000, help="resamples (default: 1000)")
    report.add_argument("--seed", type=whole, default=0, help="of the resamples (default: 0)")
    report.add_argument("--cluster", metavar="COLUMN", help="of the cases, drawn together (default: patient)")
    report.add_argument("--output", type=Path, metavar="JSON", help="everything that was measured")
    report.add_argument("--figure", type=Path, help="pdf, svg or png")


def run(options: argparse.Namespace) -> None:
    """Measure, print a table, and write what was asked for."""
    from hakken.evaluation.froc import CPM_AT
    from hakken.evaluation.matching import Rules
    from hakken.evaluation.measure import Settings
    from hakken.report.findings_tables import cut, read_marks, read_truth

    if options.figure is not None:
        require_format(options.figure)
    rules = Rules(options.hit, options.duplicates, options.double_hit, options.max_candidates)
    _check(options)
    settings = Settings(
        options.max_fp, options.at or CPM_AT, options.sensitivities, options.bootstrap, options.seed, per=options.per
    )
    truth = read_truth(
        options.cases,
        options.lesions,
        cluster=options.cluster,
        unknown_diameter=options.unknown_diameter,
        labelled=options.hit == "inside" or options.overlaps is not None,
    )
    findings, table, warnings = read_marks(options.candidates, truth, options.overlaps, hit=options.hit)
    own = _measured(findings, rules, settings)
    result = _block(own, truth.unit)
    result["rules"]["unknown_diameter"] = options.unknown_diameter
    warnings = [*truth.warnings, *warnings]
    if truth.assumed:
        warnings.append(f"{truth.assumed} lesions of unknown diameter count as {options.unknown_diameter:g} mm wide")
    result["warnings"] += warnings + resampled_enough(options.bootstrap)
    for by in options.by:
        parts = {part.name: _measured(part.findings, rules, settings) for part in cut(findings, truth, table, by)}
        blocks = {name: _block(part, truth.unit) for name, part in parts.items()}
        result.setdefault("strata", {})[by.partition(":")[0]] = blocks
    other = None
    if options.compare is not None:
        marks, _, more = read_marks(options.compare, truth, None, hit=options.hit)
        other = _measured(marks, rules, settings)
        result["comparison"] = _compared(own, other, options.compare, truth.unit)
        result["warnings"] += more
    if options.output is not None:
        names = ("cases", "lesions", "candidates", "compare", "overlaps")
        files = {name: getattr(options, name) for name in names}
        write_json(options.output, record("froc", files, result, result["warnings"]))
    if options.figure is not None:
        _draw(options, own, other, result["warnings"])
    name = "" if options.compare is None else told_apart(options.compare, options.candidates)
    say(_table(result, name), (options.output, options.figure), [*result["warnings"], *_of_parts(result, name)])


def told_apart(path: Path, other: Path) -> str:
    """Return as much of the end of a path as tells it from another one: its name, with folders where both are alike.

    >>> told_apart(Path("old/run/marks.csv"), Path("new/run/marks.csv")), told_apart(Path("a/b.csv"), Path("a/c.csv"))
    ('old/run/marks.csv', 'b.csv')
    """
    parts, others = path.parts, other.parts
    count = next((n for n in range(1, len(parts) + 1) if parts[-n:] != others[-n:]), 1)
    return str(Path(*parts[-count:]))


def _of_parts(result: dict[str, Any], compared: str) -> list[str]:
    """Return what warns of strata and of the other detector and not of the whole, each line with all that it is of."""
    strata = result.get("strata", {})
    parts = {f"{column} {name}": block for column, blocks in strata.items() for name, block in blocks.items()}
    if "comparison" in result:
        parts[compared] = result["comparison"]["other"]
    return lines(
        Caution(name, line)
        for name, block in parts.items()
        for line in block["warnings"]
        if line not in result["warnings"]
    )


def _check(options: argparse.Namespace) -> None:
    """Raise HakkenError for options that contradict one another."""
    if options.overlaps is not None and not options.hit.startswith("overlap:"):
        raise HakkenError(f"--overlaps {options.overlaps}: only --hit overlap:IOU uses them; leave them out or give it")
    if options.overlaps is not None and options.compare is not None:
        raise HakkenError(
            f"--compare {options.compare}: --overlaps holds those of one detector; measure each alone, or compare by "
            "diameters or another --hit"
        )
    columns = [by.partition(":")[0] for by in options.by]
    for by, column in zip(options.by, columns, strict=True):
        if columns.count(column) > 1:
            raise HakkenError(f"--by {by}: cut by {column} once, with all borders, as diameter:5,10")


def _measured(findings: Any, rules: Rules, settings: Settings) -> Measurement:
    from hakken.evaluation.matching import match_findings
    from hakken.evaluation.measure import measure

    return measure(match_findings(findings, rules), settings)


def _block(measurement: Measurement, unit: str) -> dict[str, Any]:
    """Return a measurement as plain values, with its curve."""
    from hakken.evaluation.measure import per_patient

    block, curve = measurement.as_dict(), measurement.curve
    block["rules"]["per"] = measurement.settings.per
    if block["bootstrap"]["unit"] == "patient":
        block["bootstrap"]["unit"] = unit

    def known(axis: Floats) -> list[float] | None:
        return None if axis[0] != axis[0] else axis.tolist()  # NaN throughout where nothing can be divided by

    points = {
        "threshold": [None, *curve.threshold[1:].tolist()],  # the first point lies above every score
        **{axis: known(getattr(curve, axis)) for axis in ("fp_per_case", "sensitivity")},
    }
    rest = {"curve": points, "per_patient": {"sensitivity": per_patient(measurement.matching)}}
    measured = ("sensitivity_at", "fp_at_sensitivity", "cpm", "partial_auc")
    ranked = ("average_precision", "case_auc", "picai_score")
    order = ("rules", "counts", "curve", *measured, *ranked, "per_patient", "bootstrap", "warnings")
    return {key: {**block, **rest}[key] for key in order}


def _compared(own: Measurement, other: Measurement, path: Path, unit: str) -> dict[str, Any]:
    """Return the other detector's measurement and the paired differences, own less other."""
    from dataclasses import asdict

    from hakken.evaluation.measure import differences

    found = {name: asdict(entry) for name, entry in differences(own, other).items()}
    return {"candidates": str(path), "other": _block(other, unit), "difference": found}


def _table(result: dict[str, Any], compared: str) -> list[str]:
    """Return the lines for the screen; ``compared`` is what the other detector is called, if there is one."""
    counts, boot, area = result["counts"], result["bootstrap"], result["partial_auc"]
    lines = [
        f"{counts['cases']} cases, {counts['lesions']} lesions, {counts['candidates']} candidates; "
        f"hit: {result['rules']['hit']}, duplicates: {result['rules']['duplicates']}",
        f"{counts['true_positives']} lesions found, {counts['missed']} missed, "
        f"{counts['false_positives']} false positives; ignored are {counts['ignored_duplicates']} duplicates "
        f"and {counts['ignored_excluded']} on excluded findings",
        "",
        f"{'false positives per case':<{WIDTH}}sensitivity [95 %]",
    ]
    for name, entry in result["sensitivity_at"].items():
        mark = "  (beyond the curve)" if entry["extrapolated"] else ""
        lines.append(f"{name:<{WIDTH}}{_interval(entry)}{mark}")
    lines += ["", f"{'sensitivity':<{WIDTH}}false positives per case [95 %]"]
    lines += [f"{name:<{WIDTH}}{_interval(entry)}" for name, entry in result["fp_at_sensitivity"].items()]
    lines += ["", f"{'CPM':<{WIDTH}}{_interval(result['cpm'])}"]
    lines += [f"{'partial AUC to ' + format(area['max_fp'], 'g'):<{WIDTH}}{_interval(area)}"]
    precision = result["average_precision"].items()
    lines += [f"{f'AP ({name})':<{WIDTH}}{_interval(entry)}" for name, entry in precision]
    lines += [f"{'AUC of the cases':<{WIDTH}}{_interval(result['case_auc'])}"]
    lines += [f"{'PI-CAI score':<{WIDTH}}{_interval(result['picai_score'])}"]
    lines += [f"{boot['resamples']} resamples by {boot['unit']}, {boot['skipped']} skipped, seed {boot['seed']}"]
    for column, strata in result.get("strata", {}).items():
        lines += ["", f"{column:<{WIDTH}}{'lesions':>8}  partial AUC [95 %]"]
        for name, block in strata.items():
            lines.append(f"{name:<{WIDTH}}{block['counts']['lesions']:>8}  {_interval(block['partial_auc'])}")
    if "comparison" in result:
        less = f"less {compared}"
        lines += ["", less] if len(less) >= WIDTH else [""]
        lines += [f"{'' if len(less) >= WIDTH else less:<{WIDTH}}difference [95 %], p"]
        for name, entry in result["comparison"]["difference"].items():
            p = "" if entry["p"] is None else f", p = {entry['p']:.3f}"
            lines.append(f"{'CPM' if name == 'cpm' else name:<{WIDTH}}{_interval(entry)}{p}")
    return lines


def _interval(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return "undefined"
    ends = [entry["low"], entry["high"]]
    shown = ", ".join("-" if end is None else f"{end:.3f}" for end in ends)
    star = " *" if has_no_width(entry["value"], *ends) else ""
    return f"{entry['value']:.3f}" + ("" if ends == [None, None] else f" [{shown}]{star}")


def _star(found: Estimate) -> str:
    """Return what points from a number without certainty to the warnings below."""
    return " *" if has_no_width(found.value, found.low, found.high) else ""


def _draw(options: argparse.Namespace, own: Measurement, other: Measurement | None, said: list[str]) -> None:
    from hakken.evaluation.measure import curve_band
    from hakken.plots.froc import CurveInput, FrocInput, draw_froc
    from hakken.plots.publish import save_warned
    from hakken.plots.style import interval_text

    compared = options.compare or options.candidates
    named: list[tuple[Any, str, Measurement | None]] = [
        ("test", _label(options.candidates, compared), own),
        ("default", _label(compared, options.candidates), other),
    ]
    curves: list[CurveInput] = []
    table: list[tuple[str, ...]] = [("", "partial AUC", "CPM")]
    for role, name, found in named:
        if found is None or found.curve.reason is not None:
            continue
        low, high = curve_band(found)
        curves.append(CurveInput(role, name, found.curve.fp_per_case, found.curve.sensitivity, low, high))
        area, mean = found.partial_auc, found.cpm
        ends = [interval_text(one.value, one.low, one.high).replace(" [", "\n[") + _star(one) for one in (area, mean)]
        table.append((name, *ends))
    if not curves:
        raise HakkenError(f"{options.figure}: nothing to draw, {own.curve.reason}")
    counts = own.matching.counts
    save_warned(
        draw_froc(
            FrocInput(
                curves=tuple(curves),
                maximum_fp=options.max_fp,
                table=tuple(table),
                operating="",
                notes=(
                    f"{counts.cases} cases, {counts.lesions} lesions; hit rule {options.hit}; "
                    f"95 % intervals from {options.bootstrap} resamples",
                ),
                origin=f"{_named(options.candidates).name} against {_named(options.lesions or options.cases).name}",
            )
        ),
        options.figure,
        said,
    )


def _label(path: Path, other: Path) -> str:
    """Return what a figure calls a table of candidates: its name, or the folder that tells it from the other one."""
    from hakken.plots.letters import fitted

    named, beside = _named(path), _named(other)
    short, shorter = (Path(str(one).removesuffix(".csv")) for one in (named, beside))
    alike = short == shorter and named != beside
    return fitted(Path(told_apart(named, beside) if alike else told_apart(short, shorter)).parts[0], LABEL)


def _named(path: Path) -> Path:
    """Return a path that has a name: `.` and `..` stand for folders that have one."""
    return path if path.name not in ("", "..") else path.resolve()


def _numbers(text: str) -> tuple[float, ...]:
    """Return numbers above 0 that commas separate."""
    try:
        numbers = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        numbers = ()
    if not numbers or not 0 < numbers[0] <= numbers[-1] < float("inf"):
        raise argparse.ArgumentTypeError(f"`{text}`: write numbers above 0, as 0.125,1,8")
    return numbers


def _shares(text: str) -> Sequence[float]:
    numbers = _numbers(text)
    if numbers[-1] > 1:
        raise argparse.ArgumentTypeError(f"`{text}`: a sensitivity is at most 1")
    return numbers


def _positive(text: str) -> float:
    (number, *more) = _numbers(text)
    if more:
        raise argparse.ArgumentTypeError(f"`{text}`: write one number above 0")
    return number


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"`{text}`: write a whole number above 0")
    return int(text)
