"""The part of a study that says how its results are measured, whatever they are."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hakken.study.section import Distinct, Name, Section, only_with

WITHOUT = "_without_"
RESERVED = ("train", "validation", "test")


class LeaveOut(Section):
    """Kinds of cases, each of which is once what no model has seen: the values of a column of the case table."""

    column: Name = Field(description="The column that says of each case of which kind it is, such as `lesion_type`.")
    values: Distinct[Name] = Field(
        min_length=2, description="All kinds that there are: one model without each, trained and chosen on the others."
    )
    chooses: float = Field(
        default=0.3,
        gt=0,
        lt=1,
        description="Share of the patients of a kind on whom models are chosen, each of those that do without another "
        "kind on its own part of them; it trains on all the others.",
    )

    @field_validator("values")
    @classmethod
    def _names_of_parts(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if value in RESERVED or WITHOUT in value:
                raise ValueError(f"`{value}` is what a part of the cohort is called; name this kind otherwise")
        return values


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
    leave_out: LeaveOut | None = Field(
        default=None,
        description="Instead of folds: each kind of cases is predicted by a model that has seen cases of the other "
        "kinds alone.",
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

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.leave_out is not None and self.folds != type(self).model_fields["folds"].default:
            raise ValueError("`folds` has no effect with `leave_out`, which makes a model for each kind; remove it")
        return self

    @property
    def models(self) -> int:
        """How many models there are of each run where every case is predicted by a model that has not seen it."""
        return self.folds if self.leave_out is None else len(self.leave_out.values)

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that the study names itself, so that it is told where there is no such column."""
        return self.strata if "strata" in self.model_fields_set else ()
