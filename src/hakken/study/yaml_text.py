"""YAML files that people write, read strictly: no key stands twice, no alias grows, nothing turns into a date.

YAML 1.1, which the library reads, takes `no` for a truth value, `010` for eight, `1:30` for ninety and `2024-01-05` for
a date. Here words and numbers are what YAML 1.2 takes them for: `true` and `false` alone are truth values, all numbers
are decimal.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hakken.core.errors import HakkenError
from hakken.core.texts import MEGABYTE, read_text

MOST_VALUES = 20_000
DEEPEST = 40
REMEDY = "save it as UTF-8 in your editor"
PREFIX = "tag:yaml.org,2002:"
RESOLVED = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    """The safe loader with the words and numbers of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_yaml_int(self, node: ScalarNode) -> int:
        return int(str(self.construct_scalar(node)))


for _name, _pattern, _first in RESOLVED:
    _letters = [letter if letter != "\0" else "" for letter in _first]
    _Loader.add_implicit_resolver(f"{PREFIX}{_name}", re.compile(f"^(?:{_pattern})$"), _letters)
_Loader.add_constructor(f"{PREFIX}int", _Loader.construct_yaml_int)


def load_yaml(path: Path) -> Any:
    """Return the content of a YAML file of at most 1 MiB.

    Raises HakkenError, naming file and line, for what is no YAML, for a key that stands twice, for aliases that repeat
    too much or themselves, and for another encoding than UTF-8; OSError where the file cannot be read.
    """
    text = read_text(path, REMEDY, MEGABYTE)
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check(path, node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise HakkenError(f"{path}{_said(error, text)}") from None
    except yaml.reader.ReaderError as error:
        raise HakkenError(f"{path}: holds a character that YAML does not allow (U+{error.character:04X})") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise HakkenError(f"{path}: not valid YAML: {reason}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _check(path: Path, root: Node) -> None:
    """Raise HakkenError where a key stands twice, or aliases make a file larger than anybody writes one."""
    sizes: dict[int, int] = {}

    def visit(node: Node, above: tuple[int, ...]) -> int:
        if id(node) in above:
            raise HakkenError(f"{path}, line {_line(node)}: an alias stands within what it names; write it out")
        if len(above) > DEEPEST:
            raise HakkenError(f"{path}, line {_line(node)}: nested too deeply; at most {DEEPEST} levels are read")
        if id(node) not in sizes:
            sizes[id(node)] = 1 + sum(visit(part, (*above, id(node))) for part in _parts(path, node))
        return sizes[id(node)]

    if (count := visit(root, ())) > MOST_VALUES:
        raise HakkenError(f"{path}: {count:,} values with all aliases; at most {MOST_VALUES:,} are read")


def _parts(path: Path, node: Node) -> list[Node]:
    if isinstance(node, SequenceNode):
        return list(node.value)
    if not isinstance(node, MappingNode):
        return []
    first: dict[str, int] = {}
    for key, _ in node.value:
        name = key.value if isinstance(key, ScalarNode) else None
        if name is None:
            raise HakkenError(f"{path}, line {_line(key)}: a key must be a word")
        if name in first and name != "<<":
            where = f"{path}, lines {first[name]} and {_line(key)}"
            raise HakkenError(f"{where}: the key `{name}` stands there twice, and one would be lost; keep one")
        first[name] = _line(key)
    return [value for _, value in node.value]


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _said(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return where a file is no YAML and why, in words."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f": not valid YAML: {error.problem}"
    lines = text.split("\n")
    written = lines[mark.line] if mark.line < len(lines) else ""
    indent = written[: len(written) - len(written.lstrip())]
    if "\t" in indent or written[mark.column : mark.column + 1] == "\t":
        return f", line {mark.line + 1}: a tab stands there; indent with blanks"
    reason = str(error.problem or "").replace("\n", " ")
    if "expected a single document" in str(error.context):
        return f", line {mark.line + 1}: a second document begins; a file holds one study"
    if "could not determine a constructor" in reason:
        return f", line {mark.line + 1}: a tag (`!`) stands there; write the value without it"
    begun = f", in what begins at line {error.context_mark.line + 1}" if error.context_mark else ""
    return f", line {mark.line + 1}, column {mark.column + 1}{begun}: not valid YAML: {reason}"
