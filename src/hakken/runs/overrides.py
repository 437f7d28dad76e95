"""A variant of a study: the same study with other values of some of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.runs.required import needs_of
from hakken.study import Study
from hakken.study.reading import parse_study, read_study

OF_METHOD = ("parameters", "inference", "outcomes", "search")
"""Sections that mean something for one method alone; another method takes its own defaults."""

SHARED = ("patches",)
"""Sections that may stand in a study for some of its variants alone."""

VARIED = ("method", "parameters", "inference", "training")
"""Sections that a variant may change: those of the training and not of the cases, which all variants share."""


def overridden(study: Study, overrides: Mapping[str, Any], name: str, whole: bool = False) -> Study:
    """Return the study with the values of ``overrides``, whose keys are dotted; ``name`` is that of the variant.

    With another `method` its own sections begin at their defaults. Where the study is ``whole``, and not the part of
    one that a stage is given, it is asked whether all of it fits together. Raises HakkenError naming the variant and
    the key that does not exist, may not be changed or has a wrong value.
    """
    if not overrides:
        return study
    source = f"study `{study.name}`, variant `{name}`"
    content = study.model_dump(mode="json", exclude_defaults=True)
    other = overrides.get("method", study.method) != study.method
    if other:
        content = {key: value for key, value in content.items() if key not in OF_METHOD}
        content["outcomes"] = {study.objective: study.outcomes[study.objective].model_dump(mode="json")}
    for key, value in overrides.items():
        _require_varied(key, source)
        if isinstance(value, Mapping) and "." not in key and key in content:
            first = next(iter(value), "key")
            raise HakkenError(
                f"{source}: {key}: would reset all other keys of the section; write each key by itself, as "
                f"`{key}.{first}`"
            )
        _set(content, key, value)
    content.pop("variants", None)
    mine = {key.partition(".")[0] for key in overrides}
    written = {key: value for key, value in content.items() if key in mine or not (other or key in SHARED)}
    try:
        found = read_study(content, source)
        if whole:
            _require_whole(found, written, source)
    except HakkenError as error:
        raise HakkenError(f"{error}\ncorrect the variant's keys in `variants`") from None
    _require_same_patches(study, found, source)
    return found


def _require_whole(variant: Study, written: Mapping[str, Any], source: str) -> None:
    """Raise HakkenError where a variant does not fit together, of whose sections these were ``written`` for it.

    It is trained as it stands, so the search of the study says nothing of it. A key that is written at its default is
    no mistake: that is how to switch off what the study has there.
    """
    left = variant.model_dump(mode="json", exclude_defaults=True)
    alone = {key: value for key, value in left.items() if key != "search"}
    parse_study(alone, source, {key: value for key, value in alone.items() if key in written})


def _require_varied(key: str, source: str) -> None:
    section = key.partition(".")[0]
    if section not in VARIED:
        raise HakkenError(
            f"{source}: {key}: a variant changes {', '.join(VARIED[:-1])} or {VARIED[-1]}, for all variants share the "
            f"prepared cases{nearest(section, VARIED)}; copy the study to change anything else"
        )


def _require_same_patches(study: Study, variant: Study, source: str) -> None:
    """Two methods that learn from stored patches must want the same patches: there is one store for all variants."""
    own, other = needs_of(study), needs_of(variant)
    if own.patches and other.patches and (own.maps, own.learns_from) != (other.maps, other.learns_from):
        raise HakkenError(
            f"{source}: the method `{variant.method}` learns from other patches than `{study.method}`; copy the study "
            "to a new name and give it that method there"
        )


def _set(content: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    place = content
    for section in sections:
        inner = place.get(section)
        place[section] = dict(inner) if isinstance(inner, dict) else {}
        place = place[section]
    place[last] = value
