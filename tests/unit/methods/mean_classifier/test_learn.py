"""The linear classifier of mean intensities: fitted in one go, exact where the classes are apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.methods.mean_classifier.learn import Learner, mean_intensities
from hakken.runs.learner import learner_of
from hakken.study.reading import parse_study
from hakken.training.method import Data

from ..imagenet_classifier.helpers import CONTENT, case_of

KEYS = ("name", "seed", "cohort", "channels", "reference")


def learner(classes: tuple[str, ...] = ("dark", "bright"), penalty: float = 1.0) -> Learner:
    content = {key: CONTENT[key] for key in KEYS} | {"method": "mean_classifier", "parameters": {"penalty": penalty}}
    found = learner_of(parse_study(content | {"cohort": CONTENT["cohort"] | {"classes": classes}}))
    assert isinstance(found, Learner)
    return found


def test_the_mean_of_each_channel_is_that_within_the_lesion(tmp_path: Path) -> None:
    case = case_of(tmp_path, 0, "dark")
    image = np.load(tmp_path / "c0.npy", mmap_mode="r+")
    image[1, 5:8, 11:14, 9:12] = 0.5
    image[2, 0] = 9  # outside the lesion
    assert mean_intensities(case, case.lesions[0]) == pytest.approx([0.2, 0.5, 0.2], abs=1e-3)


@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_classes_that_differ_in_brightness_are_told_apart(penalty: float, tmp_path: Path) -> None:
    cases = [case_of(tmp_path, number, name) for number, name in enumerate(["dark", "bright", "dark", "bright"])]
    method = learner(penalty=penalty)
    model = method.fit(Data(tuple(cases)), seed=1)
    found = [method.predict(model, case, ("classes",))["classes"] for case in cases]
    assert found[0] == pytest.approx(found[1][:, ::-1])
    assert [one.sum() for one in found] == pytest.approx([1] * 4)
    # Standardised means are -1 or 1 in all three channels, and all weights the same w. With C = `penalty` the least of
    # 3 w^2 / 2 + 4 C log(1 + exp(-3 w)) lies at w = 4 C (1 - p), p = 1 / (1 + exp(-3 w)) being the probability.
    p = float(found[0][0, 0])
    assert np.log(p / (1 - p)) / 3 == pytest.approx(4 * penalty * (1 - p), rel=1e-2)
    assert model.values == method.fit(Data(tuple(cases)), seed=2).values, "nothing in it is random"
    assert not model.networks


def test_a_class_without_training_lesions_has_no_probability(tmp_path: Path) -> None:
    cases = [case_of(tmp_path, number, name) for number, name in enumerate(["dark", "bright"])]
    method = learner(("none", "dark", "bright"))
    found = method.predict(method.fit(Data(tuple(cases)), seed=1), cases[0], ("classes",))["classes"]
    assert found[0, 0] == 0
    assert found[0, 1] > found[0, 2] > 0


def test_what_cannot_be_fitted_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        learner().fit(Data((case_of(tmp_path, 0, "dark"),)), seed=1)
    assert str(caught.value) == "all training lesions are of the class `dark`; there is nothing to tell apart"
    with pytest.raises(HakkenError) as caught:
        learner().fit(Data(()), seed=1)
    assert str(caught.value) == "none of the 0 training cases has a lesion to learn from"
    with pytest.raises(HakkenError, match=r"the method `mean_classifier` does not fit cohort\.classes: name two"):
        learner(("one",))
