"""What holds of every phantom."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from made_up import study_with

from hakken import plugins
from hakken.cohort.phantom import phantom_cases
from hakken.core.errors import HakkenError
from hakken.imaging.files import read_volume
from hakken.stages.phantom import phantom
from hakken.study.reading import parse_study

PHANTOMS = plugins.names("phantoms")


@pytest.mark.parametrize("name", PHANTOMS)
def test_the_cohort_has_as_many_cases_as_asked(name: str) -> None:
    study = study_with("phantoms", name)
    asked = study.cohort.phantom
    assert asked is not None
    cases = phantom_cases(study)
    counted = {part: sum(case.part == part for case in cases) for part in ("train", "validation", "test")}
    wanted = asked.cases.model_dump()
    assert counted == wanted if not study.crossed else len(cases) == sum(wanted.values())
    parts: dict[str, set[str]] = {}
    for case in cases:
        parts.setdefault(case.patient, set()).add(case.part)
    assert all(len(own) == 1 for own in parts.values())


@pytest.mark.parametrize("name", PHANTOMS)
def test_the_same_seed_draws_the_same_bytes(name: str, tmp_path: Path) -> None:
    study = study_with("phantoms", name)
    case = phantom_cases(study)[-1].case_id
    digests = []
    for number, seed in enumerate((study.seed, study.seed, study.seed + 1)):
        folder = tmp_path / str(number)
        phantom(study=study.model_copy(update={"seed": seed}), cases=[case], output=folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    assert digests[0] == digests[1]
    assert digests[0].keys() == digests[2].keys()
    assert digests[0] != digests[2]


@pytest.mark.parametrize("name", PHANTOMS)
def test_foreign_keys_are_errors(name: str) -> None:
    content = study_with("phantoms", name).model_dump(mode="json", exclude_defaults=True)
    content["cohort"]["phantom"]["no_such_key"] = 1
    with pytest.raises(HakkenError, match=r"cohort\.phantom\.no_such_key: unknown key"):
        parse_study(content)


@pytest.mark.parametrize("name", [one for one in PHANTOMS if plugins.load("phantoms", one).LAW.regions])
def test_regions_are_labels_on_the_grid_of_the_reference(name: str, tmp_path: Path) -> None:
    study, law = study_with("phantoms", name), plugins.load("phantoms", name).LAW
    for regions in (law.regions, law.regions[::-1]):
        content = study.model_dump(mode="json", exclude_defaults=True)
        content["cohort"]["regions"] = list(regions)
        asked = parse_study(content)
        case = phantom_cases(asked)[0].case_id
        phantom(study=asked, cases=[case], output=tmp_path / regions[0])
        drawn = read_volume(tmp_path / regions[0] / case / "regions.nii.gz")
        reference = read_volume(tmp_path / regions[0] / case / f"{asked.reference}.nii.gz")
        assert drawn.geometry.matches(reference.geometry, 1e-3)
        assert set(np.unique(drawn.array)) == {*range(len(regions) + 1)}, "each of them, and what is none"
    first, second = (
        read_volume(tmp_path / one / case / "regions.nii.gz").array for one in (law.regions[0], law.regions[-1])
    )
    assert np.array_equal(first > 0, second > 0)
    assert len(law.regions) == 1 or not np.array_equal(first, second), "numbers are those of the study's list"
