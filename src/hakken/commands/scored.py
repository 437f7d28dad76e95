"""What the commands on a table of cases share: its patients, the resamples, numbers on the screen."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.core.tables import Table

ENOUGH = 40
"""Resamples from which on one lies beyond either end of a 95 % percentile interval."""


def add_bootstrap_options(parser: argparse.ArgumentParser) -> None:
    """Add how often, and with which seed, patients are resampled."""
    parser.add_argument(
        "--bootstrap", type=whole, default=1000, metavar="N", help="resamples of the patients (default: 1000)"
    )
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="seed of the resamples (default: 0)")


def resampled_enough(resamples: int) -> list[str]:
    """Return a warning where so few ``resamples`` were asked for that there is no 95 % interval, or none worth it."""
    if not resamples:
        return ["no resamples were asked for, so bootstrap intervals are null; give --bootstrap 1000"]
    if resamples < ENOUGH:
        return [
            f"--bootstrap {resamples}: too few for a 95 % interval, which may miss the value; give --bootstrap 1000"
        ]
    return []


def patients_of(table: Table) -> list[str]:
    """Return the patient of each case, the case itself without that column.

    A table with a column ``lesion_id`` that is filled has a row for each lesion. Raises HakkenError for a table without
    cases and for a case, or lesion, that stands there twice.
    """
    if not len(table):
        raise HakkenError(f"{table.path}: the table has a heading but no case; add a row for each case")
    if any(table.cells.get("lesion_id", ())):
        table.require_distinct(("case_id", "lesion_id"), "lesion")
    else:
        table.require_distinct(("case_id",), "case")
    return table.text("patient" if "patient" in table else "case_id")


def spelling_of_patients(table: Table) -> list[str]:
    """Return a warning for patients of a table who may be one in two spellings: their cases are resampled apart."""
    from hakken.cohort.patients import normalised
    from hakken.core.names import spelt_alike

    return spelt_alike(table.cells.get("patient", ()), "patients", normalised)


def record(command: str, files: dict[str, Path | None], content: dict[str, Any], said: list[str]) -> dict[str, Any]:
    """Return the content of a result file: version, input files with their SHA-256, results, warnings."""
    import hakken

    inputs = {
        name: None if path is None else {"path": str(path), "sha256": _digest(path)} for name, path in files.items()
    }
    return {"command": command, "hakken": hakken.__version__, "inputs": inputs, **content, "warnings": said}


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of the tables in a folder."""
    from hakken.core.files import sha256_file, sha256_json

    if not path.is_dir():
        return sha256_file(path)
    return sha256_json({file.relative_to(path).as_posix(): sha256_file(file) for file in sorted(path.rglob("*.csv"))})


def say(lines: Iterable[str], written: Iterable[Path | None], warnings: Iterable[str] = ()) -> None:
    """Print the ``lines`` of a result, its ``warnings``, and the files that were ``written``."""
    for line in lines:
        print(line)
    for warning in warnings:
        print(f"warning: {warning}")
    for path in written:
        if path is not None:
            print(f"written: {path}")


def require_format(path: Path) -> None:
    """Raise HakkenError, before anything is computed, for a figure in a format that is not offered."""
    from hakken.plots.publish import FORMATS

    kind = path.suffix.lstrip(".")
    if kind not in FORMATS:
        raise HakkenError(f"{path}: figures are written as {', '.join(FORMATS)}, not as `{kind}`")


def ends(low: float | None, high: float | None) -> str:
    """Return an interval as the screen shows it."""
    return "[-]" if low is None or high is None else f"[{low:.4f}, {high:.4f}]"


def number(value: float | None) -> str:
    """Return a number as the screen shows it, a dash where there is none."""
    return "-" if value is None else f"{value:.4f}"


def whole(text: str) -> int:
    """Return the whole number, at least 0, that an option gives."""
    return int(checked(text, int, lambda value: value >= 0, "is not a whole number of at least 0"))


def checked(text: str, kind: Callable[[str], float], good: Callable[[float], bool], reason: str) -> float:
    """Return the number that an option gives; raises ArgumentTypeError with the ``reason`` where it is not good."""
    try:
        value = kind(text)
    except ValueError:
        value = float("nan")
    if not good(value):
        raise argparse.ArgumentTypeError(f"`{text}` {reason}")
    return value
