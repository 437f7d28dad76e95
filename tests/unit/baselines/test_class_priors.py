"""Always the shares of the classes among what there is to learn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hakken.baselines import class_priors
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.study import Study
from hakken.study.reading import parse_study

from .helpers import case_of


def study() -> Study:
    return parse_study(
        {
            "name": "t",
            "seed": 1,
            "method": "mean_classifier",
            "cohort": {"table": "cases.csv", "truth": "lesion_table", "classes": ["early", "poor", "rare"]},
            "channels": {"red": {"modality": "ct"}},
        }
    )


def with_lesions(folder: Path, name: str, *classes: str) -> PreparedCase:
    lesions = tuple(Lesion(place, 0, 0, 0, 1, 1, lesion_class=one) for place, one in enumerate(classes, start=1))
    case = case_of(folder, name, np.zeros((1, 1, 4, 4)), np.zeros((1, 4, 4), np.int16))
    return replace(case, lesions=lesions)


def test_every_lesion_counts_once_and_every_answer_is_the_same(tmp_path: Path) -> None:
    training = [with_lesions(tmp_path, "a", "poor", "poor", "early"), with_lesions(tmp_path, "b", "poor")]
    values = class_priors.fit([], study(), training)
    assert values == {"early": 0.25, "poor": 0.75, "rare": 0.0}
    case = with_lesions(tmp_path, "c", "rare", "early")
    said = class_priors.predict(values, case, study())["classes"]
    assert said.tolist() == [[0.25, 0.75, 0.0]] * 2
    assert class_priors.predict(values, with_lesions(tmp_path, "d"), study())["classes"].shape == (0, 3)
    assert class_priors.words(values, study()) == "always early 25 %, poor 75 %, rare 0 %"


def test_without_a_lesion_there_is_nothing_to_count(tmp_path: Path) -> None:
    with pytest.raises(
        HakkenError, match="baseline `class_priors`: none of the 1 training cases has a lesion to count"
    ):
        class_priors.fit([], study(), [with_lesions(tmp_path, "a")])
