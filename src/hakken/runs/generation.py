"""What a result was made from: a digest of the code and of the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hakken.cohort.items import Item
from hakken.core.files import sha256_file, sha256_json
from hakken.imaging.cases import Case


def generation_of(patches: Path | None, cases: Sequence[Case], code: str) -> str:
    """Return a digest of the ``code``, of the patches and of every byte of the cases."""
    digests = [] if patches is None else [sha256_file(patches / "shards.json")]
    for case in cases:
        digests += _digests(case)
    return sha256_json({"code": code, "data": digests})


def _digests(case: Case) -> list[str]:
    if isinstance(case, Item):
        return [sha256_json(case.as_dict()["sha256"] | {"case": case.case_id})]
    suffixes = ("json", "npy", "mask.npy", *(["labels.npy"] if case.has_truth else []))
    return [sha256_file(case.path(suffix)) for suffix in suffixes]
