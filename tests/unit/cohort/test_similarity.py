"""What cases share: the same file, pixels or mask, and near copies; what stops and what is a warning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.similarity import Content, Shared, same_within, shared_between
from hakken.core.volume import Volume
from hakken.imaging.fingerprint import content_digest, fingerprint, mask_digest

Array = NDArray[Any]
PARTS = {"c1": "train", "c2": "train", "c3": "validation", "c4": "test"}


def image(seed: int) -> Array:
    noise = np.random.default_rng(seed).normal(size=(90, 100))
    return np.asarray(sum(ndimage.gaussian_filter(noise, size) / size for size in (1.0, 2.0, 4.0)))


def content(channels: dict[str, Array], mask: Array | None = None) -> Content:
    volumes = {name: Volume(array[None]) for name, array in channels.items()}
    prints = {name: fingerprint(volume) for name, volume in volumes.items()}
    return Content(
        {name: content_digest(volume) for name, volume in volumes.items()},
        {name: one for name, one in prints.items() if one is not None},
        None if mask is None else mask_digest(Volume(mask[None])),
    )


def table(patients: dict[str, str] | None = None) -> CaseTable:
    return CaseTable(
        tuple(
            Case(name, (patients or {}).get(name, f"p{name}"), part, {"T1": Path(f"{name}.nii")}, row=row)
            for row, (name, part) in enumerate(PARTS.items(), start=2)
        )
    )


def shared(images: dict[str, Array], patients: dict[str, str] | None = None, **options: Any) -> Shared:
    return shared_between({name: content({"T1": array}) for name, array in images.items()}, table(patients), **options)


def lines(shared_: Shared) -> tuple[list[str], list[str]]:
    return [str(problem) for problem in shared_.stops], [str(problem) for problem in shared_.warnings]


REMEDY = "remove one of the two cases, or give both the same `patient` and `split`"


def test_different_images_share_nothing() -> None:
    assert shared({name: image(seed) for seed, name in enumerate(PARTS)}) == Shared()


def test_the_same_pixels_stop_across_parts_and_warn_within_one() -> None:
    found = shared({"c1": image(1), "c2": image(1), "c3": image(1)[::-1], "c4": image(4)})
    assert lines(found) == (
        [
            "row 4, column T1: has the same pixels as T1 of case c1 (row 2), but this one is in validation and that in "
            f"train; {REMEDY}"
        ],
        [f"row 3, column T1: has the same pixels as T1 of case c1 (row 2); {REMEDY}"],
    )


def test_a_case_is_named_beside_one_of_another_part_if_there_is_any() -> None:
    found = shared({"c1": image(1), "c3": image(1), "c4": image(1)})
    assert [(problem.case_id, problem.row) for problem in found.stops] == [("c3", 4), ("c4", 5)]
    cases = (*table().cases, Case("c5", "pc5", "validation", {}, row=6))
    contents = {name: content({"T1": image(1)}) for name in ("c3", "c4", "c5")}
    found = shared_between(contents, CaseTable(cases))
    assert "as T1 of case c4 (row 5), but this one is in validation and that in test" in found.stops[1].reason
    assert found.warnings == ()


def test_a_near_copy_stops_across_parts_and_names_the_way_out() -> None:
    images = {"c1": image(1), "c2": image(2), "c3": image(3), "c4": -2 * image(2)[5:-9, 12:]}
    stops, warnings = lines(shared(images))
    assert warnings == []
    assert len(stops) == 1
    head, _, tail = stops[0].partition(" (similarity ")
    assert head == (
        "row 5, column T1: looks like a copy of T1 of case c2 (row 3), but this one is in test and that in train"
    )
    assert tail.partition("); ")[2] == (
        f"look at both and {REMEDY}; if they show two patients, name the pair in `cohort.distinct`"
    )
    within = shared({"c1": image(1), "c2": image(1)[4:], "c3": image(3)})
    assert (len(within.stops), len(within.warnings)) == (0, 1)


def test_pairs_that_were_looked_at_are_distinct() -> None:
    images = {"c1": image(1), "c2": image(2), "c3": image(3), "c4": image(2)[5:, 9:]}
    assert shared(images, distinct=[frozenset({"c4", "c2"})]) == Shared()
    same = {"c1": image(1), "c3": image(1), "c4": image(1)}
    found = shared(same, distinct=[frozenset({"c1", "c4"})])
    assert [problem.reason.split(",")[0] for problem in found.stops] == [
        "has the same pixels as T1 of case c1 (row 2)",
        "has the same pixels as T1 of case c3 (row 4)",
    ]


def test_two_dates_of_one_patient_are_no_copies_but_the_same_pixels_are() -> None:
    patients = dict.fromkeys(PARTS, "p1")
    assert shared({"c1": image(1), "c2": image(1)[3:]}, patients) == Shared()
    assert len(shared({"c1": image(1), "c2": image(1)}, patients).warnings) == 1


def test_constant_images_share_nothing() -> None:
    assert shared({name: np.zeros((20, 20)) for name in PARTS}) == Shared()


def test_one_channel_of_a_case_as_another_of_another_case() -> None:
    contents = {"c1": content({"T1": image(1), "T2": image(2)}), "c4": content({"T1": image(3), "T2": image(1).T})}
    (problem,) = shared_between(contents, table()).stops
    assert (problem.column, problem.row) == ("T2", 5)
    assert problem.reason.startswith("has the same pixels as T1 of case c1 (row 2)")


def test_cases_that_were_not_read_stay_out() -> None:
    assert shared({"c4": image(1)}) == Shared()
    assert shared_between({}, table()) == Shared()


def test_the_same_mask_in_two_patients_is_a_warning() -> None:
    mask = np.zeros((90, 100))
    mask[10:20, 30:35] = 1
    contents = {
        "c1": content({"T1": image(1)}, mask),
        "c2": content({"T1": image(2)}, np.zeros((90, 100))),
        "c3": content({"T1": image(3)}, mask * 255),
        "c4": content({"T1": image(4)}, np.zeros((90, 100))),
    }
    assert lines(shared_between(contents, table())) == (
        [],
        [
            "row 4, column lesion_mask: is the same mask as that of case c1 (row 2), another patient; look at both on "
            "their images: one was probably copied in place of the right one"
        ],
    )
    assert shared_between(contents, table({"c1": "p1", "c3": "p1"})) == Shared()
    contents["c4"] = content({"T1": image(5)}, mask)
    problems = shared_between(contents, table({"c1": "p1", "c4": "p1"})).warnings
    assert [problem.row for problem in problems] == [4, 5]
    assert "that of case c3 (row 4)" in problems[1].reason


def case(**files: str) -> Case:
    return Case("c1", "p1", "train", {name: Path(path) for name, path in files.items()}, row=7)


def test_one_file_as_two_channels() -> None:
    both = content({"T1": image(1), "T1POST": image(1)})
    assert [str(problem) for problem in same_within(case(T1="a/x.nii", T1POST="a/../a/x.nii"), both)] == [
        "row 7, column T1POST: is the same file as T1; correct the path of one of the two"
    ]


def test_two_files_of_the_same_pixels_as_two_channels() -> None:
    found = same_within(case(T1="x.nii", T2="y.mha"), content({"T1": image(1), "T2": image(1)[:, ::-1]}))
    assert [str(problem) for problem in found] == [
        "row 7, column T2: has the same pixels as T1, in another file; correct the path of one of the two"
    ]
    assert same_within(case(T1="x.nii", T2="y.mha"), content({"T1": image(1), "T2": image(2)})) == []
    blank = content({"T1": np.zeros((9, 9)), "T2": np.zeros((9, 9))})
    assert same_within(case(T1="x.nii", T2="y.mha"), blank) == []


def test_each_channel_is_named_once() -> None:
    three = content(dict.fromkeys(("A", "B", "C"), image(1)))
    assert [problem.column for problem in same_within(case(A="x", B="x", C="x"), three)] == ["B", "C"]


def test_colours_of_a_picture_share_its_file() -> None:
    colours = {"red": "red", "green": "green", "again": "red"}
    both = content(dict.fromkeys(colours, image(1)))
    found = same_within(case(red="x.png", green="x.png", again="x.png"), both, colours)
    assert [(problem.column, problem.reason) for problem in found] == [("again", "is the same file as red")]


def test_content_travels_as_json() -> None:
    mask = np.zeros((90, 100))
    mask[:9, :9] = 3
    known = content({"T1": image(1), "T2": np.zeros((4, 4))}, mask)
    again = Content.from_dict(json.loads(json.dumps(known.as_dict())))
    assert (again.digests, again.truth) == (known.digests, known.truth)
    assert list(again.fingerprints) == ["T1"]
    assert np.array_equal(again.fingerprints["T1"], known.fingerprints["T1"])
    assert len(json.dumps(known.as_dict())) < 8000


def test_the_truth_of_a_case_as_the_file_of_a_channel() -> None:
    case = Case("c1", "p1", "train", {"T1": Path("a.nii")}, lesion_mask=Path("x/../a.nii"), row=2)
    (problem,) = same_within(case, Content({}, {}))
    assert str(problem) == (
        "row 2, column lesion_mask: is the same file as T1, which the truth would be read from; correct the path of "
        "one of the two"
    )
    assert (
        same_within(Case("c1", "p1", "train", {"T1": Path("a.nii")}, lesion_mask=Path("b.nii")), Content({}, {})) == []
    )


def test_lesions_of_tables_are_named_by_their_column() -> None:
    cases = [Case(name, f"p{name}", "train", {}, lesion_table=Path(f"{name}.csv")) for name in ("c1", "c2")]
    found = shared_between({case.case_id: Content({}, {}, "digest") for case in cases}, CaseTable(tuple(cases)))
    (warning,) = found.warnings
    assert (warning.column, warning.reason) == ("lesion_table", "has the lesions of case c1, another patient")


def uptake(seed: int) -> Array:
    """A volume of bright spots of many sizes, as PET is: no two resemble each other."""
    noise = np.random.default_rng(seed).normal(size=(30, 30, 30))
    return np.exp(3 * np.asarray(sum(ndimage.gaussian_filter(noise, size) * size**1.5 for size in (1.2, 2, 3))))


def test_a_volume_that_is_far_more_like_another_than_all_others_are_is_a_warning() -> None:
    originals = [uptake(seed) for seed in range(12)]

    def found(last: Array) -> Shared:
        cases, contents = [], {}
        for number, array in enumerate([*originals, last]):
            name, part = f"c{number}", ("train", "test")[number == 12]
            cases.append(Case(name, f"p{number}", part, {"PET": Path(f"{name}.nii")}, row=number + 2))
            volume = Volume(array)
            contents[name] = Content({"PET": content_digest(volume)}, {"PET": print_of(volume)})
        return shared_between(contents, CaseTable(tuple(cases)))

    (warning,) = found(originals[0] ** 3).warnings
    assert warning.reason.startswith(
        "may be a copy, much changed, of PET of case c0 (row 2), but this one is in test and that in train "
    )
    assert warning.reason.endswith(", far above that of other pairs)")
    assert found(uptake(50)) == Shared()


def print_of(volume: Volume) -> NDArray[np.int8]:
    found = fingerprint(volume)
    assert found is not None
    return found
