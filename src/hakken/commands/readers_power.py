"""`hakken readers sample-size`: how many readers and cases a study needs, from a pilot study."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError
from hakken.core.names import nearest

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.evaluation.readers.power import Pilot, Power, Smallest

COMPONENTS = ("var_tr", "var", "cov1", "cov2", "cov3")
SCOPES = ("RRRC", "FRRC", "RRFC")
RANGE = re.compile(r"(\d+)\.\.(\d+)(?::(\d+))?")


def add(actions: Subparsers) -> None:
    """Add the action."""
    parser = add_command(
        actions,
        "sample-size",
        "power of a planned reader study for numbers of readers and cases, from a pilot study",
        "hakken readers sample-size --pilot result.json --difference 0.05 --readers 5..20 --cases 50..300:50",
        run,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pilot", type=Path, metavar="JSON", help="--output of `hakken readers` on a pilot study")
    source.add_argument(
        "--variance-components",
        metavar="NAME=VALUE,…",
        help=f"{', '.join(COMPONENTS)} of the Obuchowski-Rockette model in place of a pilot; with --pilot-cases",
    )
    parser.add_argument(
        "--pilot-cases", type=int, metavar="N", help="number of cases that --variance-components were estimated from"
    )
    parser.add_argument(
        "--difference", type=float, required=True, metavar="D", help="true difference of the figure of merit to find"
    )
    parser.add_argument("--readers", default="3..20", metavar="A..B", help="numbers of readers (default: 3..20)")
    parser.add_argument(
        "--cases",
        default="50..300:50",
        metavar="A..B:STEP",
        help="numbers of cases of the table; the smallest designs are looked for up to the last (default: 50..300:50)",
    )
    parser.add_argument("--power", type=float, default=0.8, metavar="P", help="power to reach (default: 0.8)")
    parser.add_argument("--alpha", type=float, default=0.05, metavar="P", help="level of the test (default: 0.05)")
    parser.add_argument(
        "--generalise",
        choices=SCOPES,
        default="RRRC",
        metavar="TO",
        help="RRRC: readers and cases (default), FRRC: cases, RRFC: readers",
    )
    parser.add_argument("--output", type=Path, metavar="JSON", help="file for all numbers")


def run(options: argparse.Namespace) -> None:
    """Print the table of powers and the smallest designs."""
    from hakken.core.files import write_json
    from hakken.evaluation.readers.power import power, smallest_designs

    _check(options)
    readers, cases = numbers(options.readers, "--readers"), numbers(options.cases, "--cases")
    chosen = {"scope": options.generalise, "alpha": options.alpha}
    pilot = read_pilot(options)
    table = power(pilot, options.difference, readers, cases, **chosen)
    found = smallest_designs(pilot, options.difference, readers, max(cases), wanted=options.power, **chosen)
    if options.output is not None:
        write_json(options.output, _as_dict(options, pilot, readers=readers, cases=cases, table=table, found=found))
    print("\n".join(_report(options, readers, cases, table, found)))
    if options.output is not None:
        print(f"written: {options.output}")


def read_pilot(options: argparse.Namespace) -> Pilot:
    """Return the components from a result file or the command line; raises HakkenError naming what is missing."""
    from hakken.core.files import read_json
    from hakken.evaluation.readers.power import Pilot

    if options.pilot is None:
        if options.pilot_cases is None:
            raise HakkenError("--pilot-cases is missing: covariances shrink with the cases; say how many there were")
        return Pilot(**_components(options.variance_components), cases=options.pilot_cases)
    if options.pilot_cases is not None:
        raise HakkenError("--pilot-cases belongs to --variance-components; a result file knows its cases, leave it out")
    result = read_json(options.pilot)
    try:
        parts, cases = result["components"], result["counts"]["jackknifed"]
        known = {name: float(parts[name]) for name in COMPONENTS}
    except (KeyError, TypeError) as error:
        raise HakkenError(
            f"{options.pilot}: no variance components in it ({error} is missing); give the --output of `hakken "
            "readers` of two or more modalities"
        ) from None
    return Pilot(**known, cases=int(cases))


def numbers(text: str, option: str) -> list[int]:
    """Return the numbers of `5..20`, `50..300:50` or `5,8,12`; raises HakkenError for another form or below 2."""
    match = RANGE.fullmatch(text.strip())
    if match:
        first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
        found = list(range(first, last + 1, step)) if step else []
    else:
        parts = [part.strip() for part in text.split(",")]
        found = [int(part) for part in parts] if all(part.isdecimal() for part in parts) else []
    if not found:
        raise HakkenError(f"{option} {text}: write A..B, A..B:STEP or a list as 5,8,12")
    if min(found) < 2:
        raise HakkenError(f"{option} {text}: a study needs two or more of them")
    if max(found) > 100_000 or len(found) > 1000:
        raise HakkenError(f"{option} {text}: at most 1000 numbers up to 100000; take a larger step")
    return found


def _components(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in COMPONENTS:
            hint = nearest(name, COMPONENTS) or f"; the components are {', '.join(COMPONENTS)}"
            raise HakkenError(f"--variance-components {text}: unknown component `{name}`{hint}")
        try:
            found[name] = float(value)
        except ValueError:
            raise HakkenError(f"--variance-components {text}: `{value}` of {name} is not a number") from None
        if not equals:
            raise HakkenError(f"--variance-components {text}: write {name}=VALUE")
    missing = [name for name in COMPONENTS if name not in found]
    if missing:
        raise HakkenError(f"--variance-components {text}: {missing[0]} is missing; give {', '.join(COMPONENTS)}")
    return found


def _check(options: argparse.Namespace) -> None:
    if not math.isfinite(options.difference) or options.difference == 0:
        raise HakkenError(f"--difference {options.difference:g}: give the difference to find, not 0")
    for name in ("power", "alpha"):
        if not 0 < getattr(options, name) < 1:
            raise HakkenError(f"--{name} {getattr(options, name):g}: give a number between 0 and 1")


def _as_dict(
    options: argparse.Namespace,
    pilot: Pilot,
    *,
    readers: Sequence[int],
    cases: Sequence[int],
    table: Power,
    found: Sequence[Smallest],
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "method": "Hillis, Obuchowski and Berbaum 2011",
        "generalise": options.generalise,
        "difference": options.difference,
        "alpha": options.alpha,
        "pilot": asdict(pilot),
        "table": [
            {
                "readers": reader,
                "cases": case,
                "power": float(table.power[row, column]),
                "noncentrality": float(table.noncentrality[row, column]),
                "df2": float(table.df[row, column]) if math.isfinite(table.df[row, column]) else None,
            }
            for row, reader in enumerate(readers)
            for column, case in enumerate(cases)
        ],
        "smallest": {"power": options.power, "designs": [asdict(design) for design in found]},
        "warnings": [
            f"{design.readers} readers: a power of {options.power:g} is not reached with up to {max(cases)} cases"
            for design in found
            if design.cases is None
        ],
    }


def _report(
    options: argparse.Namespace,
    readers: Sequence[int],
    cases: Sequence[int],
    table: Power,
    found: Sequence[Smallest],
) -> Iterator[str]:
    shown = list(range(len(cases)))
    if len(shown) > 10:
        shown = shown[:: math.ceil(len(shown) / 10)]
    yield f"power for a difference of {options.difference:g}, {options.generalise}, level {options.alpha:g}"
    heading = "".join(f"{cases[column]:>7}" for column in shown)
    yield f"readers{heading} cases   fewest cases for {options.power:g}"
    for row, (reader, design) in enumerate(zip(readers, found, strict=True)):
        cells = "".join(f"{table.power[row, column]:>7.2f}" for column in shown)
        enough = f"more than {max(cases)}" if design.cases is None else str(design.cases)
        yield f"{reader:>7}{cells}         {enough}"
