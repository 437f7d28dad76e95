from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, load_prepared, prepared_cases, save_prepared

GRID = Geometry((2, 3, 4), (1.0, 1.0, 2.0), (1.25, 0.1, -7.0))


def case(case_id: Any = "P1", truth: Any = True) -> Any:
    return PreparedCase(
        case_id=case_id,
        patient="S1",
        channels=("T1", "T2"),
        geometry=GRID,
        source_geometry=Geometry((4, 3, 4)),
        normalisation={"T1": {"method": "zscore", "zero": 1.0, "one": 2.0}},
        pixel_digest="ab",
        has_truth=truth,
        lesions=(Lesion(1, 0.1, 0.2, 0.3, 4.0, 33.5, "excluded"), Lesion(2, 1, 2, 3, 4, 5, lesion_class="solid")),
    )


def arrays() -> Any:
    image = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype(np.float16)
    return image, np.ones((2, 3, 4), np.uint8), np.arange(24, dtype=np.int16).reshape(2, 3, 4)


def test_a_saved_case_is_loaded_as_it_was(tmp_path: Path) -> None:
    image, mask, labels = arrays()
    saved = save_prepared(tmp_path, case(), image, mask, labels)
    loaded = load_prepared(tmp_path, "P1")
    assert saved == loaded == case()
    assert np.array_equal(loaded.image(), image)
    assert isinstance(loaded.image(), np.memmap)
    measured = save_prepared(tmp_path, replace(case(), columns={"scanner": "A"}), image, mask, labels)
    assert (measured.columns, load_prepared(tmp_path, "P1").columns) == ({"scanner": "A"}, {})
    assert not isinstance(loaded.image(mmap=False), np.memmap)
    assert np.array_equal(loaded.mask(), mask)
    assert np.array_equal(loaded.labels(), labels)
    assert (loaded.image().dtype, loaded.mask().dtype, loaded.labels().dtype) == (np.float16, np.uint8, np.int16)


def test_the_files_are_those_of_the_design_and_the_json_is_plain(tmp_path: Path) -> None:
    import json

    save_prepared(tmp_path, case(), *arrays())
    written = ["P1.json", "P1.labels.npy", "P1.mask.npy", "P1.npy", "files.seen"]
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    lesions = json.loads((tmp_path / "P1.json").read_text())["lesions"]
    assert lesions[0] == {
        "lesion": 1, "x": 0.1, "y": 0.2, "z": 0.3, "diameter": 4.0, "size": 33.5, "kind": "excluded"
    }  # fmt: skip
    assert lesions[1]["class"] == "solid"


def test_without_truth_there_are_no_labels(tmp_path: Path) -> None:
    image, mask, labels = arrays()
    loaded = save_prepared(tmp_path, case(truth=False), image, mask)
    with pytest.raises(HakkenError, match="case P1: has no lesion labels; add its lesion mask or lesion table"):
        loaded.labels()
    with pytest.raises(HakkenError, match="labels must be given exactly where the case has truth"):
        save_prepared(tmp_path, case(truth=False), image, mask, labels)


def test_arrays_must_fit_the_grid(tmp_path: Path) -> None:
    image, mask, labels = arrays()
    with pytest.raises(HakkenError, match=r"case P1: arrays do not fit \(2, 2, 3, 4\) \(channels, z, y, x\)"):
        save_prepared(tmp_path, case(), image[:1], mask, labels)


def test_cut_off_and_missing_files_are_named(tmp_path: Path) -> None:
    save_prepared(tmp_path, case(), *arrays())
    (tmp_path / "P1.npy").write_bytes((tmp_path / "P1.npy").read_bytes()[:150])
    for mmap in (True, False):
        with pytest.raises(HakkenError, match=r"P1.npy: cannot be read .*; delete the folder and prepare again"):
            load_prepared(tmp_path, "P1").image(mmap)
    with pytest.raises(HakkenError, match=r"P2.json: no such file"):
        load_prepared(tmp_path, "P2")
    with pytest.raises(HakkenError, match="case P1: was not loaded from a folder; use load_prepared"):
        case().mask()


def test_all_cases_of_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("P2", "P1"):
        save_prepared(tmp_path, case(name), *arrays())
    assert [one.case_id for one in prepared_cases(tmp_path)] == ["P1", "P2"]


def test_a_case_is_called_as_its_user_wrote_and_its_files_as_every_disk_can(tmp_path: Path) -> None:
    names = ("症例 01", "../up", "a/b")
    for name in names:
        save_prepared(tmp_path, case(name), *arrays())
    assert {one.case_id for one in prepared_cases(tmp_path)} == set(names)
    assert load_prepared(tmp_path, "a/b").mask().shape == (2, 3, 4)
    assert all(path.name.isascii() for path in tmp_path.iterdir())
    assert len([*tmp_path.glob("*.json"), *tmp_path.glob("*.npy")]) == 12


def test_an_array_that_was_changed_is_named_whatever_it_still_looks_like(tmp_path: Path) -> None:
    saved = save_prepared(tmp_path, case(), *arrays())
    saved.require_as_written()
    path = tmp_path / "P1.mask.npy"
    whole = path.read_bytes()
    said = f"{path}: has changed since the case was prepared; delete {tmp_path} and prepare again"
    for wrong in (whole[:-1] + b"\0", whole[:-1], whole + b"\0"):
        path.write_bytes(wrong)
        for full in (False, True):
            with pytest.raises(HakkenError) as caught:
                load_prepared(tmp_path, "P1").require_as_written(full)
            assert str(caught.value) == said
    path.write_bytes(whole)
    load_prepared(tmp_path, "P1").require_as_written()
    path.unlink()
    with pytest.raises(HakkenError, match=r"P1\.mask\.npy: cannot be read \(no such file or directory\)"):
        saved.require_as_written()
