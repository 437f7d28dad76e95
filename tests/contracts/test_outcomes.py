"""What holds of every outcome."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up import ROOT, cases_of, data_of, study_with

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.outcomes import Part, in_order
from hakken.runs.cases import NO_CASE
from hakken.runs.learner import learner_of
from hakken.runs.predictions import part_of
from hakken.study import Study
from hakken.study.reading import parse_study
from hakken.training.method import Fitted

OUTCOMES = tuple(name for name in plugins.names("outcomes") if name != "records")  # of no case: tests/unit/outcomes
COUNT = 6
FILES = (ROOT / "docs/reference/files.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outcomes")


@cache
def _said(name: str, folder: Path) -> tuple[Study, Mapping[str, Any], Part]:
    """Return a study with the outcome, what an untrained model of its method says of some cases, and these cases."""
    study = study_with("outcomes", name)
    learner = learner_of(study)
    own = folder / name
    torch.manual_seed(1)
    model = learner.fit(data_of(study, own), 0) if isinstance(learner, Fitted) else learner.export(learner.networks())
    cases = in_order([NO_CASE] if study.cohort.kind == "none" else cases_of(study, own / "cases", COUNT))
    found = {case.case_id: learner.predict(model.eval(), case, (name,))[name] for case in cases}
    return study, found, part_of(study, name, cases)


@pytest.mark.parametrize("name", OUTCOMES)
def test_what_was_written_is_read(name: str, folder: Path, tmp_path: Path) -> None:
    _, found, part = _said(name, folder)
    module = plugins.load("outcomes", name)
    for number in (1, 2):
        module.write(tmp_path / str(number), found, part)
    again = module.read(tmp_path / "1", part)
    assert list(again) == part.case_ids
    module.write(tmp_path / "again", again, part)
    first, second, read = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / one).rglob("*.*"))} for one in ("1", "2", "again")
    )
    assert first == second
    assert first.keys() == read.keys()
    assert module.measure(again, part).rows == module.measure(module.read(tmp_path / "again", part), part).rows


@pytest.mark.parametrize("name", OUTCOMES)
def test_what_is_measured_is_the_same_each_time(name: str, folder: Path) -> None:
    _, found, part = _said(name, folder)
    module = plugins.load("outcomes", name)
    first, second = module.measure(found, part), module.measure(found, part)
    assert first.as_dict() == second.as_dict()
    assert first.tables.keys() == second.tables.keys()
    assert all(len(row) == len(table.columns) for table in first.tables.values() for row in table.rows)


@pytest.mark.parametrize("name", [one for one in OUTCOMES if hasattr(plugins.load("outcomes", one), "row_names")])
def test_the_rows_are_those_that_were_named_before(name: str, folder: Path) -> None:
    study, found, part = _said(name, folder)
    module = plugins.load("outcomes", name)
    rows = [row.name for row in module.measure(found, part).rows if not row.reference]
    named = module.row_names(study)
    assert [one for one in named if one in rows] == rows
    assert len(named) - len(rows) <= (name == "candidates")  # there is no PI-CAI score where all cases are of one kind


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_column_is_explained(name: str, folder: Path) -> None:
    _, found, part = _said(name, folder)
    tables = plugins.load("outcomes", name).measure(found, part).tables
    columns = {column for table in tables.values() for column in table.columns}
    assert sorted(column for column in columns if f"`{column}`" not in FILES) == []


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_objective_is_the_first_of_its_replicates(name: str, folder: Path) -> None:
    _, found, part = _said(name, folder)
    module = plugins.load("outcomes", name)
    if not hasattr(module, "replicates"):
        pytest.skip("nothing to maximise")
    drawn = module.replicates([found, found], part, 3)
    objective = module.objective(found, part)
    assert drawn.values.tolist() == pytest.approx([objective, objective])
    assert np.array_equal(drawn.drawn[0], drawn.drawn[1])  # the same resamples, so differences are paired
    assert np.array_equal(drawn.drawn, module.replicates([found, found], part, 3).drawn)
    assert module.words(part.settings)


@pytest.mark.parametrize("name", plugins.names("outcomes"))
def test_foreign_settings_are_errors(name: str) -> None:
    study = study_with("outcomes", name) if name != "records" else study_with("outcomes", "candidates")
    content = study.model_dump(mode="json", exclude_defaults=True)
    content["outcomes"][name] = {**content["outcomes"].get(name, {}), "no_such_key": 1}
    with pytest.raises(HakkenError, match=rf"outcomes\.{name}\.no_such_key: unknown key"):
        parse_study(content)
