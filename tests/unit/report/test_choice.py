"""What summary and report say of trials that were trained again and of averages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hakken.core.files import read_json
from hakken.report.page import render
from hakken.report.result import gather
from hakken.report.summary import summarise
from hakken.seal.freeze import DIGEST, write_sealed
from hakken.study import Study

CONFIRMED = [
    {"number": 7, "objectives": [0.61, 0.52, 0.55], "mean": 0.56, "failed": 0},
    {"number": 3, "objectives": [0.60, 0.40], "mean": 0.50, "failed": 1},
]
TRIED = [
    {"size": 1, "objective": 0.56, "seconds_per_case": 1.0},
    {"size": 2, "objective": 0.58, "seconds_per_case": 2.1},
]
MEMBERS = [
    {"number": 7, "seed": 2, "sha256": "a", "seconds": 40.0},
    {"number": 3, "seed": 0, "sha256": "b", "seconds": 50.0},
]


def recorded(study: Study, results: Path, **more: Any) -> str:
    """Add to what is recorded of the choice; return the summary and the page."""
    path = results / "models" / "selected.json"
    content = {key: value for key, value in read_json(path).items() if key != DIGEST}
    write_sealed(path, content | more)
    search = study.search.model_copy(update={"confirm": 2})
    result = gather(study.model_copy(update={"search": search}), results)
    return summarise(result) + render(result, [])


def test_the_mean_over_seeds_is_what_the_choice_went_by(study: Study, results: Path) -> None:
    text = recorded(study, results, confirmed=CONFIRMED, seed=2, objective=0.56)
    for line in (
        "selected: trial 7 of 12 (11 complete, 1 failed)\n"
        "  trained again with other seeds, chosen by the mean; of its models that of seed 2 is kept:\n"
        "    trial 7: mean 0.560 of 3 seeds (0.610, 0.520, 0.550)\n"
        "    trial 3: mean 0.500 of 2 seeds (0.600, 0.400), 1 failed\n",
        "validation objective (partial AUC up to 10 FP/case, mean over seeds) 0.560, corrected",
        "<td>0.560, mean over seeds</td>",
        "trial 7: mean 0.560 of 3 seeds (0.610, 0.520, 0.550); trial 3: mean 0.500 of 2 seeds (0.600, 0.400), 1 failed."
        " The model that is kept is the training whose objective is nearest to the mean: that of seed 2.",
    ):
        assert line in text


def test_the_model_of_the_search_may_be_the_one_that_is_kept(study: Study, results: Path) -> None:
    text = recorded(study, results, confirmed=CONFIRMED, seed=0, objective=0.56)
    assert "of its models that of the search is kept:" in text
    assert "nearest to the mean: that of the search." in text


def test_an_average_says_of_what_it_is_and_what_it_costs(study: Study, results: Path) -> None:
    ensemble = {"members": MEMBERS, "tried": TRIED}
    text = recorded(study, results, confirmed=CONFIRMED, seed=2, objective=0.58, ensemble=ensemble)
    for line in (
        "selected: average of trials 7, 3 of 12 (11 complete, 1 failed)\n"
        "  objective alone 0.560, of 2 averaged 0.580\n"
        "  its trainings 90 s, prediction 2.1 s per case (1.0 s alone)\n",
        "validation objective (partial AUC up to 10 FP/case) 0.580, corrected",
        "<td>0.580</td>",
        "selected: average of trials 7, 3 of 12</th>",
        "The average is the model that is kept",
    ):
        assert line in text


def test_the_best_alone_is_kept_where_no_average_is_better(study: Study, results: Path) -> None:
    text = recorded(study, results, objective=0.6, ensemble={"members": MEMBERS[:1], "tried": TRIED})
    assert "selected: trial 7 of 12 (11 complete, 1 failed)\n  objective alone 0.560" in text
    assert "its trainings 40 s, prediction 1.0 s per case\n" in text
    assert "The best trial alone is kept." in text
