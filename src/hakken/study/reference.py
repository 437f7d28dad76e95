"""The reference page of all keys of a study file, and commented study files, from the study model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import yaml
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from hakken import plugins
from hakken.study import Section, Study
from hakken.study.reading import plugged_section

HEAD = """# Keys of a study file

Generated from the study model by `make docs`; do not edit. Every key is checked when a study is read: an unknown key, a
missing one or a value out of range stops the run and names the key and the nearest valid one.

`scales` holds, for each scale, the keys that differ from the top level; a run is of one study at one scale.
"""


def study_reference() -> str:
    """Return the reference page as Markdown: one table for each section, those of the plug-ins behind the others."""
    parts = [HEAD]
    plugged = [pair for title, section in _plugged() for pair in _sections(section, title)]
    for title, section in [*_sections(Study, "study"), *plugged]:
        doc = (section.__doc__ or "").strip().splitlines()[0]
        parts.append(f"\n## `{title}`\n\n{doc}")
        if not section.model_fields:
            continue
        parts.append("\n| key | type | default | meaning |\n| --- | --- | --- | --- |")
        entries = section.model_json_schema()["properties"]
        parts += [_row(name, field, entries[name]) for name, field in section.model_fields.items()]
    return "\n".join(parts) + "\n"


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of study files, in which each section of a plug-in may be that of any."""
    plugged = list(_plugged())
    sections: list[tuple[type[Section], Literal["validation"]]] = [(Study, "validation")]
    sections += [(section, "validation") for _, section in plugged]
    known, whole = models_json_schema(sections, ref_template="#/$defs/{model}")
    references = {title: known[section, "validation"] for title, section in plugged}
    study = whole["$defs"]["Study"]["properties"]
    for key in ("parameters", "inference"):
        study[key]["anyOf"] = _of_kind(references, f"{key} of method")
        study[key].pop("$ref", None)
    study["outcomes"]["additionalProperties"] = False
    study["outcomes"]["properties"] = {
        title.removeprefix("outcomes."): reference
        for title, reference in references.items()
        if title.startswith("outcomes.")
    }
    phantom = whole["$defs"]["Cohort"]["properties"]["phantom"]
    phantom["anyOf"] = [*_of_kind(references, "cohort.phantom of"), {"type": "null"}]
    return {"$ref": known[Study, "validation"]["$ref"], "$defs": whole["$defs"]}


def _of_kind(references: dict[str, Any], head: str) -> list[Any]:
    return [reference for title, reference in references.items() if title.startswith(head)]


def _plugged() -> Iterator[tuple[str, type[Section]]]:
    """Yield the sections that stand with the plug-ins, each with its title."""
    for name in plugins.names("methods"):
        module = plugins.load("methods", name)
        yield f"parameters of method {name}", module.Parameters
        yield f"inference of method {name}", module.Inference
    for name in plugins.names("outcomes"):
        yield f"outcomes.{name}", plugins.load("outcomes", name).Settings
    for name in plugins.names("phantoms"):
        yield f"cohort.phantom of {name}", plugins.load("phantoms", name).Options


def commented_study(content: dict[str, Any]) -> str:
    """Return a study file's content as YAML in which every key of the model carries its description as a comment."""
    return "\n".join(_commented(content, Study, [], content)) + "\n"


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


def _row(name: str, field: FieldInfo, entry: dict[str, Any]) -> str:
    """Return the line of one key; ``entry`` is what the JSON schema says of it."""
    value = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    default = "required" if field.is_required() else _default(value)
    return f"| `{name}` | {_words(entry)} | {default} | {field.description} |"


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
    content: dict[str, Any], section: type[Section], location: list[str], whole: dict[str, Any]
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
        if not isinstance(value, dict) or not value:
            yield f"{indent}{_flow({key: value})[0]}"
            continue
        yield f"{indent}{key}:"
        if key == "scales" and field is None:
            for scale, keys in value.items():
                yield f"  {scale}:{'' if keys else ' {}'}"
                yield from (f"    {line}" for line in _flow(keys))
        elif inner is None or (field is not None and _is_mapping(field)):
            yield from (f"{indent}  {line}" for line in _flow(value))
        else:
            yield from _commented(value, inner, [*location, key], whole)


def _flow(value: dict[str, Any]) -> list[str]:
    """Return one line for each key, its value in flow style."""
    lines = []
    for key, inner in value.items():
        text = yaml.safe_dump(inner, default_flow_style=True, width=10_000, sort_keys=False).strip()
        lines.append(f"{key}: {text.removesuffix('...').strip()}")
    return lines
