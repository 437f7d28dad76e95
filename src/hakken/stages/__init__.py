"""One module a rule: read files, call the packages that compute, write files, say what goes on."""

from __future__ import annotations

import functools
import inspect
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from pydantic import ConfigDict, validate_call

from hakken.core import console
from hakken.core.errors import HakkenError
from hakken.core.files import spelling_names, writing_somewhere
from hakken.stages.attempts import STARTED, counted

__all__ = ["Stage", "arguments", "began", "load", "run", "stage"]

OF_THE_ENGINE = ("stage", "caption")
OFFERED = ("threads", "code")
CHECK = "look whether this file or folder is there, and may be read and written"

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
    ``log`` names a file for its lines; what the stage has cost is written beside it, with the files that went in and
    came out. A HakkenError is shown as its message alone and ends the process with status 2, and so is what the system
    refuses of a file; the log holds the traceback of that.
    """
    validated = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(function)
    name = function.__name__.replace("_", " ")

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        given = kwargs.pop("log", None)
        log = Path(str(given)) if given else None
        label = str(kwargs.pop("label", name))
        files: Any = kwargs.pop("files_of_job", None)
        try:
            with console.console(label, log):
                try:
                    with writing_somewhere(), spelling_names(), counted(log, files):
                        return validated(*args, **kwargs)
                except HakkenError as error:
                    console.progress(f"error: {error}")
                    sys.exit(2)
                except OSError as error:
                    if error.filename is None or error.strerror is None:
                        raise
                    console.log(traceback.format_exc())
                    console.progress(f"error: {error.filename}: {error.strerror.lower()}; {CHECK}")
                    sys.exit(2)
        except HakkenError as error:  # the log itself cannot be opened
            sys.stderr.write(f"[{label}] error: {error}\n")
            sys.exit(2)

    return run


def run(job: Any) -> None:
    """Run the stage of a job, as the engine hands it to a script: its named files and parameters become arguments."""
    function = load(job.params.stage)
    files = {"inputs": sorted(set(map(str, job.input))), "outputs": sorted(set(map(str, job.output)))}
    given = arguments(function, job.input, job.output, job.params, job.threads)
    function(**given, log=job.log[0], files_of_job=files)


def load(name: str) -> Stage[..., Any]:
    """Return the stage of a rule: the function of the module of its name."""
    found: Stage[..., Any] = getattr(import_module(f"{__name__}.{name}"), name)
    return found


def arguments(function: Callable[..., Any], inputs: Any, outputs: Any, params: Any, threads: int) -> dict[str, Any]:
    """Return the keyword arguments of a stage from what a job holds by name.

    A name without files is left to its default. What the engine needs for itself (`OF_THE_ENGINE`) is none of the
    stage's; threads and the digest of the code are given to stages that ask for them.
    """
    known = inspect.signature(function).parameters
    given = {**dict(inputs.items()), **dict(outputs.items()), **dict(params.items()), "threads": threads}
    found = {}
    for key, value in given.items():
        asked = key in known
        if key in OF_THE_ENGINE or (key in OFFERED and not asked):
            continue
        nothing = value is None or (isinstance(value, list) and not value)
        if not (nothing and asked and known[key].default is not inspect.Parameter.empty):
            found[key] = value
    return found


def began() -> float:
    """Return when this process came here, in seconds since 1970: the beginning of its job, but for a few seconds."""
    return time.time() - (time.monotonic() - STARTED)
