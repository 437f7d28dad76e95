"""The reference page of all keys of a study file, and commented study files, from the study model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from hakken.study import Section, Study

HEAD = """# Keys of a study file

Generated from the study model by `make docs`; do not edit. Every key is checked when a study is read: an unknown key, a
missing one or a value out of range stops the run and names the key and the nearest valid one.

`scales` holds, for each scale, the keys that differ from the top level; a run is of one study at one scale.
"""


def study_reference() -> str:
    """Return the reference page as Markdown: one table for each section."""
    parts = [HEAD]
    for title, section in _sections(Study, "study"):
        doc = (section.__doc__ or "").strip().splitlines()[0]
        parts.append(f"\n## `{title}`\n\n{doc}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |")
        entries = section.model_json_schema()["properties"]
        parts += [_row(name, field, entries[name]) for name, field in section.model_fields.items()]
    return "\n".join(parts) + "\n"


def commented_study(content: dict[str, Any]) -> str:
    """Return a study file's content as YAML in which every key of the model carries its description as a comment."""
    return "\n".join(_commented(content, Study, "")) + "\n"


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
        if inner is not None:
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


def _commented(content: dict[str, Any], section: type[Section], indent: str) -> Iterator[str]:
    """Yield the lines of a section's ``content``; what has names of the user's own is written in flow style."""
    for key, value in content.items():
        field = section.model_fields.get(key)
        inner = section_of(field) if field else None
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
            yield from _commented(value, inner, indent + "  ")


def _flow(value: dict[str, Any]) -> list[str]:
    """Return one line for each key, its value in flow style."""
    lines = []
    for key, inner in value.items():
        text = yaml.safe_dump(inner, default_flow_style=True, width=10_000, sort_keys=False).strip()
        lines.append(f"{key}: {text.removesuffix('...').strip()}")
    return lines
