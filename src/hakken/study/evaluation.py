"""The part of a study that says how its results are measured, whatever they are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hakken.study.section import Distinct, Name, Section, only_with


class Evaluation(Section):
    """What is opened when, what is maximised, and how intervals are drawn."""

    design: Literal["holdout", "cross_validation"] = Field(
        default="holdout",
        description="`holdout`: one sealed test set. `cross_validation`, for small cohorts: the plan is frozen, then "
        "each fold is predicted by a model that was searched, trained and chosen without it; one opening covers all "
        "folds.",
    )
    folds: int = Field(
        default=5,
        ge=3,
        le=50,
        description="Folds, by patient: of each model one is the test set, the next one chooses, the others train.",
        json_schema_extra=only_with(design="cross_validation"),
    )
    objective: Name | None = Field(
        default=None,
        description="The outcome whose number a training maximises on validation; the first of `outcomes` by default.",
    )
    bootstrap: int = Field(default=1000, ge=100, le=100_000, description="Resamples of the patients.")
    accept_outside: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Which share of the lesions of training and of validation may lie outside of the region of "
        "interest before the run stops; a lesion is outside where no voxel of it lies in the mask. On test they are "
        "told.",
    )
    strata: Distinct[Name] = Field(default=("scanner",), description="Columns of the case table to stratify by.")

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that the study names itself, so that it is told where there is no such column."""
        return self.strata if "strata" in self.model_fields_set else ()
