"""The reference page of all keys of a study file, and commented study files, from the study model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, get_args

import yaml
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from hakken import plugins
from hakken.study import Phantom, Section, Study, Value
from hakken.study.reading import plugged_section
from hakken.study.section import conditions_of

HEAD = """# Keys of a study file

Generated from the study model by `make docs`; do not edit. Every key is checked when a study is read: an unknown key, a
missing one, a value out of range or a key without effect stops the run and names the key and the nearest valid one.

`scales` holds, for each scale, the keys that differ from the top level, where `null` removes a key; a run is of one
study at one scale. The keys that every study may have come first, then those of each method, outcome and phantom, and
the names of all baselines and figures.
"""

KINDS: dict[plugins.Kind, str] = {"methods": "Method", "outcomes": "Outcome", "phantoms": "Phantom"}
"""Kinds of plug-ins that have keys of their own."""


@dataclass(frozen=True)
class _Plugged:
    """A section that stands with a plug-in: of which it is, and the key under which a study file holds it."""

    kind: plugins.Kind
    name: str
    key: str
    section: type[Section]


def study_reference() -> str:
    """Return the reference page as Markdown: one table for each section, those of the plug-ins behind the others."""
    parts = [HEAD]
    for title, section in _sections(Study, "study"):
        parts += _table(f"## `{title}`", section)
    for kind in KINDS:
        for name in plugins.names(kind):
            parts += _plug_in(kind, name)
    parts.append("\n## Baselines\n")
    parts += [f"- `{name}`: {_said(plugins.load('baselines', name), name)}" for name in plugins.names("baselines")]
    parts.append("\n## Figures\n")
    parts += [f"- `{name}`: {plugins.load('figures', name).CAPTION}" for name in plugins.names("figures")]
    return "\n".join(parts) + "\n"


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of study files, in which each section of a plug-in may be that of any."""
    plugged = list(_plugged())
    sections: list[tuple[type[Section], Literal["validation"]]] = [(Study, "validation")]
    sections += [(one.section, "validation") for one in plugged]
    known, whole = models_json_schema(sections, ref_template="#/$defs/{model}")
    references = [(one, known[one.section, "validation"]) for one in plugged]
    study = whole["$defs"]["Study"]["properties"]
    for key in ("parameters", "inference"):
        study[key]["anyOf"] = [reference for one, reference in references if one.key == key]
        study[key].pop("$ref", None)
    study["outcomes"]["additionalProperties"] = False
    study["outcomes"]["properties"] = {one.name: reference for one, reference in references if one.kind == "outcomes"}
    phantom = whole["$defs"]["Cohort"]["properties"]["phantom"]
    phantom["anyOf"] = [*(reference for one, reference in references if one.kind == "phantoms"), {"type": "null"}]
    return {"$ref": known[Study, "validation"]["$ref"], "$defs": whole["$defs"]}


def _plugged() -> Iterator[_Plugged]:
    """Yield the sections that stand with the plug-ins."""
    for name in plugins.names("methods"):
        module = plugins.load("methods", name)
        yield _Plugged("methods", name, "parameters", module.Parameters)
        yield _Plugged("methods", name, "inference", module.Inference)
    for name in plugins.names("outcomes"):
        yield _Plugged("outcomes", name, f"outcomes.{name}", plugins.load("outcomes", name).Settings)
    for name in plugins.names("phantoms"):
        yield _Plugged("phantoms", name, "cohort.phantom", plugins.load("phantoms", name).Options)


def _plug_in(kind: plugins.Kind, name: str) -> Iterator[str]:
    """Yield the lines of a plug-in: what it is, and a table for each section that it brings."""
    module = plugins.load(kind, name)
    yield f"\n## {KINDS[kind]} `{name}`\n\n{_said(module, name)}"
    if kind == "methods":
        yield f"\n{_given(module)}"
    for own in (one for one in _plugged() if (one.kind, one.name) == (kind, name)):
        for title, section in _sections(own.section, own.key):
            if kind != "phantoms" or title == own.key:  # what all phantoms have stands above
                yield from _table(f"### `{title}`", section)


def _said(module: ModuleType, name: str) -> str:
    """Return the first sentence of a module's docstring without the name that it may begin with."""
    first = (module.__doc__ or "").strip().splitlines()[0]
    words = first.partition(f"`{name}`: ")[2] or first
    return words[0].upper() + words[1:]


def _given(method: ModuleType) -> str:
    """Return which outcomes a method gives."""
    further = [f"`{name}`" for name in getattr(method, "FURTHER", ())]
    asked = f"; when asked also {', '.join(further)}" if further else ""
    return f"Outcomes: {', '.join(f'`{name}`' for name in method.OUTCOMES)}{asked}."


def _table(heading: str, section: type[Section]) -> Iterator[str]:
    """Yield the lines of one section; of a phantom its own keys alone."""
    inherited = Phantom.model_fields if section is not Phantom and issubclass(section, Phantom) else {}
    fields = {name: field for name, field in section.model_fields.items() if name not in inherited}
    doc = (section.__doc__ or "").strip().splitlines()[0]
    yield f"\n{heading}\n\n{doc}"
    if fields:
        entries = section.model_json_schema()["properties"]
        yield "\n| key | type | default | meaning |\n| --- | --- | --- | --- |"
        yield from (_row(name, field, entries[name], section) for name, field in fields.items())


def commented_study(content: dict[str, Any], reasons: Mapping[str, str] | None = None) -> str:
    """Return a study file's content as YAML in which every key of the model carries its description as a comment.

    ``reasons`` say, by dotted key, why a value is what it is.
    """
    return "\n".join(_commented(content, Study, [], content, reasons or {})) + "\n"


def section_of(field: FieldInfo) -> type[Section] | None:
    """Return the section that a field holds, directly or in a mapping, or None."""
    waiting = [field.annotation]
    while waiting:
        kind: Any = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
        waiting.extend(get_args(kind))
    return None


def _sections(section: type[Section], title: str) -> Iterator[tuple[str, type[Section]]]:
    yield title, section
    for name, field in section.model_fields.items():
        inner = section_of(field)
        if inner is not None and inner is not Section:  # plug-ins bring their own
            path = name if title == "study" else f"{title}.{name}"
            yield from _sections(inner, f"{path}.<name>" if _is_mapping(field) else path)


def _row(name: str, field: FieldInfo, entry: dict[str, Any], section: type[Section]) -> str:
    """Return the line of one key of a ``section``; ``entry`` is what the JSON schema says of it."""
    value = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    default = "required" if field.is_required() else _default(value)
    return f"| `{name}` | {_words(entry)} | {default} | {field.description}{_only_with(section, name)} |"


def _only_with(section: type[Section], name: str) -> str:
    """Return in words under which values of other keys a key has an effect."""
    conditions = [f"`{other}` is {_any_of(values)}" for other, values in conditions_of(section, name).items()]
    return f" Only where {' and '.join(conditions)}." if conditions else ""


def _any_of(values: tuple[Value, ...]) -> str:
    """Return values in words.

    >>> _any_of((1, 2, 3)), _any_of(("percentile", "window")), _any_of((True,))
    ('`1` to `3`', '`percentile` or `window`', '`true`')
    """
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(values) > 2 and numbers == list(range(numbers[0], numbers[0] + len(values))):
        return f"`{values[0]}` to `{values[-1]}`"
    return " or ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in values)


def _words(entry: dict[str, Any]) -> str:
    options = [option for option in entry.get("anyOf", []) if option.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(_words(option) for option in options))
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{value}`" for value in entry.get("enum", [entry.get("const")]))
    if "$ref" in entry or entry.get("type") == "object":
        return "section" if "$ref" in entry else "mapping"
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {entry[key]:g}" for key, sign in bounds.items() if key in entry]
    if entry.get("type") == "array":
        return f"list of {entry['minItems']}" if "minItems" in entry and "maxItems" in entry else "list"
    words = {"number": "number", "integer": "integer", "string": "text", "boolean": "true or false"}
    return " ".join([words.get(entry.get("type", ""), "value"), ", ".join(limits)]).strip()


def _default(value: Any) -> str:
    if isinstance(value, Section) or value in ({}, (), ""):
        return ""
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _is_mapping(field: FieldInfo) -> bool:
    return "dict" in str(field.annotation)


def _commented(
    content: dict[str, Any],
    section: type[Section],
    location: list[str],
    whole: dict[str, Any],
    reasons: Mapping[str, str],
) -> Iterator[str]:
    """Yield the lines of the section at ``location``; what has names of the user's own is written in flow style."""
    indent = "  " * len(location)
    for key, value in content.items():
        field = section.model_fields.get(key)
        inner = plugged_section([*location, key], whole) or (section_of(field) if field else None)
        if not indent:
            yield ""
        if field is not None:
            yield f"{indent}# {field.description}"
        place = ".".join([*location, key])
        if place in reasons:
            yield f"{indent}# Here: {reasons[place]}."
        if not isinstance(value, dict) or not value:
            yield f"{indent}{_flow({key: value})[0]}"
            continue
        yield f"{indent}{key}:"
        if key == "scales" and field is None:
            for scale, keys in value.items():
                yield f"  {scale}:{'' if keys else ' {}'}"
                yield from (f"    {line}" for line in _flow(keys))
        elif inner is None or (field is not None and _is_mapping(field)):
            for name, inside in value.items():
                if f"{place}.{name}" in reasons:
                    yield f"{indent}  # Here: {reasons[f'{place}.{name}']}."
                yield f"{indent}  {_flow({name: inside})[0]}"
        else:
            yield from _commented(value, inner, [*location, key], whole, reasons)


def _flow(value: dict[str, Any]) -> list[str]:
    """Return one line for each key, its value in flow style."""
    lines = []
    for key, inner in value.items():
        text = yaml.safe_dump(inner, default_flow_style=True, width=10_000, sort_keys=False).strip()
        lines.append(f"{key}: {text.removesuffix('...').strip()}")
    return lines
