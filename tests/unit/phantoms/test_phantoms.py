"""Who is in the cohorts of phantoms, which channels they draw, and that planning one loads nothing that draws."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from hakken import plugins
from hakken.cohort.phantom import check_channels, phantom_cases
from hakken.core.errors import HakkenError
from hakken.phantoms import options_of
from hakken.phantoms.aneurysm.draw import draw_case
from hakken.phantoms.endoscopy import Options
from hakken.study import Study

NAMES = plugins.names("phantoms")
CASES = {"train": 1, "validation": 1, "test": 1}


@pytest.mark.parametrize("name", NAMES)
def test_the_law_of_a_cohort_is_one(name: str) -> None:
    law = plugins.load("phantoms", name).LAW
    assert sum(law.lesion_counts) == pytest.approx(1)
    assert 0 <= law.lesion_free < 1
    assert law.scanners


@pytest.mark.parametrize("name", NAMES)
def test_a_phantom_has_the_keys_that_it_reads_and_no_others(name: str) -> None:
    options = plugins.load("phantoms", name).Options
    frames, classes = "frames" in options.model_fields, "class_frequencies" in options.model_fields
    assert (frames, classes) == (name == "endoscopy", name in ("liver_phases", "lesion_types"))
    chosen: dict[str, Any] = {"generator": name, "cases": CASES}
    read = Study.model_validate({"name": "a", "seed": 1, "cohort": {"phantom": chosen}}).cohort.phantom
    assert type(read) is options
    assert read.frames_of_a_patient == 1
    assert read.frequencies is None


def test_options_are_those_of_the_phantom() -> None:
    phantom = {"generator": "endoscopy", "cases": CASES, "frames": 3}
    study = Study.model_validate({"name": "a", "seed": 1, "cohort": {"phantom": phantom}})
    assert options_of(study, Options).frames == 3
    assert Study.model_validate(study.model_dump(mode="json")) == study, "they come back as what they are"


def test_how_many_aneurysms(aneurysm_study: Study) -> None:
    counts = Counter(case.lesions for case in phantom_cases(aneurysm_study) if case.part == "train")
    # Of 20 cases 7 are free (0.35); the quantiles 0.5/13 to 12.5/13 of (0.86, 0.97, 1) are 11 times 1, then 2 twice.
    assert counts == {0: 7, 1: 11, 2: 2}


@pytest.mark.parametrize("channels", [("TOF", "T1"), ("TOF", "T1", "T2")])
def test_an_angiogram_is_one_channel(aneurysm_study: Study, channels: tuple[str, ...]) -> None:
    study = aneurysm_study.model_copy(update={"channels": dict.fromkeys(channels, aneurysm_study.channels["TOF"])})
    with pytest.raises(HakkenError) as caught:
        check_channels(study)
    assert str(caught.value) == (
        "study mra: the phantom draws one channel, time-of-flight MR angiography, but the study has "
        f"{', '.join(channels)}; remove a channel"
    )


def test_the_channel_has_the_studys_name(aneurysm_study: Study) -> None:
    other = aneurysm_study.model_copy(
        update={"channels": {"ANGIO": aneurysm_study.channels["TOF"]}, "reference": "ANGIO"}
    )
    check_channels(other)
    assert list(draw_case(phantom_cases(other)[0], other).images(other)) == ["ANGIO"]


def test_planning_a_cohort_loads_nothing_that_draws() -> None:
    code = (
        "import sys, hakken.cohort.batches\n"
        "from hakken.cohort.phantom import phantom_cases\n"
        "from hakken.study import Study\n"
        "phantom = {'generator': 'aneurysm', 'cases': {'train': 1, 'validation': 1, 'test': 1}}\n"
        "phantom_cases(Study.model_validate({'name': 'a', 'seed': 1, 'cohort': {'phantom': phantom}}))\n"
        "print(sorted({'hakken.phantoms.aneurysm.draw', 'torch', 'scipy', 'SimpleITK'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
