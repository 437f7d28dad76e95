"""`hakken anova`: which factors a measure depends on: analysis of variance, and the levels compared case by case."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from hakken.commands.parser import add_command
from hakken.commands.scored import add_bootstrap_options, record, require_format, resampled_enough, say
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.core.names import counted
from hakken.evaluation.caution import FEW_PATIENTS

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.core.tables import Table
    from hakken.evaluation.anova import Anova, Factor
    from hakken.evaluation.findings import Floats
    from hakken.evaluation.repeated import Comparison, Repeated, RepeatedEffect

CASES = ("case", "case_id")
"""Columns that say which rows come from one case."""

SMALL_P = 1e-4
LARGEST = 1e120
WIDTH = 115  # characters of a line
DEFINITIONS = {
    "type_ii": "each effect added to all effects that do not contain it",
    "type_iii": "each effect added to all others, with sum contrasts",
    "within": "each effect against its own error, effect x case; the design is complete, so Types II and III are one",
    "epsilon": "Greenhouse-Geisser; p_corrected has both degrees of freedom multiplied by it",
    "partial_eta_squared": "SS / (SS + SS of the error of the effect)",
    "comparisons": "level less reference, per case, averaged over the levels of all other factors",
    "mean": "with its 95 % percentile interval over resampled patients",
    "wilcoxon": "W+; differences of 0 left out; exact up to 50 differences, ties included, beyond that normal",
    "holm": "adjusted over the pairs of levels of one factor",
}


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "anova",
        "test which factors a measure depends on (analysis of variance), also within cases",
        "hakken anova --accuracies accuracies.csv --factors network,misregistration --within case --figure anova.pdf",
        run,
    )
    parser.add_argument(
        "--accuracies",
        type=Path,
        required=True,
        metavar="CSV",
        help="table with a column for each factor and one for the response; a row per observation",
    )
    parser.add_argument("--factors", required=True, metavar="NAME,NAME", help="the columns that are factors")
    parser.add_argument(
        "--within",
        metavar="COLUMN",
        help="column of the case, where each case is measured under every combination (default: rows are independent)",
    )
    parser.add_argument(
        "--response", default="accuracy", metavar="COLUMN", help="the column that is tested (default: accuracy)"
    )
    parser.add_argument(
        "--order", type=int, metavar="N", help="interactions of up to so many factors; 1: none (default: all)"
    )
    add_bootstrap_options(parser)
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for the tables")
    parser.add_argument("--figure", type=Path, metavar="PDF", help="interaction plot of the means; pdf, svg or png")


def run(options: argparse.Namespace) -> None:
    """Test the factors, print the tables and write what was asked for."""
    if options.figure is not None:
        require_format(options.figure)
    table, factors, response, left_out = read_observations(options)
    if options.within is None:
        content, said = _independent(table, factors, response, options)
    else:
        content, said = _within(table, factors, response, options)
    said = [*left_out, *said]
    result = record("anova", {"accuracies": options.accuracies}, content, said)
    if options.output is not None:
        write_json(options.output, result)
    if options.figure is not None:
        _draw(table, factors, response, options, said)
    say(_shown(result, options.accuracies), (options.output, options.figure))


def read_observations(options: argparse.Namespace) -> tuple[Table, list[Factor], Floats, list[str]]:
    """Return the table with its factors and the response (rows,), and a warning of trainings that failed.

    Those have the ``state`` `failed` and no response, as the table of a set of variants has them; they are left out.

    Raises HakkenError naming a column that is missing or named twice, a cell that is empty or no number, and a factor
    of one level.
    """
    import numpy as np

    from hakken.core.tables import read_table
    from hakken.evaluation.anova import Factor

    names = [name.strip() for name in options.factors.split(",")]
    wanted = [*names, options.response, *([options.within] if options.within is not None else [])]
    if "" in wanted:
        raise HakkenError(f"--factors `{options.factors}`: an empty name; give columns as network,misregistration")
    for name in wanted:
        if wanted.count(name) > 1:
            raise HakkenError(f"column {name} is named twice among factors, response and case; use it once")
    path = options.accuracies
    table, left_out = _without_failed(read_table(path, wanted), options.response)
    if not len(table):
        raise HakkenError(f"{path}: no observation; give a row for each")
    response = table.numbers(options.response)
    large = np.flatnonzero(abs(response) > LARGEST)
    if large.size:
        reason = f"`{response[large[0]]:g}` is too large to be squared; give the measure in another unit"
        raise table.error(int(large[0]), options.response, reason)
    try:
        factors = [Factor.of(name, table.text(name)) for name in names]
    except HakkenError as error:
        raise _of(path, error) from None
    return table, factors, response, left_out


def _without_failed(table: Table, response: str) -> tuple[Table, list[str]]:
    """Return a table without its trainings that failed, and a warning that counts them."""
    from hakken.core.tables import Table

    states = table.cells.get("state", [""] * len(table))
    pairs = enumerate(zip(states, table.cells[response], strict=True))
    kept = [entry for entry, (state, cell) in pairs if not (state == "failed" and cell == "")]
    lost = len(table) - len(kept)
    if not lost:
        return table, []
    cells = {name: [column[entry] for entry in kept] for name, column in table.cells.items()}
    warning = f"{table.path}: without {counted(lost, 'training')} that failed"
    return Table(table.path, cells, [table.rows[entry] for entry in kept]), [warning]


def _of(path: Path, error: HakkenError) -> HakkenError:
    """Return the error with the table that it speaks of."""
    return error if str(error).startswith(str(path)) else HakkenError(f"{path}: {error}")


def _independent(
    table: Table, factors: Sequence[Factor], response: Floats, options: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    """Return the tables for rows that are independent, and what is to be said of them."""
    from hakken.evaluation.anova import anova

    try:
        found = anova(factors, response, options.order)
    except HakkenError as error:
        raise _of(options.accuracies, error) from None
    content = {
        **_design(factors, options),
        "observations": len(response),
        "type_ii": [asdict(effect) for effect in found.type_ii],
        "type_iii": [asdict(effect) for effect in found.type_iii],
        "error": {"ss": found.error_ss, "df": found.error_df, "ms": found.error_ms},
        "cells": [_cell(factors, cell.levels, cell.n, cell.mean, cell.sd) for cell in found.cells],
    }
    return content, list(_warnings_independent(table, found))


def _within(
    table: Table, factors: Sequence[Factor], response: Floats, options: argparse.Namespace
) -> tuple[dict[str, Any], list[str]]:
    """Return the tables for cases that were measured under every combination, and what is to be said of them."""
    import numpy as np

    from hakken.evaluation.anova import cells_of
    from hakken.evaluation.bootstrap import draw
    from hakken.evaluation.repeated import arrange, compare_levels, repeated_measures

    given = arrange(table.text(options.within), factors, response, str(options.accuracies), table.rows)
    try:
        effects = repeated_measures(given, options.order)
    except HakkenError as error:
        raise _of(options.accuracies, error) from None
    names, patient = np.unique(_patients(table, given, options.within), return_inverse=True)
    comparisons = compare_levels(given, patient, draw(len(names), options.bootstrap, options.seed))
    content = {
        **_design(factors, options),
        "cases": len(given.cases),
        "patients": len(names),
        "within": [asdict(effect) for effect in effects],
        "comparisons": [asdict(one) for one in comparisons],
        "bootstrap": {"unit": "patient", "resamples": options.bootstrap, "seed": options.seed},
        "cells": [_cell(factors, cell.levels, cell.n, cell.mean, cell.sd) for cell in cells_of(factors, response)],
    }
    said = list(_warnings_within(len(given.cases), len(names), effects, comparisons))
    return content, said + resampled_enough(options.bootstrap)


def _patients(table: Table, given: Repeated, within: str) -> list[str]:
    """Return the patient of each case: the column `patient`, else the case itself."""
    if "patient" not in table or within == "patient":
        return list(given.cases)
    found: dict[str, str] = {}
    for entry, (case, patient) in enumerate(zip(table.text(within), table.text("patient"), strict=True)):
        if found.setdefault(case, patient) != patient:
            raise table.error(entry, "patient", f"`{patient}`, but case `{case}` is of patient `{found[case]}` above")
    return [found[case] for case in given.cases]


def _design(factors: Sequence[Factor], options: argparse.Namespace) -> dict[str, Any]:
    return {
        "response": options.response,
        "factors": {factor.name: list(factor.levels) for factor in factors},
        "within_column": options.within,
        "order": options.order or len(factors),
        "definitions": DEFINITIONS,
    }


def _cell(
    factors: Sequence[Factor], levels: Sequence[str], n: int, mean: float | None, sd: float | None
) -> dict[str, Any]:
    named = {factor.name: level for factor, level in zip(factors, levels, strict=True)}
    return {"levels": named, "n": n, "mean": mean, "sd": sd}


def _warnings_independent(table: Table, found: Anova) -> Iterator[str]:
    for column in CASES:
        if column in table and len(set(table.cells[column])) < len(table):
            yield f"column {column}: cases repeat, so rows are not independent and p misleads; use --within {column}"
    if any(effect.f is None for effect in found.type_iii):
        yield "F, p and partial eta squared are null: the effects fit the response exactly, so there is no error"
    if any(cell.n == 0 for cell in found.cells):
        yield "some combinations of levels have no observation; the tests rest on the interactions that were left out"


def _warnings_within(
    cases: int, patients: int, effects: Sequence[RepeatedEffect], comparisons: Sequence[Comparison]
) -> Iterator[str]:
    if patients < cases:
        yield "several cases of one patient: F, t and Wilcoxon take cases as independent, the bootstrap does not"
    if patients == 1:
        yield "one patient: there is no bootstrap interval over patients"
    elif patients <= FEW_PATIENTS:
        rough = "intervals from so few are rough and rather too narrow; they are no certainty"
        yield f"{patients} patients: bootstrap {rough}"
    for effect in effects:
        if effect.f is None:
            yield f"{effect.effect}: F, p and epsilon are null, all cases respond alike, so there is no error"
    for one in comparisons:
        if one.t is None or one.w is None:
            what = "t and its interval are null" if one.w is not None else "t, its interval and W are null"
            yield f"{one.factor}, {one.level} - {one.reference}: {what}, the difference is the same in all cases"


def _shown(result: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Yield the lines to print."""
    factors = " x ".join(f"{name} ({len(levels)})" for name, levels in result["factors"].items())
    if "within" in result:
        people = f"{result['cases']} cases of {result['patients']} patients, each under every combination"
        yield f"{path}: {result['response']} by {factors}; {people}"
        yield from _within_lines(result)
    else:
        yield f"{path}: {result['response']} by {factors}; {result['observations']} independent observations"
        for name, title in (("type_iii", "Type III, sum contrasts"), ("type_ii", "Type II")):
            yield f"{title:<34}{'SS':>12}{'df':>6}{'F':>10}{'p':>10}{'eta2p':>8}"
            for row in result[name]:
                numbers = f"{_short(row['f']):>10}{_p(row['p']):>10}{_short(row['partial_eta_squared']):>8}"
                yield f"  {row['effect']:<32}{row['ss']:>12.5g}{row['df']:>6}{numbers}"
            yield f"  {'error':<32}{result['error']['ss']:>12.5g}{result['error']['df']:>6}"
    for warning in result["warnings"]:
        yield from wrap(f"warning: {warning}", WIDTH, subsequent_indent="  ")


def _within_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the effects within cases and of the comparisons of levels."""
    head = f"{'SS':>11}{'df':>5}{'error SS':>11}{'df':>6}{'F':>9}{'p':>9}{'eps':>7}{'p (GG)':>9}{'eta2p':>7}"
    yield f"{'effect x case as error':<30}{head}"
    for row in result["within"]:
        sums = f"{row['ss']:>11.5g}{row['df']:>5}{row['error_ss']:>11.5g}{row['error_df']:>6}"
        tests = f"{_short(row['f']):>9}{_p(row['p']):>9}{_short(row['epsilon']):>7}{_p(row['p_corrected']):>9}"
        yield f"  {row['effect']:<28}{sums}{tests}{_short(row['partial_eta_squared']):>7}"
    yield f"{'level - reference, per case':<36}{'mean [bootstrap]':<31}{'t interval':<22}{'t, Holm':>8}{'W, Holm':>9}"
    for row in result["comparisons"]:
        name = f"{row['factor']}: {row['level']} - {row['reference']}"
        student = "-" if row["t_interval"] is None else "[{:.4g}, {:.4g}]".format(*row["t_interval"])
        mean = row["mean"]
        ends = "" if mean["low"] is None or mean["high"] is None else f" [{mean['low']:.4g}, {mean['high']:.4g}]"
        value = f"{mean['value']:.4g}{ends}"
        yield f"  {name:<34}{value:<31}{student:<22}{_p(row['p_t_holm']):>8}{_p(row['p_wilcoxon_holm']):>9}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return f"<{SMALL_P:.4f}" if value < SMALL_P else f"{value:.4f}"


def _draw(
    table: Table, factors: Sequence[Factor], response: Floats, options: argparse.Namespace, said: list[str]
) -> None:
    from hakken.evaluation.intervals import cell_intervals, within_intervals
    from hakken.evaluation.repeated import arrange
    from hakken.plots.interaction import InteractionInput, draw_interaction
    from hakken.plots.publish import save_warned

    if options.within is None:
        means = cell_intervals(factors, response, options.order)
        words = "95 % intervals from the error of the model"
    else:
        means = within_intervals(
            arrange(table.text(options.within), factors, response, str(options.accuracies), table.rows)
        )
        words = "95 % within-case intervals (Cousineau-Morey)"
    names = tuple((factor.name, factor.levels) for factor in factors)
    given = InteractionInput(names, means, options.response, words)
    save_warned(draw_interaction(given), options.figure, said)
