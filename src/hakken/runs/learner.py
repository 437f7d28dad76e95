"""From a study to what learns it: the method with its parameters, and the facts that it must know."""

from __future__ import annotations

from typing import Any

from hakken import plugins
from hakken.study import Section, Study
from hakken.training.method import Facts, Fitted, Method


def learner_of(study: Study) -> Method | Fitted:
    """Return the method of a study with the study's parameters."""
    found: Method | Fitted = _class_of(str(study.method))(study.parameters, study.inference, Facts.of(study))
    return found


def require(method: str, parameters: Section) -> None:
    """Raise InvalidArchitecture where the parameters describe nothing that the method could train."""
    _class_of(method).require(parameters)


def _class_of(method: str) -> Any:
    return plugins.load("methods", method, "learn").Learner
