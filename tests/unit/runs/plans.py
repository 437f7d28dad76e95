"""Plans of miniature studies: one sealed test, folds of the whole cohort, items, no cases at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hakken.cohort.batches import CohortPlan
from hakken.cohort.case import CaseTable
from hakken.runs.plan import Plan
from hakken.study import Study
from hakken.study.reading import parse_study

from ..miniature import content_of, study

PARTS = {"train": {"000": ("a", "b"), "001": ("c",)}, "validation": {"000": ("d",)}, "test": {"000": ("e",)}}
FOLDS = {"fold0": {"000": ("a", "d"), "001": ("e",)}, "fold1": {"000": ("b",)}, "fold2": {"000": ("c",)}}

ITEMS: dict[str, Any] = {
    "name": "vectors",
    "seed": 3,
    "method": "toy_centroids",
    "cohort": {"kind": "items", "files": ["vector"], "truth": "label", "table": "cases.csv"},
    "search": {"trials": 2, "slots": 2, "space": {"shrink": {"type": "real", "low": 0, "high": 1}}},
    "baselines": ["toy_coin"],
}
RECORDS: dict[str, Any] = {
    "name": "records",
    "seed": 4,
    "method": "toy_integral",
    "cohort": {"kind": "none"},
    "search": {"trials": 2, "space": {"points": {"type": "integer", "low": 10, "high": 100}}},
}


def planned(chosen: Study, batches: dict[str, dict[str, tuple[str, ...]]]) -> Plan:
    table = Path("cases.csv")
    return Plan(chosen, CohortPlan(chosen, table, CaseTable((), table), batches, 2))


def _without_baseline(changes: dict[str, Any]) -> dict[str, Any]:
    return changes if changes.get("baselines") else {"without_baseline": "a plan of few files"} | changes


def holdout(**changes: Any) -> Plan:
    """One sealed test, images, patches: results/balls/paper; no baseline unless one is named."""
    return planned(study(**_without_baseline(changes)), PARTS)


def crossed(**changes: Any) -> Plan:
    """Three folds of images."""
    folds = {"design": "cross_validation", "folds": 3}
    return planned(study(evaluation=folds, **_without_baseline(changes)), FOLDS)


KINDS = {
    part: {"000": (part,)} for part in ("ms", "ms_without_lung", "lung", "lung_without_ms", "bone", "bone_without_ms")
}


def left_out(**changes: Any) -> Plan:
    """Three kinds that are left out one after the other; two of the parts of those who choose are empty."""
    kinds = {"design": "cross_validation", "leave_out": {"column": "kind", "values": ["ms", "lung", "bone"]}}
    chosen = study(evaluation=kinds, **_without_baseline(changes))
    return planned(
        chosen, {part: dict(KINDS.get(part, {})) for part in chosen.parts} | {"lung_without_bone": {"000": ("g",)}}
    )


def items(**changes: Any) -> Plan:
    """One sealed test of items, of a method without patches, beside a baseline; asks for the toys."""
    return planned(parse_study(content_of(ITEMS, **changes)), PARTS)


def crossed_items(**changes: Any) -> Plan:
    """Three folds of items; asks for the toys."""
    folds = {"design": "cross_validation", "folds": 3}
    return planned(parse_study(content_of(ITEMS, evaluation=folds, **changes)), FOLDS)


def records(**changes: Any) -> Plan:
    """No cases at all; asks for the toys."""
    return Plan(parse_study(content_of(RECORDS, **changes)), None)
