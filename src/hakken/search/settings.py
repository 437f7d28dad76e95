"""All that the proposals of a sweep depend on beside its trials, as one value that a JSON file can hold."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hakken.search.proposer import propose
from hakken.search.rungs import Rungs
from hakken.search.space import Space
from hakken.search.trial import Trial, Value

PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-optimize", "optuna")


@dataclass(frozen=True)
class Settings:
    """What a sweep searches and how; all fields hold plain values that JSON knows.

    ``space`` is the mapping of a study file, ``first`` are points to try before anything else, in this order, ``prior``
    the finished trials of a related study, as points of this space. ``defaults`` are the values of hyper-parameters
    that are not searched; with the name of the ``method`` they decide whether a proposal describes a network.
    ``rungs`` is empty where trainings do not pause; else it holds the `shares` of a training at which they do, and the
    parameters that are `unpaused`.
    """

    space: Mapping[str, Any]
    seed: int
    sampler: str = "bayesian"
    startup: int = 3
    maximise: bool = True
    first: tuple[Mapping[str, Value], ...] = ()
    prior: tuple[Trial, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    method: str = "patch_classifier"
    rungs: Mapping[str, Any] = field(default_factory=dict)

    def propose(self, trials: Iterable[Trial], number: int) -> dict[str, Value]:
        """Return the parameters of trial ``number`` given all other ``trials``, finished and pending.

        Where nothing is searched they are those of the first point. Raises HakkenError as `hakken.search.propose`.
        """
        if not self.space and self.first:
            return dict(self.first[0])
        return propose(
            Space.from_mapping(self.space),
            trials,
            number=number,
            seed=self.seed,
            maximise=self.maximise,
            sampler=self.sampler,
            startup=self.startup,
            first=self.first,
            prior=self.prior,
        )

    @property
    def stops(self) -> Rungs | None:
        """Where trainings pause; None where they do not."""
        return Rungs.of(self.rungs["shares"], self.rungs.get("unpaused")) if self.rungs else None

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON keeps them; raises TypeError or ValueError for what JSON does not know."""
        known = {key: value for key, value in vars(self).items() if key != "rungs" or value}
        content: dict[str, Any] = json.loads(json.dumps(known, default=_trial_fields, allow_nan=False))
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Settings:
        """Return the settings that `to_json` wrote."""
        prior = tuple(Trial(**trial) for trial in content["prior"])
        return cls(**{**content, "first": tuple(content["first"]), "prior": prior})


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that compute proposals."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _trial_fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, Trial):
        raise TypeError(f"{value!r} is no plain value; settings of a sweep are kept as JSON")
    return {"number": value.number, "parameters": dict(value.parameters), "state": value.state, "value": value.value}
