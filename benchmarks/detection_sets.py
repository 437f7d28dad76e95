"""The images that `benchmarks/detection.py` compares detectors on, prepared by hakken's own stages.

A set is a study without a method (what is a lesion, a hit, how images are prepared), a table of cases, and one or more
rotations that say who trains, who chooses and who is measured. Sets of real images are read from a folder that is
given; phantoms are drawn. What is prepared stays in the work folder.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.open_ms import PATIENTS, write_case_table
from hakken.cohort.table import read_table, write_table
from hakken.core.case_ids import file_name
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase, load_prepared
from hakken.runs.table import runs_of_set
from hakken.stages.check import check
from hakken.stages.phantom import phantom
from hakken.stages.phantom_table import phantom_table
from hakken.stages.prepare import prepare
from hakken.stages.register import register
from hakken.study import Study
from hakken.study.reading import load_study, read_study

STUDIES = Path(__file__).parents[1] / "config" / "studies"
SHARED = (
    "name",
    "title",
    "seed",
    "data",
    "cohort",
    "channels",
    "registration",
    "preparation",
    "outcomes",
    "evaluation",
)
PARTS = ("train", "validation", "test")
CLASSIFIER = "patches"
"""The variant of a study that is its classifier of patches at its untuned default."""

Content = dict[str, Any]
Tables = Callable[[Path, Path], CaseTable]
"""The folder of the data sets and a folder to write into, to the cases of a set."""


@dataclass(frozen=True)
class Images:
    """One set: the study it is measured by, its windows (edge, axes, how many at once) and its rotations.

    ``content`` are the sections of a study without its method; ``classifier`` is the study with the patch classifier at
    its untuned default, None where it is not compared. ``rotations`` name the cases of each part; none where the case
    table does.
    """

    name: str
    content: Content
    edge: int
    batch: int
    budget: float
    axes: int = 3
    cases: Tables | None = None
    classifier: Study | None = None
    rotations: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def study(self, method: str = "dense", **sections: Any) -> Study:
        """Return the study with a method and further sections."""
        return read_study({**self.content, "method": method, **sections}, self.name)


@dataclass(frozen=True)
class Rotation:
    """The prepared cases of a set, part by part; each stands in a folder of its own."""

    images: Images
    name: str
    places: Mapping[str, tuple[Path, ...]]

    @property
    def key(self) -> str:
        """The name of the set and of the rotation."""
        return f"{self.images.name} {self.name}"

    def cases(self, part: str) -> list[PreparedCase]:
        """Return the cases of a part, in the order of their ids."""
        found = [load_prepared(place, place.name) for place in self.places[part]]
        return sorted(found, key=lambda case: case.case_id)


def prepared(images: Images, data: Path, work: Path) -> list[Rotation]:
    """Return the rotations of a set, its cases prepared below ``work``; raises HakkenError where its images lack."""
    folder = work / images.name
    folder.mkdir(parents=True, exist_ok=True)
    study = images.study()
    table = folder / "cohort" / "cases.csv"
    if not table.exists():
        table.parent.mkdir(parents=True, exist_ok=True)
        _write_cases(images, study, data, table)
    cases = read_table(table, study).cases
    for case in cases:
        _prepare(study, table, case.case_id, folder)
    parts = images.rotations or {
        "all": {part: tuple(case.case_id for case in cases if case.split == part) for part in PARTS}
    }
    return [
        Rotation(
            images, name, {part: tuple(folder / "prepared" / file_name(one) for one in ids) for part, ids in of.items()}
        )
        for name, of in parts.items()
    ]


def _write_cases(images: Images, study: Study, data: Path, table: Path) -> None:
    if images.cases is not None:
        write_table(table, images.cases(data, table.parent), study)
        return
    drawn = table.with_name("drawn.csv")
    phantom_table(study=study, cases_per_job=10_000, output=drawn)
    known = read_table(drawn, study, files_exist=False)
    for part in PARTS:
        phantom(study=study, cases=[case.case_id for case in known.part(part)], output=table.parent / f"{part}-000")
    drawn.rename(table)


def _prepare(study: Study, table: Path, case: str, folder: Path) -> None:
    """Check, register and prepare one case, as the workflow does, unless it is there."""
    output = folder / "prepared" / file_name(case)
    if (output / f"{file_name(case)}.json").exists():
        return
    checked, registered = folder / "checked" / f"{file_name(case)}.json", folder / "registered" / file_name(case)
    checked.parent.mkdir(parents=True, exist_ok=True)
    check(study=study, table=table, cases=[case], output=checked)
    register(study=study, table=table, cases=[case], checked=checked, output=registered)
    prepare(study=study, table=table, cases=[case], checked=checked, registered=registered, output=output)


def _of_study(name: str, scale: str = "tiny") -> Content:
    """Return the sections of a study that no method has a part in."""
    content = load_study(STUDIES / f"{name}.yaml", scale).model_dump(mode="json", exclude_unset=True)
    kept = {key: value for key, value in content.items() if key in SHARED}
    if kept["cohort"].get("table"):
        kept["cohort"]["table"] = "cases.csv"
    return kept


def _classifier(name: str, scale: str = "tiny") -> Study | None:
    """Return a study as its variant `patches` trains it; None where it has no such variant."""
    study = load_study(STUDIES / f"{name}.yaml", scale)
    if CLASSIFIER not in study.variants:
        return None
    (run,) = runs_of_set(study, CLASSIFIER)
    return run.study(study)


def _open_ms(data: Path, folder: Path) -> CaseTable:
    table: CaseTable = write_case_table(_there(data / "open_ms"), folder / "source.csv")
    return table


def _sarcoma(data: Path, folder: Path) -> CaseTable:
    """Every third patient is for the test, of the others every fourth chooses."""
    del folder
    found = sorted(_there(data / "sts_fdgpet").glob("STS_*"))
    return CaseTable(
        tuple(
            Case(one.name, one.name, _part(number), {"PET": one / "PET_image.nii.gz"}, one / "PET_mask.nii.gz")
            for number, one in enumerate(found)
        )
    )


def _part(number: int) -> str:
    """Return the part of a patient by place.

    >>> [_part(number)[0] for number in range(12)]
    ['t', 't', 't', 't', 'v', 't', 't', 't', 't', 't', 'v', 't']
    """
    if number % 3 == 2:
        return "test"
    return "validation" if number % 6 == 4 else "train"


def _lung(data: Path, folder: Path) -> CaseTable:
    """Ten patches of each patient; the 13 patients of one file train, 4 of the other choose, 9 are measured."""
    source = _there(data / "msd_lung_patches")
    if find_spec("h5py") is None:
        raise HakkenError("h5py is not installed; see benchmarks/detection.txt")
    import h5py

    with tarfile.open(source / "patches_h5.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    cases = []
    for name in ("val", "test"):
        with h5py.File(folder / f"{name}_patches.h5") as file:
            images, labels = np.asarray(file["images"])[:, 0], np.asarray(file["labels"])[:, 0]
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            patient = number // 10
            part = "train" if name == "val" else "validation" if patient < 4 else "test"
            case = f"{name}{number:03d}"
            paths = folder / f"{case}.nii.gz", folder / f"{case}_mask.nii.gz"
            for path, array in zip(paths, (image.astype(np.float32), (label > 0).astype(np.uint8)), strict=True):
                written = sitk.GetImageFromArray(array[None])
                written.SetSpacing((2.0, 2.0, 2.0))
                sitk.WriteImage(written, str(path))
            cases.append(Case(case, f"{name}{patient:02d}", part, {"CT": paths[0]}, paths[1]))
    return CaseTable(tuple(cases))


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise HakkenError(f"{folder}: is not there; give the folder of the data sets with --data")
    return folder


def _own(name: str, channel: Content, spacing: float, diameters_mm: list[float]) -> Content:
    """Return the sections of a set of one channel that hakken has no study of."""
    candidates = {"hit": "inside", "maximum_fp": 2, "at": [0.5, 1, 2], "operating_point": 2}
    return {
        "name": name,
        "title": name,
        "seed": 20261130,
        "cohort": {"table": "cases.csv", "truth": "lesion_mask", "labels": "binary"},
        "channels": channel,
        "registration": {"method": "none"},
        "preparation": {"spacing_mm": [spacing] * 3, "mask": "none", "margin_mm": 0},
        "outcomes": {"candidates": {**candidates, "diameters_mm": diameters_mm}},
        "evaluation": {"strata": []},
    }


def _turned() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the three rotations of the patients, named by who trains, chooses and is measured.

    >>> list(_turned())
    ['07/26/19', '26/19/07', '19/07/26']
    """
    names = list(PATIENTS)
    turned = [names[place:] + names[:place] for place in range(len(names))]
    return {
        "/".join(name.removeprefix("patient") for name in order): {
            part: (name,) for part, name in zip(PARTS, order, strict=True)
        }
        for order in turned
    }


def _multiple_sclerosis() -> Images:
    name = "white_matter_lesion"
    content, classifier = _of_study(name), _classifier(name)
    return Images(
        "open_ms",
        content,
        edge=48,
        batch=2,
        budget=400,
        cases=_open_ms,
        classifier=classifier,
        rotations=_turned(),
    )


def _of_phantom(name: str) -> Images:
    return Images(name, _of_study(name), edge=32, batch=4, budget=120, classifier=_classifier(name))


def _sarcomas() -> Images:
    name, uptake = "sts_fdgpet", {"PET": {"modality": "pet", "normalise": "window", "range": [0, 30]}}
    content = _own(name, uptake, 4.0, [50, 80])
    return Images(name, content, edge=32, batch=4, budget=120, cases=_sarcoma)


def _lung_tumours() -> Images:
    name, scaled = "msd_lung_patches", {"CT": {"modality": "xray", "normalise": "window", "range": [0, 1]}}
    content = _own(name, scaled, 2.0, [20, 30]) | {"patches": {"axes": 2}}
    return Images(name, content, edge=48, batch=8, budget=60, axes=2, cases=_lung)


def all_sets() -> dict[str, Images]:
    """Return all sets by name, in the order in which they are run."""
    sets = (
        _multiple_sclerosis(),
        _of_phantom("brain_metastasis"),
        _sarcomas(),
        _lung_tumours(),
        _of_phantom("aneurysm_mra"),
    )
    return {one.name: one for one in sets}
