"""Cases that are no images: one or more files each, taken as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hakken.cohort.case import Case
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, require_same, sha256_file, sha256_json
from hakken.core.problems import Problem

REMEDY = "correct the path, which counts from the table's folder, or put the file there"


@dataclass(frozen=True)
class Item:
    """One case: its files by the column of the case table, with their SHA-256, and the table's further columns."""

    case_id: str
    patient: str
    columns: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None

    @property
    def abnormal(self) -> bool:
        """Whether the case has a label that says that it is not normal."""
        return self.label is not None

    @property
    def digest(self) -> str:
        """A digest of all its files, wherever they stand."""
        return sha256_json(sorted(self.sha256.values()))

    def file(self, column: str) -> Path:
        """Return the file in a column; raises HakkenError where it is not the one that was checked."""
        if column not in self.files:
            raise HakkenError(f"case {self.case_id}: has no file `{column}`, only {', '.join(self.files)}")
        return require_same(
            self.files[column], self.sha256[column], "the case was checked with another file: run again"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "case_id": self.case_id,
            "patient": self.patient,
            "columns": dict(self.columns),
            "files": {name: path.as_posix() for name, path in self.files.items()},
            "sha256": dict(self.sha256),
            "label": self.label,
        }


def item_of(content: Mapping[str, Any]) -> Item:
    """Return the item that `Item.as_dict` described."""
    files = {name: Path(path) for name, path in content["files"].items()}
    return Item(**{**content, "files": files})


def examine_item(case: Case) -> tuple[list[Problem], Item | None]:
    """Return what is wrong with the files of a case, and the item where nothing is."""
    problems = [
        Problem(
            case.case_id, column, f"{path} is empty" if path.is_file() else f"no such file: {path}", REMEDY, case.row
        )
        for column, path in case.channels.items()
        if not path.is_file() or path.stat().st_size == 0
    ]
    if problems:
        return problems, None
    digests = {column: sha256_file(path) for column, path in case.channels.items()}
    return [], Item(case.case_id, case.patient, case.columns, case.channels, digests, case.label)


def read_items(paths: Sequence[Path]) -> list[Item]:
    """Return the items of checked batches, in their order."""
    return [item_of(content) for path in paths for content in read_json(path)["items"]]
