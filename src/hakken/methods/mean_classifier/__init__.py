"""Method `mean_classifier`: of which class a lesion is, by its mean intensities alone.

What any network must beat: a linear classifier that knows nothing but the mean of each channel within the lesion.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section, Study

NEEDS = Needs(learns_from="lesions", gradient=False)
OUTCOMES = ("classes",)
AVERAGED = "the probability of each class"


class Parameters(Section):
    """What a search may vary."""

    penalty: float = Field(default=1.0, gt=0, le=1e6, description="Inverse strength of the quadratic penalty.")


class Inference(Section):
    """How the classifier is used on a case: there is nothing to set."""


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit: there must be classes to tell apart."""
    if len(study.cohort.classes) < 2:
        yield "the method `mean_classifier` does not fit cohort.classes: name two classes or more"
