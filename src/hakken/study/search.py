"""The part of a study that says what is searched, and how."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from hakken.core.names import nearest
from hakken.study.section import Distinct, Name, Section, Value

Sampler = Literal["bayesian", "skopt", "random", "sobol", "optuna-tpe", "optuna-gp"]
Slots = Annotated[int, Field(ge=1, le=1024)]
SHARE = re.compile(r"[1-9]\d*/[1-9]\d*")
AS_IN = "write rising shares of a training, as in [1/9, 1/3]"


class Parameter(Section):
    """One dimension of the search space."""

    type: Literal["real", "integer", "categorical"] = Field(description="Kind of the parameter.")
    low: float | None = Field(default=None, description="Lowest value (`real`, `integer`).")
    high: float | None = Field(default=None, description="Highest value (`real`, `integer`).")
    scale: Literal["linear", "log"] = Field(default="linear", description="Scale on which it is searched.")
    choices: tuple[Value, ...] | None = Field(default=None, description="The values (`categorical`).")
    when: dict[str, Value | tuple[Value, ...]] = Field(
        default={}, description="Active only where the named parameters have this value, or one of these values."
    )
    provenance: Literal["publication", "reconstruction"] = Field(
        default="reconstruction", description="Whether the publication names this range or it is our reconstruction."
    )

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.type == "categorical":
            if not self.choices or self.low is not None or self.high is not None:
                raise ValueError("a categorical parameter needs `choices` and no bounds")
            if len(set(self.choices)) < len(self.choices):
                raise ValueError("a choice stands twice in `choices`")
        elif self.low is None or self.high is None or self.choices is not None:
            raise ValueError(f"a parameter of type {self.type} needs `low` and `high` and no `choices`")
        elif self.low > self.high:
            raise ValueError(f"`low` {self.low:g} is above `high` {self.high:g}")
        elif self.type == "integer" and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("an integer parameter needs whole numbers for `low` and `high`")
        elif self.scale == "log" and self.low <= 0:
            raise ValueError("`scale: log` needs `low` above 0")
        elif not math.isfinite(self.high - self.low):
            raise ValueError(f"{self.low:g} to {self.high:g} is wider than a number can say")
        return self


class WarmStart(Section):
    """A related study whose finished search this one begins with: small data first, then large."""

    study: Name = Field(description="The related study; what its search found stands in its `trials.csv`.")
    scale: Name | None = Field(default=None, description="Its scale (default: the scale of this study).")
    mode: Literal["first", "prior"] = Field(
        default="first",
        description="`first`: its best parameters are tried first; `prior`: all its trials guide the proposals. Both "
        "are fitted into the space of this study.",
    )
    top: int = Field(default=3, ge=1, le=1000, description="How many of its best are tried (`mode: first`).")


class Comparison(Section):
    """Further sweeps that compare N trainings at once, and random search; only the target `comparison` makes them."""

    slots: Distinct[Slots] = Field(
        default=(1, 2, 4, 8), min_length=1, description="Trainings at once (N), one sweep for each and each repeat."
    )
    repeats: int = Field(default=3, ge=1, le=100, description="Sweeps for each N, and sweeps of random search.")
    trials: int = Field(default=50, ge=1, le=100_000, description="Trainings in each of these sweeps.")


class Search(Section):
    """The sweep: how many trainings, how many at once, over which parameters, for which objective."""

    trials: int = Field(default=50, ge=1, le=100_000, description="Trainings in the sweep.")
    slots: Slots = Field(default=8, description="Trainings at once (N).")
    startup: int = Field(default=3, ge=1, description="Space-filling parameters until so many trials have finished.")
    sampler: Sampler = Field(
        default="bayesian",
        description="Who proposes: `bayesian` is our own; `skopt`, `optuna-tpe` and `optuna-gp` are those of "
        "scikit-optimize and Optuna; `random` and `sobol` ignore the results.",
    )
    default_first: bool = Field(
        default=True,
        description="The study's own `parameters` are the first trial, where they are a point of the space: the search "
        "then ends no worse than the untuned default on validation.",
    )
    stop_after_failures: int = Field(
        default=10, ge=1, le=100_000, description="Stop the sweep when so many trials in a row have failed."
    )
    stopping: Literal["none", "median"] = Field(
        default="none",
        description="`median`: a training whose best objective so far is below the median of the others' running "
        "averages up to that step stops early (Golovin et al. 2017).",
    )
    rungs: tuple[str, ...] = Field(
        default=(),
        max_length=4,
        exclude_if=lambda rungs: not rungs,  # so that models and studies on file are what they were without
        description="Shares of a training at which it pauses, `[1/9, 1/3]`, each a multiple of the lowest: a job then "
        "spends the steps of one full training on several, of which the best third at each rung go on. `trials` stays "
        "the budget in full trainings. `[]`: none.",
    )
    confirm: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="So many of the best trials of the finished sweep are trained twice more, with other seeds, and "
        "the choice goes by the mean over all three: the best of many on few lesions is luck for the most part. "
        "0: none.",
    )
    ensemble: int = Field(
        default=1,
        ge=1,
        le=20,
        description="The averages of the best two trials, three, and up to so many are tried on validation, and the "
        "best of them is taken where it is above the best trial. 1: none.",
    )
    warm_start: WarmStart | None = Field(default=None, description="Begin with what a related study has found.")
    comparison: Comparison | None = Field(default=None, description="Sweeps that compare numbers of slots.")
    space: dict[str, Parameter] = Field(
        default={}, description="The searched parameters; the names are those of `parameters`."
    )

    @model_validator(mode="after")
    def _has_trials_to_choose_from(self) -> Self:
        for key, count in (("confirm", self.confirm), ("ensemble", self.ensemble)):
            if count > self.trials:
                raise ValueError(f"`{key}` is {count}, but the sweep has {self.trials} trials; lower it")
        return self

    @field_validator("rungs", mode="before")
    @classmethod
    def _shares(cls, rungs: Any) -> Any:
        if not isinstance(rungs, list | tuple):
            return rungs
        for rung in rungs:
            if not (isinstance(rung, str) and SHARE.fullmatch(rung)) or Fraction(rung) >= 1:
                raise ValueError(f"`{rung}` is no share of a training; {AS_IN}")
        shares = [Fraction(rung) for rung in rungs]
        if shares != sorted(set(shares)):
            raise ValueError(f"{', '.join(rungs)} do not rise; {AS_IN}")
        for share in (*shares[1:], Fraction(1)) if shares else ():
            if (share / shares[0]).denominator != 1:
                what = "the whole training" if share == 1 else str(share)
                raise ValueError(
                    f"{what} is no multiple of the lowest rung, {shares[0]}, so that a job could not spend its budget "
                    "exactly; choose shares such as [1/9, 1/3] or [1/4, 1/2]"
                )
        return tuple(map(str, shares))

    @model_validator(mode="after")
    def _ends_early_in_one_way(self) -> Self:
        if self.rungs and self.trials < 2:
            raise ValueError("`rungs` share the steps of several jobs, but `trials` is 1; raise it, or remove `rungs`")
        if self.rungs and self.stopping != "none":
            raise ValueError(
                f"`stopping: {self.stopping}` and `rungs` exclude each other: what the rule ends could not be "
                "promoted; remove one of them"
            )
        return self

    @field_validator("space")
    @classmethod
    def _possible(cls, space: dict[str, Parameter]) -> dict[str, Parameter]:
        for name, parameter in space.items():
            for parent in parameter.when:
                if parent not in space:
                    raise ValueError(f"`{name}` depends on `{parent}`, which is not searched{nearest(parent, space)}")
        for name in space:
            _check_conditions(name, space, ())
        return space


def check_space(space: dict[str, Parameter], known: type[Section], method: str) -> None:
    """Raise ValueError where the space of a ``method`` holds a name or a value that its parameters cannot have."""
    for name, parameter in space.items():
        if name not in known.model_fields:
            raise ValueError(f"the method `{method}` has no parameter `{name}`{nearest(name, known.model_fields)}")
        for value in _some_values(parameter):
            try:
                known.model_validate({name: value})
            except ValidationError as error:
                message = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"`{name}` = {value}: {message[0].lower()}{message[1:]}") from None


def _some_values(parameter: Parameter) -> tuple[Value, ...]:
    """Return the choices, or both ends of the range (of integers also the second: not every kernel size is one)."""
    if parameter.choices is not None:
        return parameter.choices
    low, high = parameter.low or 0.0, parameter.high or 0.0
    return (int(low), int(min(low + 1, high)), int(high)) if parameter.type == "integer" else (low, high)


def _check_conditions(name: str, space: dict[str, Parameter], below: tuple[str, ...]) -> None:
    """Conditions must not lead back to the parameter itself, and must be possible."""
    if name in below:
        raise ValueError(f"the conditions (`when`) of {', '.join(below)} go round in a circle")
    for parent, wanted in space[name].when.items():
        _check_conditions(parent, space, (*below, name))
        if space[parent].type == "real":
            raise ValueError(
                f"`{name}` depends on `{parent}`, a real number; only integers and choices can be conditions"
            )
        for value in wanted if isinstance(wanted, tuple) else (wanted,):
            if not _can_be(value, space[parent]):
                raise ValueError(f"`{name}` depends on `{parent}` = {value}, which `{parent}` cannot be")


def _can_be(value: Value, parameter: Parameter) -> bool:
    """Whether a searched integer or choice can have this value."""
    if parameter.choices is not None:
        return value in parameter.choices
    return not isinstance(value, str) and (parameter.low or 0.0) <= value <= (parameter.high or 0.0)
