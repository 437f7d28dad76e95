"""A multinomial logistic regression of the standardised mean intensities, the classes weighted to count the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from hakken.core.errors import HakkenError
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.imaging.whole import whole_image
from hakken.methods.mean_classifier import Inference, Parameters
from hakken.outcomes.classes import classified_lesions
from hakken.training.method import Averaged, Data, Fitted
from hakken.training.players import Model

CLASSES = "classes"


class Learner(Averaged, Fitted):
    """How the classifier is fitted, and what it says of the lesions of a case."""

    parameters: Parameters
    inference: Inference

    def fit(self, data: Data, seed: int) -> Model:
        """Return the model of the training cases' lesions; nothing in it is random."""
        classes = self.facts.classes
        lesions = [(case, lesion) for case in data.images() for lesion in self._lesions(case)]
        if not lesions:
            raise HakkenError(f"none of the {len(data.train)} training cases has a lesion to learn from")
        means = np.array([mean_intensities(case, lesion) for case, lesion in lesions])
        truth = [_number(classes, case, lesion) for case, lesion in lesions]
        centre, spread = means.mean(0), means.std(0)
        spread[spread == 0] = 1
        known = sorted(set(truth))
        if len(known) < 2:
            raise HakkenError(
                f"all training lesions are of the class `{classes[known[0]]}`; there is nothing to tell apart"
            )
        model = LogisticRegression(C=self.parameters.penalty, class_weight="balanced", max_iter=1000)
        model.fit((means - centre) / spread, truth)
        values = {"centre": centre, "spread": spread, "weights": model.coef_, "offset": model.intercept_}
        return Model(values={"known": known} | {name: value.tolist() for name, value in values.items()})

    def answer(self, model: Model, case: PreparedCase) -> Mapping[str, NDArray[Any]]:
        """Return the probabilities (lesions, classes) of a case; a class that was not in training has none."""
        lesions = self._lesions(case)
        found: NDArray[np.float64] = np.zeros((len(lesions), len(self.facts.classes)))
        if lesions:
            means = np.array([mean_intensities(case, lesion) for lesion in lesions])
            found[:, model.values["known"]] = _probabilities(model.values, means)
        return {CLASSES: found}

    def conclude(
        self, answer: Mapping[str, NDArray[Any]], case: PreparedCase, wanted: Collection[str]
    ) -> Mapping[str, Any]:
        """Return the probabilities of a case as they are."""
        return {CLASSES: answer[CLASSES]}

    def _lesions(self, case: PreparedCase) -> tuple[Lesion, ...]:
        """Return what is classified of a case: its lesions, or the case as a whole where it has a label."""
        return (whole_image(case),) if self.facts.labelled else classified_lesions(case, self.facts.classes)


def mean_intensities(case: PreparedCase, lesion: Lesion) -> list[float]:
    """Return the mean of each channel within a lesion, or the mask where a case is classified as a whole."""
    image: NDArray[Any] = case.image()
    inside = case.labels() == lesion.lesion if case.has_truth else case.mask() > 0
    return [float(np.asarray(channel[inside], np.float32).mean()) for channel in image]


def _number(classes: tuple[str, ...], case: PreparedCase, lesion: Lesion) -> int:
    """Return the number of a lesion's class; raises HakkenError for one that the study does not have."""
    if lesion.lesion_class not in classes:
        known = ", ".join(classes)
        raise HakkenError(f"case {case.case_id}: has the label `{lesion.lesion_class}`; cohort.classes names {known}")
    return classes.index(lesion.lesion_class)


def _probabilities(values: Mapping[str, Any], means: NDArray[np.float64]) -> NDArray[np.float64]:
    standard = (means - np.array(values["centre"])) / np.array(values["spread"])
    scores = standard @ np.array(values["weights"]).T + np.array(values["offset"])
    if scores.shape[1] == 1:  # two classes have one score, that of the second
        scores = np.hstack([np.zeros_like(scores), scores])
    return np.asarray(softmax(scores, axis=1))
