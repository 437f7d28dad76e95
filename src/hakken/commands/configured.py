"""Which study a command means: the one that is named, or those of config/config.yaml."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.study import Study

CONFIG = Path("config/config.yaml")
STUDIES = Path("config/studies")


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Add `--study` and `--scale`."""
    parser.add_argument("--study", metavar="NAME", help="a study of config/studies (default: those of config.yaml)")
    parser.add_argument("--scale", metavar="SCALE", help="its scale (default: that of config.yaml, else the first)")


def read_config() -> dict[str, Any]:
    """Return config/config.yaml; raises HakkenError where the working folder is not the project's."""
    if not CONFIG.is_file():
        raise HakkenError(f"{CONFIG}: no such file; run this command in the project's folder")
    from hakken.study.reading import read_mapping

    content = read_mapping(CONFIG)
    check_config(content)
    return content


def check_config(content: Mapping[str, Any]) -> None:
    """Raise HakkenError where the configuration names no study, or a study without its scale, or no size of a job."""
    if ("study" in content) != ("scale" in content):
        raise HakkenError("--config takes the study and its scale together: --config study=NAME scale=SCALE")
    studies = content.get("studies")
    sound = isinstance(studies, dict) and all(isinstance(scale, str | None) for scale in studies.values())
    if not sound or not named_studies(content):
        raise HakkenError(f"{CONFIG}: `studies` must name at least one study and its scale, as `name: scale`")
    cases = content.get("cases_per_job")
    if type(cases) is not int or cases < 1:
        raise HakkenError(f"{CONFIG}: `cases_per_job` must be a number of cases, 1 or more")


def cases_of_a_job(content: Mapping[str, Any], of_site: int | str | None) -> int:
    """Return how many cases a job handles: what the profile of a site says, else what the configuration says.

    Raises HakkenError where the profile says something else than a number of cases.
    """
    if of_site is None:
        return int(content["cases_per_job"])
    if type(of_site) is not int or of_site < 1:
        raise HakkenError(
            f"the profile's `default-resources`: `cases_per_job` is {of_site!r}, not a number of cases, 1 or more"
        )
    return of_site


def named_studies(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the studies of a configuration with their scales; one whose scale is null is left out.

    A second configuration file can thus take away a study that the first one names.
    """
    return {name: scale for name, scale in content["studies"].items() if scale is not None}


def study_path(name: str) -> Path:
    """Return the file of a study; raises HakkenError where the working folder is not the project's."""
    if not STUDIES.is_dir():
        raise HakkenError(f"{STUDIES}: no such folder; run this command in the project's folder")
    return STUDIES / f"{name}.yaml"


def chosen_studies(options: argparse.Namespace) -> list[Study]:
    """Return the studies that the options name; raises HakkenError for an unknown study or scale."""
    from hakken.study.reading import load_study

    configured = named_studies(read_config())
    if options.study is None:
        return [load_study(STUDIES / f"{name}.yaml", options.scale or scale) for name, scale in configured.items()]
    path = STUDIES / f"{options.study}.yaml"
    return [load_study(path, options.scale or configured.get(options.study) or first_scale(path))]


def first_scale(path: Path) -> str:
    """Return the first scale of a study file (`paper` where it names none, or where there is no such file)."""
    from hakken.study.reading import scales_of

    return next(iter(scales_of(path))) if path.is_file() else "paper"
