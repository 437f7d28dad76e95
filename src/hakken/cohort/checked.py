"""What was found when a case was checked: digests of its images and truth, and the state of each of its files.

It stands in `checked/<part>-<batch>.json`. Whoever reads a file of the case later compares it: an image or a truth that
was replaced, be it under its old modification time, is noticed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hakken.cohort.case import Case
from hakken.cohort.similarity import Content
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file

DETACHED = re.compile(rb"^ElementDataFile\s*=\s*(.+?)\s*$", re.MULTILINE)
HEADER_BYTES = 1 << 16
NOTHING = "none"
"""The digest of the truth of a case without findings."""


@dataclass(frozen=True)
class FileState:
    """Size, times and inode of a file, or those of all files of an image together, and the SHA-256 of its bytes."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str

    @property
    def outside(self) -> tuple[int, int, int, int]:
        """What the file system tells without a look inside."""
        return (self.size, self.mtime_ns, self.ctime_ns, self.inode)


@dataclass(frozen=True)
class Checked:
    """A checked case: what its images and its truth hold, and its files by path.

    ``truth`` is the digest of all that is true of it, a class in a word as well.
    """

    content: Content
    truth: str
    files: Mapping[str, FileState] = field(default_factory=dict)

    @property
    def images(self) -> Mapping[str, str]:
        """The digests of the images by column."""
        return self.content.digests

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        files = {path: asdict(state) for path, state in self.files.items()}
        return {"content": self.content.as_dict(), "truth": self.truth, "files": files}


def checked_of(content: Mapping[str, Any]) -> Checked:
    """Return what `Checked.as_dict` described."""
    files = {path: FileState(**state) for path, state in content["files"].items()}
    return Checked(Content.from_dict(content["content"]), content["truth"], files)


def read_checked(paths: Iterable[Path]) -> dict[str, Checked]:
    """Return the checked cases of some batches by case id; raises HakkenError where a file is none of this version."""
    found: dict[str, Checked] = {}
    for path in paths:
        try:
            found |= {case_id: checked_of(one) for case_id, one in read_json(path)["cases"].items()}
        except (KeyError, TypeError):
            raise HakkenError(f"{path}: was written by another version of hakken; delete it to check again") from None
    return found


def states_of(paths: Sequence[Path]) -> dict[str, FileState]:
    """Return the state of each file, or folder of files, by its path."""
    return {path.as_posix(): state_of(path) for path in paths}


def state_of(path: Path) -> FileState:
    """Return the state of an image: of its file, of the files of its folder, or of a header and its detached pixels."""
    members = list(members_of(path))
    digests = [sha256_file(member) for member in members]
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return FileState(*outside_of(path, members), whole)


def outside_of(path: Path, members: Sequence[Path] | None = None) -> tuple[int, int, int, int]:
    """Return what the file system tells of an image without a look inside: sizes added up, the latest times, inodes."""
    stats = [member.stat() for member in (members_of(path) if members is None else members)]
    return (
        sum(one.st_size for one in stats),
        max((one.st_mtime_ns for one in stats), default=0),
        max((one.st_ctime_ns for one in stats), default=0),
        sum(one.st_ino for one in stats) % (1 << 53),
    )


def members_of(path: Path) -> Iterator[Path]:
    """Yield the files that an image consists of."""
    if path.is_dir():
        yield from sorted(member for member in path.iterdir() if member.is_file())
        return
    yield path
    if path.suffix.lower() in (".mhd", ".mha"):
        with path.open("rb") as stream:
            named = DETACHED.search(stream.read(HEADER_BYTES))
        detached = path.parent / named[1].decode("utf-8", "replace") if named else path
        if named and named[1] != b"LOCAL" and detached.is_file():
            yield detached


def is_followed(path: Path) -> bool:
    """Whether the workflow engine can follow a file: not where braces in its name look like a wildcard."""
    return not set("{}") & set(path.as_posix())


def require_checked(case: Case, known: Mapping[str, Checked], record: Path) -> None:
    """Raise HakkenError where a file of a case is not the one that was checked."""
    files = known[case.case_id].files
    if gone := sorted(set(files) - {path.as_posix() for path in case.files}):
        raise HakkenError(
            f"{gone[0]}: belonged to case {case.case_id} when it was checked and does no more; restore the case table, "
            f"or delete {record} to check again and redo what was made of it"
        )
    for path in case.files:
        before = files.get(path.as_posix())
        if before is None or state_of(path).sha256 != before.sha256:
            raise HakkenError(
                f"{path}: has changed since the case was checked; restore it, or delete {record} to check again and "
                "redo what was made of it"
            )
