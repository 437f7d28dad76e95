"""`hakken readers --ratings`: from the ratings of a reader study to the differences of its modalities."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.commands.scored import require_format, say
from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.evaluation.readers.intervals import Difference, FTest, Level
    from hakken.evaluation.readers.ratings import RatingTable
    from hakken.evaluation.readers.result import StudyResult, SystemResult

FIGURE_NAMES = (
    "wilcoxon",
    "inferred-roc",
    "wafroc",
    "afroc",
    "wafroc1",
    "afroc1",
    "max-llf",
    "max-nlf",
    "max-nlf-normal",
)
SCOPE_WORDS = {
    "RRRC": "random readers, random cases",
    "FRRC": "these readers, random cases",
    "RRFC": "random readers, these cases",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; the ratings and their design are asked for only where no other action is."""
    parser.add_argument(
        "--ratings",
        type=Path,
        metavar="CSV",
        help="a row a rating (roc: modality, reader, case_id, diseased, rating and, if you like, patient) or a mark "
        "(froc: modality, reader, case_id, mark, lesion_id, rating)",
    )
    parser.add_argument("--design", choices=("roc", "froc"), metavar="KIND", help="roc or froc")
    parser.add_argument(
        "--lesions", type=Path, metavar="CSV", help="froc: the lesions, case_id and lesion_id (and weight)"
    )
    parser.add_argument(
        "--cases",
        type=Path,
        metavar="CSV",
        help="froc: case_id (and patient) of every case that was read, marked or not",
    )
    parser.add_argument(
        "--fom",
        choices=FIGURE_NAMES,
        metavar="NAME",
        help=f"figure of merit: {', '.join(FIGURE_NAMES)} (default: wilcoxon for roc, wafroc for froc)",
    )
    parser.add_argument(
        "--modalities",
        metavar="A,B",
        help="the modalities to compare, in order: differences are later minus earlier (default: all, by name)",
    )
    parser.add_argument(
        "--single", metavar="SYSTEM", help="compare this modality, read by one stand-alone system, with the readers"
    )
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for all numbers")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="figure to draw: pdf, svg or png")


def run(options: argparse.Namespace) -> None:
    """Analyse the study, print the table, write the numbers and the figure."""
    from hakken.core.files import write_json
    from hakken.evaluation.readers.merit import DEFAULT
    from hakken.evaluation.readers.result import analyse_study

    if options.figure is not None:
        require_format(options.figure)
    table = read_table(options)
    figure = options.fom or DEFAULT[table.design]
    wanted = None if options.modalities is None else names(options.modalities, "--modalities")
    try:
        if options.single is not None:
            found: StudyResult | SystemResult = _system(table, options.single, wanted, figure)
        else:
            found = analyse_study(table.study(wanted), figure)
    except HakkenError as error:
        lacking = str(error).startswith(f"`{figure}` needs")  # the cases of a table, which a figure of merit never sees
        raise HakkenError(f"{options.cases or options.ratings}: {error}" if lacking else str(error)) from None
    if options.figure is not None:
        _draw(found, options.figure)
    if options.output is not None:
        write_json(options.output, found.as_dict())
    say(report(found), (options.output, options.figure))


def read_table(options: argparse.Namespace) -> RatingTable:
    """Return the ratings that the options name; raises HakkenError for files that the design needs or does not."""
    if options.ratings is None or options.design is None:
        missing = "--ratings" if options.ratings is None else "--design"
        raise HakkenError(f"{missing} is missing; give --ratings and --design, or one of sample-size, plan, collect")
    from hakken.core.headings import read_known
    from hakken.core.tables import read_table
    from hakken.evaluation.readers.ratings import FROC_COLUMNS, LESION_COLUMNS, ROC_COLUMNS, froc_table, roc_table

    truth = {"--lesions": options.lesions, "--cases": options.cases}
    if options.design == "roc":
        for name, path in truth.items():
            if path is not None:
                raise HakkenError(f"{name} {path}: ratings of --design roc name the truth themselves; leave it out")
        return roc_table(read_table(options.ratings, ROC_COLUMNS, ("patient",)))
    for name, path in truth.items():
        if path is None:
            raise HakkenError(
                f"{name} is missing: marks of --design froc need the cases that were read and their lesions"
            )
    return froc_table(
        read_table(options.ratings, FROC_COLUMNS, ()),
        read_known(options.lesions, LESION_COLUMNS, ("weight",)),
        read_known(options.cases, ("case_id",), ("patient",)),
    )


def names(text: str, option: str) -> list[str]:
    """Return the names of a text `A,B,C`; raises HakkenError for an empty one or one that is there twice."""
    found = [name.strip() for name in text.split(",")]
    if "" in found:
        raise HakkenError(f"{option} {text}: a name is empty; write them with commas between, as A,B")
    for name in found:
        if found.count(name) > 1:
            raise HakkenError(f"{option} {text}: `{name}` is there twice; name it once")
    return found


def _system(table: RatingTable, system: str, wanted: list[str] | None, figure: str) -> SystemResult:
    """Compare the system with the one other modality, or the one that was asked for."""
    from hakken.evaluation.readers.result import analyse_system

    if system not in table.modality:
        table.study([system], least=1)  # names the nearest
    others = [name for name in (wanted or table.modality) if name != system]
    if len(others) != 1:
        there = ", ".join(others) or "none"
        raise HakkenError(
            f"--single {system}: it is compared with the readers of one other modality, here are {there}; choose one "
            "with --modalities"
        )
    return analyse_system(table, system, others[0], figure)


def report(found: StudyResult | SystemResult) -> Iterator[str]:
    """Yield the lines to print: every reader's figure, then the tests."""
    from hakken.evaluation.readers.merit import FIGURES
    from hakken.evaluation.readers.result import StudyResult

    study = found.study
    cases = f"{len(study.case_id)} cases ({int(study.diseased.sum())} diseased, {len(study.lesion_case)} lesions)"
    figure = FIGURES[found.merit.name]
    yield f"{figure.label} of {len(study.reader)} readers, {cases}" + "; less is better" * figure.less_is_better
    yield from _study_lines(found) if isinstance(found, StudyResult) else _system_lines(found)
    yield from (f"note: {line}" for line in found.warnings)


def _study_lines(found: StudyResult) -> Iterator[str]:
    study, rrrc = found.study, found.analysis.inference["RRRC"]
    width = max(12, *(len(name) + 2 for name in study.modality))
    first = max(8, *(len(name) for name in study.reader))
    yield f"{'reader':<{first}}" + "".join(f"{name:>{width}}" for name in study.modality)
    for reader, row in zip(study.reader, found.merit.value.T.tolist(), strict=True):
        yield f"{reader:<{first}}" + "".join(f"{value:>{width}.4f}" for value in row)
    yield f"{'mean':<{first}}" + "".join(f"{entry.estimate:>{width}.4f}" for entry in rrrc.levels)
    for entry in rrrc.levels:
        yield f"{entry.name}: {estimate_text(entry)}"
    for scope, inference in found.analysis.inference.items():
        yield f"{scope}, {SCOPE_WORDS[scope]}: {f_text(inference.test)}"
        yield from (f"  {difference_text(step)}" for step in inference.differences)
    own = found.pseudovalues.inference
    yield "DBM: " + ", ".join(f"{scope} p = {p_text(inference.test.p)}" for scope, inference in own.items())


def _system_lines(found: SystemResult) -> Iterator[str]:
    compared = found.system
    width = max(8, *(len(name) for name in found.study.reader))
    for reader, value in zip(found.study.reader, found.merit.value[0].tolist(), strict=True):
        yield f"{reader:<{width}}{value:>9.4f}"
    yield f"{compared.readers}: {estimate_text(compared.readers_level['RRRC'])} (random readers, random cases)"
    yield f"{compared.system}: {estimate_text(compared.system_level)} (random cases)"
    for scope, step in compared.difference.items():
        yield f"{scope}, {SCOPE_WORDS[scope]}"
        yield f"  {difference_text(step)}"


def estimate_text(entry: Level | Difference) -> str:
    """Return `0.8970 [0.8252, 0.9689]`, without the interval where there is none."""
    if entry.low is None or entry.high is None:
        return f"{entry.estimate:.4f} [no interval]"
    return f"{entry.estimate:.4f} [{entry.low:.4f}, {entry.high:.4f}]"


def difference_text(step: Difference) -> str:
    """Return a difference with its interval and test."""
    words = f"{step.of} - {step.minus}: {estimate_text(step)}"
    if step.t is None:
        return words
    t = f"z = {step.t:.2f}" if step.df is None else f"t({step.df:.1f}) = {step.t:.2f}"
    return f"{words}, SE {step.se:.4f}, {t}, p = {p_text(step.p)}"


def f_text(test: FTest) -> str:
    """Return the overall test in one phrase."""
    if test.f is None:
        return "no variance, no test"
    if test.df2 is None:
        return f"chi-square({test.df1}) = {test.df1 * test.f:.2f}, p = {p_text(test.p)}"
    return f"F({test.df1}, {test.df2:.1f}) = {test.f:.2f}, p = {p_text(test.p)}"


def p_text(p: float | None) -> str:
    """Return a p value with four digits."""
    if p is None:
        return "none"
    return "below 0.0001" if p < 1e-4 else f"{p:.4f}"


def _draw(found: StudyResult | SystemResult, path: Path) -> None:
    from hakken.evaluation.readers.merit import FIGURES
    from hakken.evaluation.readers.result import StudyResult
    from hakken.plots.publish import save_warned
    from hakken.plots.readers import draw_readers, of_study, of_system

    label = FIGURES[found.merit.name].label
    given: Any = of_study(found, label) if isinstance(found, StudyResult) else of_system(found, label)
    save_warned(draw_readers(given), path, found.warnings)
