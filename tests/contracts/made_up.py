"""What the contracts are tried on: for each plug-in a study that names it, and made-up data in that study's shapes.

A system is a study: a plug-in that no study names is one that nobody can run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from hakken import plugins
from hakken.cohort.items import Item, examine_item
from hakken.cohort.phantom import phantom_cases, table_of
from hakken.core.volume import Geometry
from hakken.imaging.cases import Case
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.runs.layout_pool import made_up_patches
from hakken.runs.required import needs_of
from hakken.runs.table import runs_of
from hakken.stages.phantom import phantom as draw_phantom
from hakken.study import Study, presence_of
from hakken.study.reading import load_study, scales_of
from hakken.training.method import Data

ROOT = Path(__file__).resolve().parents[2]
FILES = [*sorted((ROOT / "tests/workflow/studies").glob("*.yaml")), *sorted((ROOT / "config/studies").glob("*.yaml"))]
FLAT = ("endoscopy", "xray")


@cache
def studies() -> tuple[Study, ...]:
    """Return all studies and their variants, the smallest scale of each, those of the tests first."""
    found = []
    for path in FILES:
        study = load_study(path, next(iter(scales_of(path))))
        variants = {str(one.method): one for one in (run.study(study) for run in runs_of(study))}
        found += [study, *(one for name, one in variants.items() if name != study.method)]
    return tuple(found)


def study_with(kind: plugins.Kind, name: str) -> Study:
    """Return the first study that names a plug-in."""
    found = next((study for study in studies() if name in study.named()[kind]), None)
    assert found is not None, f"no study of config/studies names {name} of {kind}; a system is a study"
    return found


def cases_of(study: Study, folder: Path, count: int = 4) -> list[Case]:
    """Return so many cases of a study, every second one normal, drawn or made up in ``folder``."""
    if study.cohort.kind == "items":
        return list(_items(study, folder, count))
    return [_image(study, folder, number) for number in range(count)]


def data_of(study: Study, folder: Path) -> Data:
    """Return what a training of a study would learn from."""
    needs = needs_of(study)
    if needs.patches:
        made_up_patches(study, folder / "patches")
        return Data((), folder / "patches")
    return Data(tuple(cases_of(study, folder / "train")) if needs.learns_from != "nothing" else ())  # type: ignore[arg-type]


def _items(study: Study, folder: Path, count: int) -> Iterator[Item]:
    chosen = [case for case in phantom_cases(study) if case.part != "train"][:count]
    table = table_of(study, folder, 10_000)
    for case in table.select([one.case_id for one in chosen]):
        where = Path(next(iter(case.channels.values()))).parent.parent
        draw_phantom(study=study, cases=[case.case_id], output=where)  # type: ignore[call-arg]
        problems, item = examine_item(case)
        assert item is not None, problems
        yield item


def _image(study: Study, folder: Path, number: int) -> PreparedCase:
    """Return a case of noise, brighter in a ball; the ball is a lesion in every second case.

    Those are the cases that have the optional channels.
    """
    random = np.random.default_rng(number)
    edge = 2 * max(getattr(study.parameters, "patch_size", 8), 8)
    flat = next(iter(study.channels.values())).modality in FLAT
    shape = (1 if flat else edge if study.patches.axes == 3 else 6, edge, edge)
    geometry = Geometry(shape, study.preparation.spacing_mm)
    z, y, x = np.indices(shape)
    middle = np.array(shape) // 2
    ball = (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 <= 9
    channels = study.layers
    image = random.random((len(channels), *shape)) * 0.5 + 0.4 * ball
    optional = dict.fromkeys(study.optional, number % 2 == 0)
    for name, there in optional.items():
        image[channels.index(presence_of(name))] = there
        image[channels.index(name)] *= there
    labels = (ball if number % 2 == 0 else np.zeros(shape)).astype(np.int16)
    classes = study.cohort.classes or (None,)
    lesions = tuple(
        replace(lesion, lesion_class=classes[number // 2 % len(classes)])
        for lesion in measure_lesions(labels, geometry)
    )
    case = PreparedCase(
        case_id=f"case{number}",
        patient=f"patient{number}",
        columns={"scanner": "AB"[number % 2]},
        channels=channels,
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest=str(number),
        has_truth=study.cohort.truth != "label",
        lesions=lesions,
        optional=optional,
        has_regions=bool(study.cohort.regions),
        scalars=dict.fromkeys(study.scalars, 0.5),
    )
    regions = np.minimum(x * (len(study.cohort.regions) + 1) // shape[2], 255) if study.cohort.regions else None
    folder.mkdir(parents=True, exist_ok=True)
    body = None if study.body_regions is None else np.full(shape, 3, np.uint8)
    truth = labels if case.has_truth else None
    return save_prepared(folder, case, image, np.ones(shape, np.uint8), truth, regions=regions, body=body)
