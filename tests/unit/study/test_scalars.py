"""Scalars of a study: numbers within limits or words of a list, and exact words for every other cell."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.study import Scalar
from hakken.study.reading import parse_study

from ..methods.expectation.test_learn import expectation
from ..miniature import content_of

WEIGHT = {"range": [50, 90], "limits": [20, 300], "unit": "kg"}
CT = {"modality": "ct", "normalise": "window", "range": [-1000, 1000]}


def test_numbers_lie_on_a_line_through_two_stated_ones() -> None:
    scalar = Scalar.model_validate(WEIGHT)
    read = [scalar.read("weight", cell) for cell in ("50", "90", "110", " 70.5".strip())]
    assert [scalar.normalised(value) for value in read] == pytest.approx([0, 1, 1.5, 0.5125])


def test_words_become_stated_numbers_whatever_their_capitals() -> None:
    scalar = Scalar.model_validate({"words": {"F": 0, "M": 1}})
    assert [scalar.normalised(scalar.read("sex", cell)) for cell in ("F", "m")] == [0, 1]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "the cell is empty, and the method sees this value; fill it in, or have DICOM headers asked by `scalars."),
        ("heavy", "`heavy` is no number; write a number in kg"),
        ("nan", "`nan` is no number; write a number in kg"),
        ("inf", "`inf` is no number; write a number in kg"),
        ("70,5", "`70,5` is no number; write a number in kg"),
        ("7000", "7000 kg lies outside of 20 to 300 kg; correct it, or widen `scalars.weight.limits`"),
        ("-3", "-3 kg lies outside of 20 to 300 kg; correct it, or widen `scalars.weight.limits`"),
    ],
)
def test_cells_that_cannot_be_used(cell: str, message: str) -> None:
    with pytest.raises(HakkenError) as error:
        Scalar.model_validate(WEIGHT).read("weight", cell)
    assert str(error.value).startswith(message)


def test_an_unknown_word_names_those_that_are_known() -> None:
    with pytest.raises(HakkenError) as error:
        Scalar.model_validate({"words": {"F": 0, "M": 1}}).read("sex", "female")
    assert str(error.value) == "`female` is none of F, M; write one of them, or add it to `scalars.sex.words`"


@pytest.mark.parametrize(
    ("scalar", "message"),
    [
        ({}, "give `range` and `limits` of numbers, or `words`, and not both"),
        ({"range": [0, 1]}, "give `range` and `limits` of numbers, or `words`, and not both"),
        (WEIGHT | {"words": {"F": 0}}, "give `range` and `limits` of numbers, or `words`, and not both"),
        (WEIGHT | {"range": [90, 50]}, r"`range` must be \[low, high\] with low < high"),
        (WEIGHT | {"limits": [20, 20]}, r"`limits` must be \[low, high\] with low < high"),
        ({"words": {"F": 0, "f": 1}}, "`words` differ in capitals alone"),
    ],
)
def test_scalars_that_cannot_be(scalar: dict[str, Any], message: str) -> None:
    with pytest.raises(HakkenError, match=message):
        parse_study(content_of(scalars={"weight": scalar}))


def test_scalars_are_seen_behind_the_channels_and_never_predicted() -> None:
    study = expectation(scalars={"weight": WEIGHT})
    assert (study.layers, study.seen, study.targets) == (("A", "B", "weight"), ("A", "weight"), ("B",))
    assert "weight" in study.case_columns


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scalars": {"A": WEIGHT}}, "scalars.A: a channel has this name; call one of them otherwise"),
        ({"scalars": {"split": WEIGHT}}, "scalars.split: a column of the case table with a meaning of its own"),
        ({"body_regions": {"channel": "C"}}, "body_regions.channel `C` is no channel, only A, B"),
        ({"body_regions": {"channel": "A"}}, "regions are found in Hounsfield units; name a channel of `modality: ct`"),
        ({"body_regions": {"channel": "A", "apart": ["liver"]}}, "body_regions.apart"),
        ({"patches": {"spread": "regions"}}, "patches.spread is `regions`, and the study names none"),
        ({"channels": {"A": {"modality": "ct", "scale": "log"}}}, "channels.A.scale"),
        (
            {"channels": {"A": CT | {"scale": "log"}}},
            r"`scale: log` takes log\(1 \+ x\) of intensities from 0 on; begin `range` there, or use asinh",
        ),
    ],
)
def test_what_does_not_fit_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(HakkenError, match=message):
        parse_study(content_of(**changes))
