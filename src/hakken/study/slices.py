"""The part of a study that a stage depends on, as plain values: only what differs from the defaults.

A key that a newer version adds, or that a user writes out although it is the default, thus changes nothing. Of a
section whose defaults have changed since the first version, the version stands beside the values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hakken.study.model import Study
from hakken.study.section import Section

IDENTITY = ("name", "scale", "seed")
OF_EVALUATION = ("evaluation.design", "evaluation.folds", "evaluation.leave_out")
COHORT = ("cohort", "channels", "scalars", "body_regions", "reference", *OF_EVALUATION)
VERSIONS = "versions"
APART = {"cohort": ("accept", "columns", "openings", "reuse_opened", "distinct")}
"""Keys of sections that count only where a stage asks for them by name: they let a run go on, and change no result."""
EVERYTHING = tuple(key for key in Study.model_fields if key not in (*IDENTITY, *COHORT))
"""All sections beside those that always count."""


def study_slice(study: Study, sections: tuple[str, ...]) -> dict[str, Any]:
    """Return name, scale and seed of a study with the named ``sections``; the others take their defaults when read.

    A section may be one key of a section (`search.space`). With `parameters`, `inference` or `outcomes` comes the
    method that says what they are. `Study.model_validate` reads what is returned, without the key `versions`.
    """
    full = study.model_dump(mode="json", exclude_defaults=True)
    chosen: dict[str, Any] = {key: full[key] for key in IDENTITY if key in full}
    if {section.partition(".")[0] for section in sections} & {"parameters", "inference", "outcomes"}:
        sections = ("method", *sections)
    for section in (*COHORT, *sections):
        head, _, key = section.partition(".")
        if head not in full:
            continue
        if not key:
            chosen[head] = _counting(head, full[head])
        elif key in full[head]:
            chosen.setdefault(head, {})[key] = full[head][key]
    if versions := dict(_versions(study, {section.partition(".")[0] for section in (*COHORT, *sections)})):
        chosen[VERSIONS] = versions
    return chosen


def _counting(section: str, values: Any) -> Any:
    """Return the keys of a section that results depend on."""
    apart = APART.get(section, ())
    return {key: value for key, value in values.items() if key not in apart} if apart else values


def _versions(study: Study, sections: set[str]) -> Iterator[tuple[str, int]]:
    """Yield the versions of the sections whose defaults have changed."""
    for name in sorted(sections):
        for inner in _sections(getattr(study, name)):
            if (version := _version(type(inner))) > 1:
                yield f"{name}.{type(inner).__name__}", version


def _version(section: type[Section]) -> int:
    """Return the version of a section: 1, and 1 more for each change of its defaults or of those that it inherits."""
    return 1 + sum(int(vars(kind).get("version", 1)) - 1 for kind in section.__mro__)


def _sections(value: Any) -> Iterator[Section]:
    """Yield all sections in a value of a study."""
    if isinstance(value, Section):
        yield value
        for name in type(value).model_fields:
            yield from _sections(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _sections(inner)
