"""Study files as people write them: what YAML takes words and numbers for, and what is refused in which words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hakken.core.errors import HakkenError
from hakken.study.reading import parse_study, read_mapping
from hakken.study.yaml_text import load_yaml

ROOT = Path(__file__).resolve().parents[3]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 10)}]\n" for before, one in zip("abcdefgh", "bcdefghi", strict=True)
)
PARSER = re.compile(r"Pydantic|Undefined|NoneType|<class|object at|instance of|function|lambda|\btuple|\bdict\b")


def refusal(folder: Path, content: str | bytes) -> str:
    """What is said of a file that cannot be read, without its path."""
    path = folder / "study.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(HakkenError) as caught:
        read_mapping(path)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),  # the country
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("010", 10),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1:30", "1:30"),
        ("2024-01-05", "2024-01-05"),
        ("1e-3", 0.001),
        ("1.5E+4", 15000.0),
        (".5", 0.5),
        ("-3", -3),
        ("~", None),
        ("", None),
        ("null", None),
        ('"7"', "7"),
        ("1.2.3", "1.2.3"),
        ("脳転移", "脳転移"),
    ],
)
def test_words_and_numbers_are_what_they_look_like(text: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"\ufeffkey: {text}\n", encoding="utf-8")
    found = load_yaml(path)["key"]
    assert found == value
    assert type(found) is type(value)


def test_what_is_not_finite_reaches_the_study_and_is_refused_there(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: .nan\nb: -.inf\n")
    assert repr(load_yaml(path)) == "{'a': nan, 'b': -inf}"
    content = {"name": "mine", "seed": 1, "method": "patch_classifier", "parameters": {"learning_rate": float("nan")}}
    with pytest.raises(HakkenError, match=r"parameters.learning_rate: input should be a finite number \(found nan\)"):
        parse_study(content | {"cohort": {"table": "c.csv"}, "channels": {"A": {"modality": "mr"}}})


def test_aliases_and_merges_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n")
    assert load_yaml(path)["more"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ", lines 1 and 3: the key `a` stands there twice, and one would be lost; keep one"),
        ("s:\n  x: 1\n  y: {q: 1, q: 1}\n", ", lines 3 and 3: the key `q` stands there twice, and one would be lost"),
        ("s:\n\tx: 1\n", ", line 2: a tab stands there; indent with blanks"),
        ("s:\n  x: 1\n \ty: 1\n", ", line 3: a tab stands there; indent with blanks"),
        ("a: [1, 2\nb: 3\n", ", line 2, column 2, in what begins at line 1: not valid YAML: "),
        ("a: b: c\n", ", line 1, column 5: not valid YAML: mapping values are not allowed here"),
        ("a: 'x\n", "not valid YAML: found unexpected end of stream"),
        ("a: *x\n", ", line 1, column 4: not valid YAML: found undefined alias 'x'"),
        ("a: 1\n---\nb: 2\n", ", line 2: a second document begins; a file holds one study"),
        ("a: !!python/object/apply:os.system [ls]\n", ", line 1: a tag (`!`) stands there; write the value without it"),
        ("[a, b]: 1\n", ", line 1: a key must be a word"),
        ("a: &a [*a]\n", ", line 1: an alias stands within what it names; write it out"),
        ("a: " + "[" * 60 + "]" * 60, ", line 1: nested too deeply; at most 40 levels are read"),
        ("a: " + "[" * 30000, ": not valid YAML: nested too deeply"),
        (BOMB, ": 1,234,567,90"),
        ("a: \x07\n", ": holds a character that YAML does not allow (U+0007)"),
        ("- a\n", ": this file must be a mapping of keys to values"),
        ("", ": this file must be a mapping of keys to values"),
        (
            "title: 脳転移\n".encode("cp932"),
            ": not a text file in UTF-8 but, as it seems, in Shift-JIS; save it as UTF-8",
        ),
        ("title: Größe\n".encode("latin-1"), ": not a text file in UTF-8 but, as it seems, in Windows-1252 or Latin-1"),
        ("title: x\n".encode("utf-16"), ": not a text file in UTF-8 but, as it seems, in UTF-16; save it as UTF-8"),
        (b"a: 1\n" * 300_000, ": 1 MiB, more than the 1 MiB that such a file may have"),
    ],
)
def test_what_is_no_study_file_is_named(content: str | bytes, message: str, tmp_path: Path) -> None:
    assert message in refusal(tmp_path, content)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, reason in ((tmp_path / "pipe.yaml", "a pipe and no file"), (tmp_path, "a folder and no file")):
        with pytest.raises(HakkenError, match=f"{path}: {reason}; name the file itself"):
            read_mapping(path)


WRONG: list[Any] = [None, True, "text", "", 0, -1, 1.5, float("nan"), 10**400, [], {}, ["a"], {"a": 1}, [None], {1: 2}]


def keys_of(content: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield (*above, key)
        yield from keys_of(value, (*above, key))


def changed(content: Any, key: tuple[Any, ...], value: Any) -> Any:
    if not key:
        return value
    copy: Any = dict(content) if isinstance(content, dict) else list(content)
    copy[key[0]] = changed(content[key[0]], key[1:], value)
    return copy


@pytest.mark.parametrize("name", ["brain_metastasis", "dwi_synthetic", "liver_tumour_phases"])
def test_no_value_of_any_key_is_answered_in_words_of_the_parser(name: str) -> None:
    study = yaml.safe_load((ROOT / "config" / "studies" / f"{name}.yaml").read_text(encoding="utf-8"))
    del study["scales"]
    for key in keys_of(study):
        for value in WRONG:
            try:
                parse_study(changed(study, key, value))
            except HakkenError as error:
                assert not PARSER.search(str(error)), (key, value)


def test_a_bound_below_a_logarithm_is_one_line() -> None:
    space = {"learning_rate": {"type": "real", "low": 0, "high": 1, "scale": "log"}}
    content = {"name": "mine", "seed": 1, "method": "patch_classifier", "search": {"space": space}}
    with pytest.raises(HakkenError) as caught:
        parse_study(content | {"cohort": {"table": "c.csv"}, "channels": {"A": {"modality": "mr"}}})
    assert str(caught.value) == "study: search.space.learning_rate: `scale: log` needs `low` above 0"
