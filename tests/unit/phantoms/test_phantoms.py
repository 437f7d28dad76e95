"""Which generators there are, and that each has its cohort, its channels and its drawing."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import get_args

import pytest

from hakken.cohort.phantom import phantom_cases
from hakken.cohort.phantom.draw import DRAWERS, draw
from hakken.cohort.phantom.generators import GENERATORS, check_channels
from hakken.core.errors import HakkenError
from hakken.study import Phantom, Study


def test_every_generator_of_the_study_file_is_complete() -> None:
    names = get_args(Phantom.model_fields["generator"].annotation)
    assert set(names) == set(GENERATORS) == set(DRAWERS)
    for generator in GENERATORS.values():
        assert sum(generator.lesion_counts) == pytest.approx(1)


def test_how_many_aneurysms(aneurysm_study: Study) -> None:
    counts = Counter(case.lesions for case in phantom_cases(aneurysm_study) if case.part == "train")
    # Of 20 cases 7 are free (0.35); the quantiles 0.5/13 to 12.5/13 of (0.86, 0.97, 1) are 11 times 1, then 2 twice.
    assert counts == {0: 7, 1: 11, 2: 2}


@pytest.mark.parametrize("channels", [("TOF", "T1"), ("TOF", "T1", "T2")])
def test_an_angiogram_is_one_channel(aneurysm_study: Study, channels: tuple[str, ...]) -> None:
    study = aneurysm_study.model_copy(update={"channels": dict.fromkeys(channels, aneurysm_study.channels["TOF"])})
    with pytest.raises(HakkenError) as caught:
        check_channels(study, GENERATORS["aneurysm"])
    assert str(caught.value) == (
        "study mra: the phantom draws one channel, time-of-flight MR angiography, but the study has "
        f"{', '.join(channels)}; remove a channel"
    )


def test_the_channel_has_the_studys_name(aneurysm_study: Study) -> None:
    other = aneurysm_study.model_copy(
        update={"channels": {"ANGIO": aneurysm_study.channels["TOF"]}, "reference": "ANGIO"}
    )
    check_channels(other, GENERATORS["aneurysm"])
    assert list(draw(phantom_cases(other)[0], other).images(other)) == ["ANGIO"]


def test_planning_a_cohort_loads_nothing_that_draws() -> None:
    code = "import hakken.cohort.batches, sys; print('hakken.phantoms.aneurysm.draw' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
