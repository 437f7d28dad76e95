"""Always the same answer: the mean of what validation has shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.baselines.prior_mean import fit, predict, words
from hakken.cohort.items import Item
from hakken.core.files import sha256_file
from hakken.study import Study
from hakken.study.reading import parse_study


def study() -> Study:
    return parse_study(
        {
            "name": "signals",
            "seed": 1,
            "method": "parameter_regression",
            "cohort": {"kind": "items", "files": ["signals", "truth"], "table": "cases.csv"},
            "outcomes": {"numbers": {"quantities": ["D", "K"], "truth": "truth"}},
        }
    )


def case_of(path: Path, **truth: list[float]) -> Item:
    np.savez(path, **truth)  # type: ignore[arg-type]
    return Item(path.stem, path.stem, files={"truth": path}, sha256={"truth": sha256_file(path)})


def test_every_number_counts_the_same_whatever_its_case(tmp_path: Path) -> None:
    cases = [case_of(tmp_path / "a.npz", D=[1, 2, 3], K=[0, 0, 0]), case_of(tmp_path / "b.npz", D=[6], K=[2])]
    values = fit(cases, study())
    assert values == {"D": 3.0, "K": 0.5}
    assert words(values, study()) == "D 3, K 0.5"
    found = predict(values, cases[0], study())["numbers"]
    assert {name: answers.tolist() for name, answers in found.items()} == {"D": [3.0] * 3, "K": [0.5] * 3}
    assert found["D"].shape == (3,)
    assert predict(values, cases[1], study())["numbers"]["K"].tolist() == pytest.approx([0.5])
