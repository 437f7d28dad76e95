"""Ids as users write them, and the names of files that are made of them."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hakken.core.case_ids import LONGEST, MARK, RESERVED, SAFE, as_id, file_name, folded, shortened, tidy, why_no_id

TEXTS = st.text(max_size=30) | st.text("aA\uff41Å\u030aA\u3000 _-.~/\\{}$'\"=+@#%症例が\u3099か01", max_size=8)
OF_FILES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(~[0-9a-f]{16})?")
"""What every file system takes: no dot, blank, slash, sign of a shell or of Snakemake, nothing beyond ASCII."""


@given(TEXTS)
@example("..")
@example("con")
@example("-rf")
@example("")
def test_every_id_has_a_name_that_every_file_system_takes(text: str) -> None:
    name = file_name(text)
    assert OF_FILES.fullmatch(name)
    assert not RESERVED.fullmatch(name)
    assert len(name.encode()) <= max(LONGEST, len(text), 60)
    assert file_name(tidy(text)) == name


@given(TEXTS, TEXTS)
@example("症例 01", "01~d862bd24848b56ee")
@example("症例 01", "症例01")
@example("a b", "a-b")
def test_two_ids_never_share_a_file(one: str, other: str) -> None:
    assume(tidy(one) != tidy(other))
    assert file_name(one) != file_name(other)
    if folded(one) != folded(other):
        assert file_name(one).casefold() != file_name(other).casefold(), "nor on a disk that knows no capitals"


@given(st.from_regex(SAFE, fullmatch=True))
def test_a_plain_id_is_the_name_of_its_files(text: str) -> None:
    assert file_name(text) == text or RESERVED.fullmatch(text)
    assert why_no_id(text) is None or len(text) > LONGEST


@pytest.mark.parametrize(
    ("case_id", "name"),
    [
        ("a/b", "a-b"),
        ("../../etc", "etc"),
        ("{x}", "x"),
        ("Jürgen 7", "Jurgen-7"),
        ("症例", "case"),
        ("x" * 60 + " ", "x" * 60),
        ("x " * 40, "x-" * 19 + "x"),
        ("CON", "CON"),
        ("lpt1", "lpt1"),
        ("\uff11\uff12", "12"),
    ],
)
def test_the_readable_part_comes_first(case_id: str, name: str) -> None:
    assert file_name(case_id).partition(MARK)[0] == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u00e9", "e\u0301"),
        ("が", unicodedata.normalize("NFD", "が")),
        ("Case", "case"),
        ("\uff43\uff41\uff53\uff45\uff11", "case1"),
        ("ｶﾞﾝ", "ガン"),
        ("症例 1", "症例\u30001"),
        ("a  b", "a b"),
        ("葛\U000e0100", "葛"),
        ("straße", "STRASSE"),
    ],
)
def test_what_looks_the_same_is_the_same(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_what_tells_cases_apart_is_kept() -> None:
    assert len({folded(name) for name in ("a_1", "a-1", "a1", "a 1", "a.1", "01", "1", "症例1", "症例2")}) == 9


@given(st.text(max_size=120))
def test_what_nobody_can_read_is_no_id(text: str) -> None:
    reason = why_no_id(text)
    if reason is None:
        assert 0 < len(text) <= LONGEST
        assert not {"Cc", "Cf", "Zl", "Zp"} & {unicodedata.category(letter) for letter in text}
    assert why_no_id(as_id(text)) is None
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(letter) for letter in shortened(text)}


def test_the_reason_is_named() -> None:
    assert why_no_id("") == "is empty"
    assert why_no_id("x" * 101) == "has 101 letters, more than 100"
    assert why_no_id("a\nb") == "holds U+000A, which no reader sees"
    assert why_no_id("a\u202egnp") == "holds U+202E, which no reader sees"
