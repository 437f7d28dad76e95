"""Shards: a few large files of patches, their index and their checksums.

A folder of patches holds ``shard-000.npy`` ... (float16: patch, channel, then the spatial axes), ``index.csv`` (a row
for every patch: where it is kept, its case, centre and kind), ``shards.json`` (shapes, checksums, origin; written last)
and ``preview.png``. A stored patch has an edge of ``size_voxel + 2 * margin_voxel``; its centre voxel is at index
``edge // 2`` of every axis. Patches may have two or three spatial axes; the index always names z, y and x.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hakken.core.digests import SEEN, digests_of
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, replacing, sha256_file, write_json, write_text
from hakken.patches.sampling import Centres, Kind
from hakken.study import Spacing, presence_of

Patch = NDArray[np.float16]
CONTENTS = "shards.json"
DTYPE = np.dtype("<f2")
DIGITS = 16
"""So many of a case's pixel digest tell it apart from the others."""
COLUMNS = (
    *("patch", "shard", "row", "case_id", "z", "y", "x", "x_mm", "y_mm", "z_mm"),
    *("kind", "lesion", "class", "pixels"),
)
NAMES = {kind: kind.name.lower() for kind in Kind}
CODES = {name: kind for kind, name in NAMES.items()}


@dataclass(frozen=True)
class CutCase:
    """One case to be cut: ``image`` (c, z, y, x), its ``centres`` and the same ``points`` (n, 3) x, y, z in mm, LPS.

    ``image`` holds the target channels of the layout last; ``classes`` the class of each lesion that has one;
    ``digest`` is that of the case's pixels.
    """

    case_id: str
    image: NDArray[Any]
    centres: Centres
    points: NDArray[np.float64]
    classes: Mapping[int, str] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True)
class Shard:
    """One file of patches, its number of patches and its SHA-256."""

    file: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Layout:
    """What every patch of a folder has in common.

    ``spacing_mm`` is x, y, z; ``sampled_study`` is the digest of what the patches depend on of the study; ``axes`` are
    the spatial axes. The last ``targets`` channels are not to be seen but to be predicted. Of each of the ``optional``
    channels, which a case may lack, another one before the targets says where it was measured; between these and the
    targets stand so many ``scalars``, channels of one value. Patches of two axes are slices across z.
    """

    size_voxel: int
    margin_voxel: int
    channels: tuple[str, ...]
    spacing_mm: Spacing
    sampled_study: str
    axes: int = 3
    targets: int = 0
    optional: tuple[str, ...] = ()
    scalars: int = 0

    @property
    def presence(self) -> tuple[tuple[int, int], ...]:
        """The place of each optional channel, and that of the channel which says where it was measured."""
        return tuple((self.channels.index(name), self.channels.index(presence_of(name))) for name in self.optional)

    @property
    def edge(self) -> int:
        """Edge of a stored patch in voxels."""
        return self.size_voxel + 2 * self.margin_voxel

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Shape of a stored patch: channels, then the spatial axes."""
        return (len(self.channels), *[self.edge] * self.axes)

    @property
    def patch_bytes(self) -> int:
        """Size of a stored patch."""
        return DTYPE.itemsize * math.prod(self.patch_shape)


@dataclass(frozen=True)
class Contents:
    """What ``shards.json`` says: layout, number of patches of each kind, checksum of the index, shards."""

    layout: Layout
    kinds: dict[str, int]
    index_sha256: str
    shards: tuple[Shard, ...]


@dataclass(frozen=True)
class Row:
    """Where one patch is kept, and what it shows: the centre in voxels and in mm (LPS), its kind and lesion."""

    patch: int
    shard: int
    row: int
    case_id: str
    voxel: tuple[int, ...]
    point: tuple[float, ...]
    kind: Kind
    lesion: int
    lesion_class: str
    pixels: str

    def cells(self) -> tuple[object, ...]:
        """Return the cells of the index, in the order of COLUMNS."""
        millimetres = (f"{value:.4f}" for value in self.point)
        return (
            *(self.patch, self.shard, self.row, self.case_id),
            *(*self.voxel, *millimetres, NAMES[self.kind], self.lesion, self.lesion_class, self.pixels),
        )


def write_shards(folder: Path, cases: Iterable[CutCase], layout: Layout, shard_mb: int) -> Contents:
    """Cut the patches of all cases into shards of at most ``shard_mb`` MB each, and write index and checksums.

    Cases are taken one by one and a patch is in memory alone, so memory does not grow with the cohort. Shards of an
    earlier run are removed first. Where a patch crosses the border of its image it is 0. Raises HakkenError when the
    folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (folder / CONTENTS, folder / SEEN, *folder.glob("shard-*.npy")):
        stale.unlink(missing_ok=True)
    writer = _Writer(folder, layout, capacity=max(1, shard_mb * 2**20 // layout.patch_bytes))
    with writer:
        rows = [row for case in cases for row in writer.add(case)]
    index = _index_text(rows)
    write_text(folder / "index.csv", index)
    digests = digests_of(folder, writer.counts)
    contents = Contents(
        layout,
        kinds={name: sum(row.kind == kind for row in rows) for kind, name in NAMES.items()},
        index_sha256=hashlib.sha256(index.encode()).hexdigest(),
        shards=tuple(Shard(name, count, digests[name]) for name, count in writer.counts.items()),
    )
    described = {"dtype": "float16", "patch_shape": layout.patch_shape} | asdict(contents)
    write_json(folder / CONTENTS, described)
    return contents


def cut_patch(image: NDArray[Any], centre: Sequence[int], edge: int) -> Patch:
    """Return the patch (c, edge, ...) of ``image`` (c, ...) whose index ``edge // 2`` is ``centre``; 0 outside."""
    patch = np.zeros((image.shape[0], *[edge] * len(centre)), np.float16)
    starts = [index - edge // 2 for index in centre]
    spans = [(max(start, 0), min(start + edge, size)) for start, size in zip(starts, image.shape[1:], strict=True)]
    source = tuple(slice(low, max(low, high)) for low, high in spans)
    target = tuple(slice(s.start - start, s.stop - start) for s, start in zip(source, starts, strict=True))
    patch[(slice(None), *target)] = image[(slice(None), *source)]
    return patch


class _Writer:
    """Appends patches to the current shard and opens the next one when it is full."""

    def __init__(self, folder: Path, layout: Layout, capacity: int) -> None:
        self.folder = folder
        self.layout = layout
        self.capacity = capacity
        self.counts: dict[str, int] = {}
        self.total = 0
        self._stack = ExitStack()
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._finish()
        self._stack.__exit__(*error)

    def add(self, case: CutCase) -> Iterator[Row]:
        """Write the patches of one case, and yield their rows of the index."""
        for number, centre in enumerate(case.centres.voxels.tolist()):
            image = case.image if self.layout.axes == 3 else case.image[:, centre[0]]
            shard, row = self._append(cut_patch(image, centre[-self.layout.axes :], self.layout.edge))
            point = tuple(case.points[number].tolist())
            kind = Kind(int(case.centres.kinds[number]))
            lesion = int(case.centres.lesions[number])
            name = case.classes.get(lesion, "")
            yield Row(
                self.total, shard, row, case.case_id, tuple(centre), point, kind, lesion, name, case.digest[:DIGITS]
            )
            self.total += 1

    def _append(self, patch: Patch) -> tuple[int, int]:
        stream, name = self._current()
        stream.write(patch.tobytes())
        self.counts[name] += 1
        return len(self.counts) - 1, self.counts[name] - 1

    def _current(self) -> tuple[BinaryIO, str]:
        """Return the open shard and its name, a new one where the last is full."""
        name = _shard_name(max(len(self.counts) - 1, 0))
        if self._stream is not None and self.counts[name] < self.capacity:
            return self._stream, name
        self._finish()
        name = _shard_name(len(self.counts))
        temporary = self._stack.enter_context(replacing(self.folder / name))
        self._stream = self._stack.enter_context(temporary.open("wb"))
        self.counts[name] = 0
        self._write_header(self._stream, rows=0)
        return self._stream, name

    def _finish(self) -> None:
        """Write the final number of patches into the header, which numpy pads for just that, and publish the shard."""
        if self._stream is not None:
            self._stream.seek(0)
            self._write_header(self._stream, rows=list(self.counts.values())[-1])
            self._stream = None
            self._stack.close()

    def _write_header(self, stream: BinaryIO, rows: int) -> None:
        shape = (rows, *self.layout.patch_shape)
        npy.write_array_header_1_0(stream, {"descr": DTYPE.str, "fortran_order": False, "shape": shape})


class PatchStore:
    """The patches of a folder, memory-mapped.

    ``kinds`` (n,) holds codes of Kind, ``cases`` (n,) case ids, ``centres`` (n, 3) z, y, x and ``lesions`` (n,) labels,
    all by patch number; ``pixels`` (n,) the first digits of the digest of the case's pixels.
    """

    def __init__(self, folder: Path, contents: Contents, shards: list[Patch], index: list[dict[str, str]]) -> None:
        self.folder = folder
        self.contents = contents
        self.layout = contents.layout
        self.kinds = np.array([CODES[row["kind"]] for row in index], np.int8)
        self.cases = np.array([row["case_id"] for row in index], np.str_)
        self.centres = np.array([[int(row[axis]) for axis in "zyx"] for row in index], np.int32).reshape(-1, 3)
        self.lesions = np.array([int(row["lesion"]) for row in index], np.int32)
        self.pixels = np.array([row["pixels"] for row in index], np.str_)
        self.classes = np.array([row["class"] for row in index], np.str_)
        self._shard_of = np.array([int(row["shard"]) for row in index], np.intp)
        self._row_of = np.array([int(row["row"]) for row in index], np.intp)
        self._shards = shards

    @classmethod
    def open(cls, folder: Path, verify: Literal["none", "touched", "all"] = "none") -> PatchStore:
        """Map the patches of ``folder``, and compare the checksums of shards: of those that were touched, or of all.

        Touched are those whose size, times or inode differ from when they were last read; only they are read.
        Raises HakkenError when the folder is unfinished, a shard is missing, truncated or corrupt (it is named), or the
        index does not fit.
        """
        contents = read_contents(folder)
        index_file = folder / "index.csv"
        if not index_file.is_file() or sha256_file(index_file) != contents.index_sha256:
            raise HakkenError(f"{index_file}: is missing or changed since the patches were cut; {_again(folder)}")
        shards = [_map_shard(folder, shard, contents) for shard in contents.shards]
        if verify != "none":
            _verify_shards(folder, contents.shards, full=verify == "all")
        with index_file.open(newline="", encoding="utf-8") as stream:
            return cls(folder, contents, shards, list(csv.DictReader(stream)))

    def __len__(self) -> int:
        return len(self.kinds)

    def of_kind(self, kind: Kind) -> NDArray[np.intp]:
        """Return the numbers of all patches of one kind, ascending."""
        return np.flatnonzero(self.kinds == kind)

    def read(self, patches: NDArray[np.integer[Any]], edge: int | None = None) -> Patch:
        """Return patches by number as float16 (n, c, edge, ...), cropped around their centre voxel.

        Index ``edge // 2`` of every axis is the centre. Ascending numbers read fastest. Raises HakkenError when
        ``edge`` is larger than what is stored.
        """
        layout = self.layout
        wanted = layout.edge if edge is None else edge
        if not 1 <= wanted <= layout.edge:
            raise HakkenError(f"{self.folder}: patches of edge {wanted} asked for, {layout.edge} are stored")
        start = layout.edge // 2 - wanted // 2
        window = (slice(None), *[slice(start, start + wanted)] * layout.axes)
        result = np.empty((len(patches), len(layout.channels), *[wanted] * layout.axes), np.float16)
        shards, rows = self._shard_of[patches], self._row_of[patches]
        for shard in np.unique(shards):
            chosen = shards == shard
            result[chosen] = self._shards[shard][(rows[chosen], *window)]
        return result


def read_contents(folder: Path) -> Contents:
    """Return what ``shards.json`` says; raises HakkenError when the folder has none."""
    path = folder / CONTENTS
    if not path.is_file():
        raise HakkenError(f"{path}: is missing, so the patches are unfinished; {_again(folder)}")
    values = read_json(path)
    layout = values["layout"]
    layout |= {name: tuple(layout[name]) for name in ("channels", "spacing_mm", "optional")}
    shards = tuple(Shard(**shard) for shard in values["shards"])
    return Contents(Layout(**layout), values["kinds"], values["index_sha256"], shards)


def _map_shard(folder: Path, shard: Shard, contents: Contents) -> Patch:
    """Map one shard; its header must promise what ``shards.json`` does and the file must be as long as that."""
    path = folder / shard.file
    try:
        array: Patch = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise HakkenError(f"{path}: cannot be read ({error}); {_again(folder)}") from None
    expected = (shard.rows, *contents.layout.patch_shape)
    if array.shape != expected or array.dtype != DTYPE:
        raise HakkenError(f"{path}: holds {array.dtype} {array.shape} instead of float16 {expected}; {_again(folder)}")
    return np.asarray(array)


def _verify_shards(folder: Path, shards: Sequence[Shard], full: bool) -> None:
    found = digests_of(folder, [shard.file for shard in shards], full=full)
    for shard in shards:
        if found[shard.file] != shard.sha256:
            raise HakkenError(f"{folder / shard.file}: is corrupt (its SHA-256 has changed); {_again(folder)}")


def _index_text(rows: list[Row]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row.cells() for row in rows)
    return stream.getvalue()


def _shard_name(number: int) -> str:
    return f"shard-{number:03d}.npy"


def _again(folder: Path) -> str:
    return f"delete {folder} and cut the patches again"
