"""One module a rule: read files, call the rooms that compute, write files, say what goes on."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from pydantic import ConfigDict, validate_call

from hakken import console
from hakken.errors import HakkenError
from hakken.files import writing_somewhere
from hakken.stages.attempts import STARTED, counted

__all__ = ["Stage", "began", "stage"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Stage(Protocol[P, R_co]):
    """A stage as callers see it: the function's own arguments, and where its log goes."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the stage."""
        ...


def stage(function: Callable[P, R]) -> Stage[P, R]:
    """Make a function a stage.

    Arguments may be plain values (strings, mappings); they are validated into the annotated types. The extra keyword
    ``log`` names a file for its lines; what the stage has cost is written beside it. A HakkenError is shown as its
    message alone and ends the process with status 2.
    """
    validated = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(function)
    name = function.__name__.replace("_", " ")

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        given = kwargs.pop("log", None)
        log = Path(str(given)) if given else None
        label = str(kwargs.pop("label", name))
        try:
            with console.console(label, log):
                try:
                    with writing_somewhere(), counted(log):
                        return validated(*args, **kwargs)
                except HakkenError as error:
                    console.progress(f"error: {error}")
                    sys.exit(2)
        except HakkenError as error:  # the log itself cannot be opened
            sys.stderr.write(f"[{label}] error: {error}\n")
            sys.exit(2)

    return run


def began() -> float:
    """Return when this process came here, in seconds since 1970: the beginning of its job, but for a few seconds."""
    return time.time() - (time.monotonic() - STARTED)
