"""Who a patient is, however a table spells it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.cohort.patients import looks_personal, normalised, patient_hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("007", "7"), ("7", "7.0"), ("P-007", "p7"), ("P_7", "P 7"), (" p7 ", "p7"), ("\uff30\uff17", "P7"),
        ("S001A", "s1a"), ("0", "000"), ("0013", "13"),
    ],
)  # fmt: skip
def test_spellings_of_one_patient(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)
    assert patient_hash(one) == patient_hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("7", "70"), ("1-2", "12"), ("P7", "Q7"), ("7A", "7B"), ("7.5", "7"), ("患者1", "患者2")],
)
def test_two_patients(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(st.text(min_size=1))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize("name", ["Taro Yamada", "Yamada, Taro", "YAMADA^TARO", "山田太郎", "山田 太郎", "やまだ"])
def test_names_of_persons(name: str) -> None:
    assert looks_personal(name)


@pytest.mark.parametrize("name", ["P-007", "007", "S0001", "patient 12", "site_b", "P", "TCGA-A1-A0SB", "", "患者12"])
def test_pseudonyms(name: str) -> None:
    assert not looks_personal(name)
