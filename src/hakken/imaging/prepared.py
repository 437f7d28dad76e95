"""A prepared case as files: what preparation writes and what patches, tasks and figures read.

In one folder, ``<case>`` being `hakken.core.case_ids.file_name` of its id: ``<case>.npy`` float16 (c, z, y, x)
normalised channels, 0 outside the mask, then for each optional channel where it was measured (1, else 0), then the
scalars of the case, each as a channel of one value in the mask;
``<case>.mask.npy`` uint8 (z, y, x); ``<case>.labels.npy`` int16 (z, y, x) lesion labels, only where the case has truth;
``<case>.regions.npy`` uint8 (z, y, x) labels of the regions, only where the study names some; ``<case>.body.npy``
uint8 (z, y, x) the regions of the body, only where the study names them; ``<case>.json``, which
holds the SHA-256 of the arrays.
The prepared grid is an ordinary geometry in the reference channel's LPS space, so ``geometry.to_world`` of a voxel is
already a point in the scanner's space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hakken.core.case_ids import file_name
from hakken.core.digests import digests_of
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, replacing, write_json
from hakken.core.volume import Geometry
from hakken.imaging.scales import in_units

Kind = Literal["included", "excluded"]


@dataclass(frozen=True)
class Lesion:
    """A lesion: its number in the labels, its centre x, y, z (LPS), its diameter and its size.

    ``size`` is its volume, or its area in a flat image; ``diameter`` that of the sphere of this volume or of the disc
    of this area. All are in the unit of the image: mm, or px of a picture whose pixels have no known size. A lesion
    that was drawn as a box has an ``extent``: width and height along the axes of the image. ``excluded`` lesions are
    findings too small to count: marks on them are neither right nor wrong.
    """

    lesion: int
    x: float
    y: float
    z: float
    diameter: float
    size: float
    kind: Kind = "included"
    lesion_class: str | None = None
    extent: tuple[float, float] | None = None

    @property
    def centre(self) -> tuple[float, float, float]:
        """Centre x, y, z, LPS, in the unit of the image."""
        return (self.x, self.y, self.z)

    def as_dict(self) -> dict[str, Any]:
        """Return the lesion as plain values; ``class`` and ``extent`` are left out where there is none."""
        content = asdict(self)
        further = {"class": content.pop("lesion_class"), "extent": content.pop("extent")}
        return content | {key: value for key, value in further.items() if value is not None}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Lesion:
        """Return the lesion that ``as_dict`` described."""
        values = dict(content)
        extent = values.pop("extent", None)
        return cls(lesion_class=values.pop("class", None), extent=tuple(extent) if extent else None, **values)


@dataclass(frozen=True)
class PreparedCase:
    """What is known of a prepared case; its arrays stay on disk in ``folder`` until they are asked for.

    ``has_truth`` says whether somebody has marked its lesions. ``label`` is the class of the case in a word, where that
    is all that is known of it. ``outside`` are the numbers of the lesions of which no voxel lies in the mask; ``doubt``
    says why the mask may be wrong, where it may; ``has_regions`` whether its organs are labelled, ``has_body`` whether
    it holds the regions of the body. ``optional`` says of each optional channel whether the case has it, ``scalars``
    what the case has of each scalar. ``columns`` are those of the case table as it stands when the case is measured,
    which its files do not hold, and what `presence` says. ``files`` are the SHA-256 of its arrays by the ending of
    their names. ``clicks`` are those of a user on a new case: x, y, z, LPS, and the lesion's longest extent, in mm.
    """

    case_id: str
    patient: str
    channels: tuple[str, ...]
    geometry: Geometry
    source_geometry: Geometry
    normalisation: dict[str, dict[str, Any]]
    pixel_digest: str
    has_truth: bool
    lesions: tuple[Lesion, ...] = ()
    label: str | None = None
    outside: tuple[int, ...] = ()
    optional: Mapping[str, bool] = field(default_factory=dict)
    scalars: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    doubt: str = ""
    has_regions: bool = False
    has_body: bool = False
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
    clicks: tuple[tuple[float, float, float, float], ...] = field(default=(), compare=False)
    folder: Path | None = field(default=None, compare=False)

    @property
    def missing(self) -> tuple[str, ...]:
        """The optional channels that the case lacks."""
        return tuple(name for name, there in self.optional.items() if not there)

    @property
    def complete(self) -> tuple[str, ...]:
        """The channels that every case of the study has."""
        own = self.channels[: len(self.channels) - len(self.optional) - len(self.scalars)]
        return tuple(name for name in own if name not in self.optional)

    @property
    def presence(self) -> dict[str, str]:
        """Whether the case has each optional channel, in words, as a column of the case table would say it.

        >>> grid = Geometry((1, 2, 2))
        >>> PreparedCase("a", "p", (), grid, grid, {}, "", False, optional={"FLAIR": True, "T2": False}).presence
        {'FLAIR': 'with FLAIR', 'T2': 'without T2'}
        """
        return {name: f"{'with' if there else 'without'} {name}" for name, there in self.optional.items()}

    @property
    def abnormal(self) -> bool:
        """Whether the case has an included lesion, or a label that says that it is not normal."""
        return self.label is not None or any(lesion.kind == "included" for lesion in self.lesions)

    def image(self, mmap: bool = True) -> NDArray[np.float16]:
        """Return the normalised channels, float16 (c, z, y, x), memory-mapped and read-only unless told otherwise."""
        return self._load("npy", mmap)

    def mask(self, mmap: bool = False) -> NDArray[np.uint8]:
        """Return the mask, uint8 (z, y, x): 1 where patches are taken and candidates may lie."""
        return self._load("mask.npy", mmap)

    def labels(self, mmap: bool = False) -> NDArray[np.int16]:
        """Return the lesion labels, int16 (z, y, x); raises HakkenError where the case has no truth."""
        if not self.has_truth:
            raise HakkenError(f"case {self.case_id}: has no lesion labels; add its lesion mask or lesion table")
        return self._load("labels.npy", mmap)

    def regions(self, mmap: bool = False) -> NDArray[np.uint8]:
        """Return the labels of the regions, uint8 (z, y, x): n for the region n of `cohort.regions`, 0 elsewhere.

        Raises HakkenError where the case has none.
        """
        if not self.has_regions:
            raise HakkenError(f"case {self.case_id}: has no labels of regions; name them in `cohort.regions`")
        return self._load("regions.npy", mmap)

    def body_regions(self, mmap: bool = False) -> NDArray[np.uint8]:
        """Return the regions of the body, uint8 (z, y, x), n for the n-th of `BODY_REGIONS`, 0 outside of the body."""
        return self._load("body.npy", mmap)

    def intensities(self) -> NDArray[np.float32]:
        """Return the channels, float32 (c, z, y, x), as they were before normalisation, clipped as it clipped them."""
        pairs = zip(self.channels, self.image(), strict=True)
        return np.stack([in_units(shares, self.normalisation.get(name, {})) for name, shares in pairs])

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the columns and the folder as plain values, for JSON."""
        return {
            "case_id": self.case_id,
            "patient": self.patient,
            "channels": list(self.channels),
            "geometry": self.geometry.as_dict(),
            "source_geometry": self.source_geometry.as_dict(),
            "normalisation": self.normalisation,
            "pixel_digest": self.pixel_digest,
            "has_truth": self.has_truth,
            "lesions": [lesion.as_dict() for lesion in self.lesions],
            "label": self.label,
            "outside": list(self.outside),
            "optional": dict(self.optional),
            **({"scalars": dict(self.scalars)} if self.scalars else {}),
            "doubt": self.doubt,
            **({"has_regions": True} if self.has_regions else {}),
            **({"has_body": True} if self.has_body else {}),
            "files": dict(self.files),
        }

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files of the case."""
        return tuple(self.path(suffix) for suffix in ("json", *self._arrays))

    @property
    def _arrays(self) -> tuple[str, ...]:
        further = {"labels.npy": self.has_truth, "regions.npy": self.has_regions, "body.npy": self.has_body}
        return ("npy", "mask.npy", *(name for name, there in further.items() if there))

    def require_as_written(self, full: bool = False) -> None:
        """Raise HakkenError where an array is not the one that was written; ``full``: whatever its times say."""
        names = {self.path(ending).name: digest for ending, digest in self.files.items()}
        for name, digest in digests_of(self.path("json").parent, names, full=full).items():
            if digest != names[name]:
                folder = self.path("json").parent
                raise HakkenError(
                    f"{folder / name}: has changed since the case was prepared; delete {folder} and prepare again"
                )

    def path(self, suffix: str) -> Path:
        """Return the file of this ending; raises HakkenError where the case was not loaded from a folder."""
        if self.folder is None:
            raise HakkenError(f"case {self.case_id}: was not loaded from a folder; use load_prepared")
        return self.folder / f"{file_name(self.case_id)}.{suffix}"

    def _load(self, suffix: str, mmap: bool) -> NDArray[Any]:
        path = self.path(suffix)
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise HakkenError(f"{path}: cannot be read ({error}); delete the folder and prepare again") from None
        return array


def save_prepared(
    folder: Path,
    case: PreparedCase,
    image: NDArray[np.floating[Any]],
    mask: NDArray[Any],
    labels: NDArray[Any] | None = None,
    *,
    regions: NDArray[Any] | None = None,
    body: NDArray[Any] | None = None,
) -> PreparedCase:
    """Write one case into ``folder``, the JSON last, and return it bound to that folder.

    ``image`` (c, z, y, x), ``mask``, ``labels``, ``regions`` and the regions of the ``body`` (z, y, x) must fit
    ``case.geometry``; raises HakkenError otherwise.
    """
    _check_shapes(case, image, mask, labels, regions)
    bound = replace(case, folder=folder, has_body=body is not None)
    _save_array(bound.path("npy"), image.astype(np.float16))
    _save_array(bound.path("mask.npy"), mask.astype(np.uint8))
    if labels is not None:
        _save_array(bound.path("labels.npy"), labels.astype(np.int16))
    if regions is not None:
        _save_array(bound.path("regions.npy"), regions.astype(np.uint8))
    if body is not None:
        _save_array(bound.path("body.npy"), body.astype(np.uint8))
    digests = digests_of(folder, [bound.path(ending).name for ending in bound._arrays])
    files = {ending: digests[bound.path(ending).name] for ending in bound._arrays}
    write_json(bound.path("json"), replace(bound, files=files).as_dict())
    return replace(load_prepared(folder, case.case_id), columns=case.columns)


def load_prepared(folder: Path, case_id: str) -> PreparedCase:
    """Return what is known of a prepared case; raises HakkenError when its JSON is missing or broken."""
    return _prepared(folder / f"{file_name(case_id)}.json")


def _prepared(path: Path) -> PreparedCase:
    content = read_json(path)
    case = PreparedCase(
        case_id=content["case_id"],
        patient=content["patient"],
        channels=tuple(content["channels"]),
        geometry=Geometry.from_dict(content["geometry"]),
        source_geometry=Geometry.from_dict(content["source_geometry"]),
        normalisation=content["normalisation"],
        pixel_digest=content["pixel_digest"],
        has_truth=content["has_truth"],
        lesions=tuple(Lesion.from_dict(lesion) for lesion in content["lesions"]),
        label=content["label"],
        outside=tuple(content["outside"]),
        optional=content["optional"],
        scalars=content.get("scalars", {}),
        doubt=content["doubt"],
        has_regions=content.get("has_regions", False),
        has_body=content.get("has_body", False),
        files=content.get("files", {}),
        folder=path.parent,
    )
    return replace(case, columns=case.presence)


def prepared_cases(folder: Path) -> list[PreparedCase]:
    """Return all prepared cases of a folder, ordered by the names of their files."""
    return [_prepared(path) for path in sorted(folder.glob("*.json"))]


def _check_shapes(
    case: PreparedCase,
    image: NDArray[Any],
    mask: NDArray[Any],
    labels: NDArray[Any] | None,
    regions: NDArray[Any] | None,
) -> None:
    shape = case.geometry.shape_zyx
    expected = (len(case.channels), *shape)
    given = [array.shape for array in (mask, labels, regions) if array is not None]
    if image.shape != expected or any(one != shape for one in given):
        raise HakkenError(f"case {case.case_id}: arrays do not fit {expected} (channels, z, y, x)")
    if case.has_truth != (labels is not None):
        raise HakkenError(f"case {case.case_id}: labels must be given exactly where the case has truth")
    if case.has_regions != (regions is not None):
        raise HakkenError(f"case {case.case_id}: regions must be given exactly where the case has some")


def _save_array(path: Path, array: NDArray[Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
