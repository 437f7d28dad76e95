"""Read a study file: merge its scale, validate, and explain in the user's words what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from hakken.errors import HakkenError
from hakken.names import nearest
from hakken.study import Section, Study
from hakken.study_tasks import NETWORKS, OF_CASES, OF_EXPECTATION


def load_study(path: Path, scale: str) -> Study:
    """Read a study file and return the study at ``scale``.

    Raises HakkenError naming every unknown or invalid key (with the nearest valid one), or the scales that exist.
    """
    content = read_mapping(path)
    scales = scales_of(path)
    if scale not in scales:
        raise HakkenError(f"{path}: no scale `{scale}`; there are {', '.join(scales)}{nearest(scale, scales)}")
    content.pop("scales", None)
    return parse_study(_merge(content, scales[scale]) | {"scale": scale}, source=str(path))


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file that maps keys to values; raises HakkenError where it cannot be read."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        there = f"there are {', '.join(known)}{nearest(path.stem, known)}" if known else "there is none"
        raise HakkenError(f"{path}: no such file; {there}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HakkenError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise HakkenError(f"{path}: this file must be a mapping of keys to values")
    return content


def scales_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the scales of a study file by name, each with the keys that differ; `paper` alone where it names none."""
    scales = read_mapping(path).get("scales") or {"paper": {}}
    if not isinstance(scales, dict) or not all(isinstance(keys, dict | None) for keys in scales.values()):
        raise HakkenError(f"{path}: scales: must map the name of each scale to the keys that differ there")
    return {str(name): keys or {} for name, keys in scales.items()}


def parse_study(content: dict[str, Any], source: str = "study") -> Study:
    """Validate a mapping as a study; raises HakkenError with one line for each wrong key."""
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        lines: dict[str, str] = {}
        for problem in error.errors():
            location = _location(problem, content)
            key = ".".join(location) or "study"
            if any(other.startswith(f"{key}.") for other in lines):
                continue  # said of the whole because of one of its parts
            lines.setdefault(key, f"{source}: {key}: {_reason(problem, location)}")
        raise HakkenError("\n".join(lines.values())) from None
    _check_sections_fit(study, source)
    return study


def _check_sections_fit(study: Study, source: str) -> None:
    """What spans sections is checked on whole studies alone: a stage is given the sections that it depends on."""
    if study.training.network not in NETWORKS[study.task]:
        raise HakkenError(
            f"{source}: training.network `{study.training.network}` does not fit task `{study.task}`; "
            f"use {' or '.join(f'`{name}`' for name in NETWORKS[study.task])}"
        )
    _check_targets(study, source)
    _check_figures(study, source)
    if study.task == "classification":
        _check_classes(study, source)
    searched = study.search.space.get("patch_size")
    largest = max(study.parameters.patch_size, int((searched and searched.high) or 0))
    if largest > study.patches.size_voxel:
        raise HakkenError(
            f"{source}: patch_size may reach {largest}, above patches.size_voxel {study.patches.size_voxel}; "
            f"raise the latter"
        )


def _check_targets(study: Study, source: str) -> None:
    """A network that predicts a channel needs one to predict; its scores are z, those of the others probabilities."""
    targets = [name for name in study.channels if name not in study.inputs]
    if study.expects != bool(targets) or len(targets) > 1:
        said = f"{len(targets)} channels are" if len(targets) != 1 else f"channel `{targets[0]}` is"
        raise HakkenError(
            f"{source}: {said} a `target`, and training.network is `{study.training.network}`; "
            "`expectation_unet` predicts exactly one channel from the others, the other networks none"
        )
    if not study.expects and study.inference.threshold >= 1:
        raise HakkenError(
            f"{source}: inference.threshold {study.inference.threshold:g} is no probability; give a number below 1"
        )


def _check_figures(study: Study, source: str) -> None:
    """Figures need numbers that only some networks and objectives give."""
    for figure in study.figures:
        if figure in OF_EXPECTATION and not study.expects:
            raise HakkenError(f"{source}: the figure `{figure}` needs training.network `expectation_unet`; remove it")
        if figure in OF_CASES and not study.of_cases:
            raise HakkenError(f"{source}: the figure `{figure}` needs `evaluation.objective: roc`; remove it")


def _check_classes(study: Study, source: str) -> None:
    """A classifier needs classes, lesions that have one, and a composite of three channels."""
    remedies = {
        "cohort.classes: name two classes or more": len(study.cohort.classes) > 1,
        "cohort.truth: use `lesion_table`, whose column `class` says of which class a lesion is": study.cohort.truth
        == "lesion_table",
        "patches.axes: use 2, for crops are axial slices": study.patches.axes == 2,
        f"channels: give three for red, green and blue, not {len(study.inputs)}": len(study.inputs) == 3,
    }
    for remedy, kept in remedies.items():
        if not kept:
            raise HakkenError(f"{source}: task `classification` does not fit {remedy}")


def _merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; a value that is no mapping replaces."""
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _location(problem: Any, content: Any) -> list[str]:
    """Return the keys that lead to a problem, without what the validator adds about the types that it tried."""
    location: list[str] = []
    for part in problem["loc"]:
        known = range(len(content)) if isinstance(content, list) else content if isinstance(content, dict) else ()
        if part not in known:
            break
        location.append(str(part))
        content = content[part]
    return [*location, str(problem["loc"][-1])] if problem["type"] == "missing" else location


def _reason(problem: Any, location: list[str]) -> str:
    """Say what is wrong with a key and, where it is misspelt, which valid key is nearest."""
    if problem["type"] == "extra_forbidden":
        return f"unknown key{nearest(location[-1], _known_keys(location[:-1]))}"
    if problem["type"] == "missing":
        return "this key is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        return f"{message[0].lower()}{message[1:]} (found {problem['input']!r}){nearest(str(problem['input']), known)}"
    value = "" if isinstance(problem["input"], dict | list) else f" (found {problem['input']!r})"
    return f"{message[0].lower()}{message[1:]}{value}"


def _known_keys(location: list[str]) -> list[str]:
    """Return the keys of the section at ``location``."""
    section: Any = Study
    for part in location:
        annotation = (
            section.model_fields[part].annotation if _is_section(section) and part in section.model_fields else section
        )
        section = next((kind for kind in (annotation, *_nested(annotation)) if _is_section(kind)), section)
    return list(section.model_fields)


def _nested(annotation: Any) -> list[Any]:
    return [inner for argument in get_args(annotation) for inner in (argument, *_nested(argument))]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


IDENTITY = ("name", "title", "scale", "data", "seed", "task")


def study_slice(study: Study, sections: tuple[str, ...]) -> dict[str, Any]:
    """Return the study as plain values, with only the named sections; the others take their defaults when read back.

    A section may be one key of a section (`search.space`). The name, seed and task of the study are always there.
    """
    full = study.model_dump(mode="json")
    chosen: dict[str, Any] = {}
    for section in (*IDENTITY, "cohort", "channels", "reference", *sections):
        head, _, key = section.partition(".")
        if not key:
            chosen[head] = full[head]
        elif isinstance(chosen.setdefault(head, {}), dict):
            chosen[head][key] = full[head][key]
    return chosen
