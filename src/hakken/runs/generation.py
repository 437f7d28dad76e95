"""What a result was made from: a digest of the code and of the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hakken.cohort.items import Item
from hakken.core.digests import digests_of
from hakken.core.files import sha256_file, sha256_json
from hakken.imaging.cases import Case
from hakken.imaging.prepared import PreparedCase


def generation_of(patches: Path | None, cases: Sequence[Case], code: str) -> str:
    """Return a digest of the ``code``, of the patches and of every byte of the cases.

    Of the cases only those files are read that were touched since they were last read.
    """
    digests = [] if patches is None else [sha256_file(patches / "shards.json")]
    known = _digests_by_folder([case for case in cases if isinstance(case, PreparedCase)])
    for case in cases:
        if isinstance(case, Item):
            digests.append(sha256_json(case.as_dict()["sha256"] | {"case": case.case_id}))
        else:
            digests += [known[path] for path in case.paths]
    return sha256_json({"code": code, "data": digests})


def _digests_by_folder(cases: Sequence[PreparedCase]) -> dict[Path, str]:
    """Return the digest of each file of prepared cases."""
    names: dict[Path, list[str]] = {}
    for path in (path for case in cases for path in case.paths):
        names.setdefault(path.parent, []).append(path.name)
    return {folder / name: digest for folder in names for name, digest in digests_of(folder, names[folder]).items()}
