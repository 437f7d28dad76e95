"""Read a study file: merge its scale, validate, and explain in the user's words what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

from pydantic import ValidationError

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.methods import Needs
from hakken.study.beside import lacking_baselines
from hakken.study.images import less_than_a_pixel
from hakken.study.model import OF_IMAGES, Study
from hakken.study.moved import PAGE, moved_keys
from hakken.study.plugged import without_effect
from hakken.study.search import Search
from hakken.study.section import NAME, Section
from hakken.study.yaml_text import load_yaml

SECTION, LIST = "must be a section of keys", "must be a list: [ ... ]"
NO_NAME = "is no name: use letters A to Z, digits and `_`, and begin with a letter or a digit"
PLAIN = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), SECTION),
    **dict.fromkeys(("tuple_type", "list_type"), LIST),
    "too_short": "must hold one entry at least",
    "string_type": "must be text; write it in quotes",
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
}
"""What people understand where the validator speaks of the types of a programming language."""
WRITTEN = (str, int, float, list, dict, type(None))
"""The types that a study file can hold."""
LONGEST = 80
"""So many letters of a value are shown."""


def load_study(path: Path, scale: str, method: str | None = None) -> Study:
    """Read a study file and return the study at ``scale``; ``method`` is taken where it names none yet.

    Raises HakkenError naming every unknown or invalid key (with the nearest valid one), or the scales that exist.
    """
    content = read_mapping(path)
    scales = scales_of(path)
    if scale not in scales:
        raise HakkenError(f"{path}: no scale `{scale}`; there are {', '.join(scales)}{nearest(scale, scales)}")
    content.pop("scales", None)
    if problems := list(_misnamed(path, content, scales)):
        raise HakkenError("\n".join(f"{path}: {problem}" for problem in problems))
    given = {"method": method} if method is not None else {}
    return parse_study(given | _merge(content, scales[scale]) | {"scale": scale}, source=str(path))


def _misnamed(path: Path, content: Mapping[str, Any], scales: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a study is named otherwise than its file, by which all else finds it."""
    name = content.get("name")
    if name is not None and name != path.stem:
        yield f"name is `{name}`, the file is {path.name}; make them the same"
    for scale, changes in scales.items():
        for key in ("name", "scale"):
            if key in changes:
                yield f"scales.{scale}.{key}: a scale cannot change this; remove it"


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file that maps keys to values; raises HakkenError where it cannot be read."""
    try:
        content = load_yaml(path)
    except FileNotFoundError:
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        there = f"there are {', '.join(known)}{nearest(path.stem, known)}" if known else "there is none"
        raise HakkenError(f"{path}: no such file; {there}") from None
    except OSError as error:
        raise HakkenError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not isinstance(content, dict):
        raise HakkenError(f"{path}: this file must be a mapping of keys to values")
    return content


def scales_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the scales of a study file by name, each with the keys that differ; `paper` alone where it names none."""
    scales = read_mapping(path).get("scales") or {"paper": {}}
    if not isinstance(scales, dict) or not all(isinstance(keys, dict | None) for keys in scales.values()):
        raise HakkenError(f"{path}: scales: must map the name of each scale to the keys that differ there")
    return {str(name): keys or {} for name, keys in scales.items()}


def parse_study(content: dict[str, Any], source: str = "study", written: Mapping[str, Any] | None = None) -> Study:
    """Validate a mapping as a study; raises HakkenError with one line for each wrong key.

    ``written`` is the part of it that somebody wrote for it, by default all: keys without effect are mistakes there
    alone.
    """
    study = read_study(content, source)
    if problems := list(misfits(study, content if written is None else written)):
        raise HakkenError("\n".join(f"{source}: {problem}" for problem in problems))
    return study


def read_study(content: dict[str, Any], source: str) -> Study:
    """Return a mapping as a study, or as the part of one; raises HakkenError with one line for each wrong key."""
    if moved := moved_keys(content):
        lines = [f"{source}: {key}: {reason}" for key, reason in moved.items()]
        raise HakkenError(
            "\n".join([*lines, f"{source}: a study of hakken 0.1; {PAGE} shows how to bring it up to date"])
        )
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        lines = _said(error, content, source)
        raise HakkenError("\n".join(lines if "method" in content else [*lines, _without_method(source)])) from None
    if study.method is None:
        raise HakkenError(_without_method(source))
    return study


def _without_method(source: str) -> str:
    return f"{source}: method: this key is missing; there are {', '.join(plugins.names('methods'))}"


def _said(error: ValidationError, content: dict[str, Any], source: str) -> list[str]:
    """Return a line for each wrong key."""
    lines: dict[str, str] = {}
    for problem in error.errors():
        location = _location(problem, content)
        key = ".".join(location) or "study"
        if any(other.startswith(f"{key}.") for other in lines):
            continue  # said of the whole because of one of its parts
        lines.setdefault(key, f"{source}: {key}: {_reason(problem, location, content)}")
    return list(lines.values())


def misfits(study: Study, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a whole study and with no single section of it.

    A stage is given the sections that it depends on, so that this is asked of whole studies alone. ``content`` is what
    its file holds: a key that has no effect is no mistake of one who did not write it.
    """
    module = plugins.load("methods", str(study.method))
    yield from _foreign_sections(study, module, content)
    yield from _without_effect(study, content)
    yield from _crossed(study)
    yield from _flattened(study)
    yield from _without_lungs(study)
    for kind, chosen in study.named().items():
        for name in chosen:
            try:
                plugins.module_name(kind, name)
            except HakkenError as error:
                yield f"{kind}: {error}"
    yield from getattr(module, "problems", lambda _: ())(study)
    for outcome in study.outcomes:
        yield from getattr(plugins.load("outcomes", outcome), "problems", lambda _: ())(study)
    yield from _drawn(study)
    yield from lacking_baselines(study.objective, study.cohort.kind, study.baselines, study.without_baseline)
    searched = study.search.space.get("patch_size")
    wanted = max(getattr(study.parameters, "patch_size", 0), int((searched and searched.high) or 0))
    if module.NEEDS.patches and wanted > study.patches.size_voxel:
        yield f"patch_size may reach {wanted}, above patches.size_voxel {study.patches.size_voxel}; raise the latter"


def _needs_of(method: str) -> Needs:
    """Return what another method of a study needs; nothing of one that there is not, which is said elsewhere."""
    found: Needs = plugins.load("methods", method).NEEDS if method in plugins.names("methods") else Needs()
    return found


def _drawn(study: Study) -> Iterator[str]:
    """Yield sets of variants that draw what their outcome does not measure, where it says beforehand what it does."""
    known = getattr(plugins.load("outcomes", study.objective), "row_names", lambda _: ())(study)
    for name, one in study.variants.items():
        levels = [overrides for each in (one.beside, *one.levels.values()) for overrides in each.values()]
        keys = {key for overrides in (one.common, *levels) for key in overrides}
        measured_alike = not any(key.startswith(("outcomes", "evaluation")) for key in keys)
        if known and measured_alike and one.drawn not in (None, *known):
            there = f"there are {', '.join(known)}{nearest(str(one.drawn), known)}"
            yield f"variants.{name}.drawn: `{one.drawn}` is no row of what {study.objective} measure; {there}"


def _foreign_sections(study: Study, module: ModuleType, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sections that this kind of cohort or method has no use for."""
    needs, kind = module.NEEDS, study.cohort.kind
    if kind not in needs.cases:
        yield f"cohort.kind is `{kind}`; the method `{study.method}` learns from {' or '.join(needs.cases)}"
        return
    if kind == "images" and not study.channels:
        yield "channels: this key is missing"
    absent = [] if kind == "images" else list(OF_IMAGES)
    absent += [] if needs.patches or any(_needs_of(method).patches for method in study.other_methods) else ["patches"]
    absent += [] if needs.gradient else ["training", "scaling"]
    for name in dict.fromkeys(absent):
        if name in content:
            yield f"{name}: has no effect on the method `{study.method}` and cases that are {kind}; remove it"
    if kind == "images" and len(study.targets) != needs.targets:
        said = f"{len(study.targets)} channels are" if len(study.targets) != 1 else f"channel `{study.targets[0]}` is"
        wanted = "predicts exactly one channel from the others" if needs.targets else "predicts no channel"
        yield f"{said} a `target`; the method `{study.method}` {wanted}"
    if study.optional and not needs.optional:
        yield (
            f"channels.{study.optional[0]}.optional: the method `{study.method}` needs every channel of every case; "
            "remove this key, and the cases that lack the channel"
        )
    if study.patches.jitter_voxel and not needs.maps:
        yield "`patches.jitter_voxel` is for methods that mark every voxel; elsewhere the centre is what counts"
    phantom = study.cohort.phantom
    if phantom is not None and (phantom.cases.train == 0) != (needs.learns_from == "nothing"):
        learns = "draws what it learns from; use 0" if phantom.cases.train else "learns from cases; use 1 or more"
        yield f"cohort.phantom.cases.train is {phantom.cases.train}; the method `{study.method}` {learns}"
    if kind == "none" and (study.crossed or ("evaluation" in content and study.evaluation.strata != ("scanner",))):
        yield "evaluation: a study without cases has no folds and no strata; remove it"
    if kind == "none" and study.training.validate_cases is not None:
        yield "training.validate_cases: a study without cases has none to choose from; remove it"


def _without_effect(study: Study, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys that other values of the same section leave without effect."""
    searched = study.search.space
    for key, section in _written_sections(study, content):
        inside = searched if key == "parameters" else {}
        given = [name for name in type(section).model_fields if name in section.model_fields_set or name in inside]
        for name, reason in without_effect(section, given, inside):
            where = (
                f"search.space.{name}" if name in inside and name not in section.model_fields_set else f"{key}.{name}"
            )
            yield f"{where}: {reason}"
    if (
        "search" in content
        and not searched
        and (given := [key for key in study.search.model_fields_set if key != "space"])
    ):
        keys = ", ".join(f"search.{key}" for key in Search.model_fields if key in given)
        yield f"{keys}: no effect without parameters to search; name some in search.space, or remove it"


def _crossed(study: Study) -> Iterator[str]:
    """Yield what has no validation cases to be measured on where every case is predicted by a model of other folds."""
    if not study.crossed:
        return
    for key, asked in (("search.comparison", study.search.comparison), ("scaling", study.scaling)):
        if asked is not None:
            yield (
                f"{key}: trains on all cases that are not of the test set, and with `evaluation.design: "
                "cross_validation` there are none; remove it, or copy the study to one with a holdout"
            )


def _flattened(study: Study) -> Iterator[str]:
    """Yield local normalisation over less than a pixel, which leaves nothing; with a matrix, pixels are not known."""
    widest = max(study.preparation.spacing_mm[:2])
    for name, channel in study.channels.items():
        if channel.local_mm is not None and study.preparation.matrix is None and channel.local_mm < widest:
            yield f"channels.{name}.local_mm {channel.local_mm:g}: {less_than_a_pixel(widest)}"


def _without_lungs(study: Study) -> Iterator[str]:
    """Yield that lungs are sought on an image of another modality than those on which they are found."""
    name = study.preparation.mask_channel or study.reference
    channel = study.channels.get(name)
    if study.preparation.mask == "lung" and channel is not None and channel.modality not in ("ct", "mr"):
        yield (
            f"preparation.mask is `lung`, which is found on CT or MR, and the channel {name} is of `modality: "
            f"{channel.modality}`; name another one in `preparation.mask_channel`, or another mask"
        )


def _written_sections(study: Study, content: Mapping[str, Any]) -> Iterator[tuple[str, Section]]:
    """Yield the sections that a file writes, or whose keys it searches, with the place where each stands."""
    for key in dict.fromkeys((*content, "parameters")):
        value = getattr(study, key, None)
        parts = {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
        for place, one in parts.items():
            if isinstance(one, Section):
                yield from _with_parts(place, one)


def _with_parts(place: str, section: Section) -> Iterator[tuple[str, Section]]:
    """Yield a section and those that are written within it, with the place where each stands."""
    yield place, section
    for name in type(section).model_fields:
        part = getattr(section, name)
        if name in section.model_fields_set and isinstance(part, Section):
            yield from _with_parts(f"{place}.{name}", part)


def _merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; a value that is no mapping replaces, and `null` removes the key."""
    merged = dict(base)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
            continue
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


def _reason(problem: Any, location: list[str], content: Any) -> str:
    """Say what is wrong with a key and, where it is misspelt, which valid key is nearest."""
    if problem["type"] == "extra_forbidden":
        return f"unknown key{nearest(location[-1], _known_keys(location[:-1], content))}"
    if problem["type"] == "missing":
        return "this key is missing"
    found = _found(problem["input"])
    if words := PLAIN.get(problem["type"]):
        return f"{words}{found}"
    if problem["type"] == "string_pattern_mismatch":
        pattern = problem["ctx"]["pattern"]
        words = NO_NAME if pattern == f"^{NAME}$" else f"must match {pattern}"
        return f"{words}{found}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        return f"{message[0].lower()}{message[1:]}{found}{nearest(str(problem['input']), known)}"
    value = "" if isinstance(problem["input"], dict | list) else found
    return f"{message[0].lower()}{message[1:]}{value}"


def _found(value: Any) -> str:
    """Say what stands there, if it is something that a file can hold, and shortly."""
    if not isinstance(value, WRITTEN):
        return ""
    shown = repr(value)
    return f" (found {shown if len(shown) <= LONGEST else shown[:LONGEST] + ' ...'})"


def _known_keys(location: list[str], content: Any) -> list[str]:
    """Return the keys of the section at ``location`` of a study file's ``content``."""
    section: Any = Study
    for place, part in enumerate(location):
        chosen = plugged_section(location[: place + 1], content)
        annotation = (
            section.model_fields[part].annotation if _is_section(section) and part in section.model_fields else section
        )
        section = chosen or next((kind for kind in (annotation, *_nested(annotation)) if _is_section(kind)), section)
    return list(section.model_fields)


def plugged_section(location: list[str], content: Any) -> type[Section] | None:
    """Return the model that a method, an outcome or a phantom has of the section at ``location``; None of any other.

    ``content`` is that of the whole study file, which names them.
    """
    with suppress(HakkenError, KeyError, TypeError):
        if location in (["parameters"], ["inference"]):
            found: type[Section] = getattr(plugins.load("methods", str(content["method"])), location[0].capitalize())
            return found
        if len(location) == 2 and location[0] == "outcomes":
            return cast("type[Section]", plugins.load("outcomes", location[1]).Settings)
        if location == ["cohort", "phantom"]:
            return cast("type[Section]", plugins.load("phantoms", content["cohort"]["phantom"]["generator"]).Options)
    return None


def _nested(annotation: Any) -> list[Any]:
    return [inner for argument in get_args(annotation) for inner in (argument, *_nested(argument))]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)
