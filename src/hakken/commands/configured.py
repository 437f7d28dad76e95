"""Which study a command means: the one that is named, or those of config/config.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.study import Study


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Add `--study` and `--scale`."""
    parser.add_argument("--study", metavar="NAME", help="a study of config/studies (default: those of config.yaml)")
    parser.add_argument("--scale", metavar="SCALE", help="its scale (default: that of config.yaml, else the first)")


def read_config() -> dict[str, Any]:
    """Return config/config.yaml; raises HakkenError where the working folder is not the project's."""
    from hakken.runs.configured import CONFIG, check_config
    from hakken.study.reading import read_mapping

    if not CONFIG.is_file():
        raise HakkenError(f"{CONFIG}: no such file; run this command in the project's folder")
    content = read_mapping(CONFIG)
    check_config(content)
    return content


def study_path(name: str) -> Path:
    """Return the file of a study; raises HakkenError where the working folder is not the project's."""
    from hakken.runs.configured import STUDIES

    if not STUDIES.is_dir():
        raise HakkenError(f"{STUDIES}: no such folder; run this command in the project's folder")
    return STUDIES / f"{name}.yaml"


def chosen_studies(options: argparse.Namespace) -> list[Study]:
    """Return the studies that the options name; raises HakkenError for an unknown study or scale."""
    from hakken.runs.configured import STUDIES, named_studies
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
