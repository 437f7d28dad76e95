"""What is compared at every start of a study: the ledger, its receipts, the parts, and the files that were checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hakken.cohort.checked import Checked, is_followed, outside_of, read_checked, state_of
from hakken.cohort.parts import changed_parts, openings_folder, writing_openings
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, require_writable, write_json
from hakken.core.problems import listed
from hakken.runs.plan import Plan
from hakken.seal.guard import opened_patients
from hakken.seal.receipts import require_receipts

SEEN = "checked/seen.json"


def require_sealed(plan: Plan) -> None:
    """Raise HakkenError where something is not what it was.

    That is: the ledger cannot be written, an opening is missing or changed on one side, a patient has moved to another
    part, one who was opened as a test case trains, or a file was replaced under its old time.
    """
    assert plan.cohort is not None
    ledger, results = openings_folder(plan.study), Path(plan.root)
    require_ledger(ledger)
    folders = [results] if plan.study.of_phantom else sorted(path for path in results.parent.glob("*") if path.is_dir())
    known = require_receipts(ledger, folders)
    problems = list(changed_parts(plan.cohort.cohort, plan.study, bool(known)))
    if not plan.study.cohort.reuse_opened:
        problems += opened_patients(plan.study, plan.cohort.cohort, known)
    if problems:
        raise HakkenError(listed(problems, str(plan.cohort.table)))
    _require_same_files(plan)


def require_ledger(ledger: Path) -> None:
    """Raise HakkenError where an opening could not be written down."""
    with writing_openings(ledger):
        require_writable(ledger)


def _require_same_files(plan: Plan) -> None:
    """Raise HakkenError naming the files that were replaced since they were checked, and that no time tells of.

    What has another size, time or inode is hashed again, once; a newer file that the workflow can follow is redone by
    itself.
    """
    seen_path = Path(plan.root) / SEEN
    seen: dict[str, list[int]] = dict(read_json(seen_path)) if seen_path.is_file() else {}
    before = dict(seen)
    changed = [line for record, checked in _records(plan) for line in _changed(record, checked, seen)]
    if changed:
        more = f"\n  and {len(changed) - 20} more" if len(changed) > 20 else ""
        raise HakkenError(
            "\n".join([f"{plan.root}: files have changed since they were checked:", *changed[:20]]) + more
        )
    if seen != before:
        write_json(seen_path, seen)


def _records(plan: Plan) -> Iterator[tuple[Path, Mapping[str, Checked]]]:
    for path in map(Path, plan.each_batch("checked/{part}-{batch}.json", *plan.parts)):
        if path.is_file():
            yield path, read_checked([path])


def _changed(record: Path, cases: Mapping[str, Checked], seen: dict[str, Any]) -> Iterator[str]:
    made = record.stat().st_mtime_ns
    for checked in cases.values():
        for name, state in checked.files.items():
            path = Path(name)
            if not path.exists():
                continue  # the workflow says so itself, or draws a phantom again
            outside = outside_of(path)
            if outside == state.outside or list(outside) == seen.get(name) or (outside[1] > made and is_followed(path)):
                continue
            if state_of(path).sha256 != state.sha256:
                yield f"  {name}: restore it, or delete {record} to check again and redo what was made of it"
            seen[name] = list(outside)
