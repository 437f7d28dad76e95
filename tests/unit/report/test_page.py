"""The report: one page that needs nothing beside it."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hakken import plugins
from hakken.report.page import render
from hakken.report.result import gather
from hakken.report.tokens import Rates
from hakken.study import Study

from .finished import BEST, candidates, write_cost, write_measured, write_record

VOID = {"meta", "img", "br", "hr", "link", "input"}
PNG = b"\x89PNG of "
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


class Balanced(HTMLParser):
    """Collects the text of a page and fails where a tag is not closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data.strip())


@pytest.fixture
def figures(results: Path) -> list[Path]:
    """Two figures: a small drawing, and one whose drawing is large."""
    folder = results / "figures"
    folder.mkdir()
    for name, size in (("froc", 0), ("search", 2_000_000)):
        (folder / f"{name}.svg").write_bytes(SVG + b" " * size)
        (folder / f"{name}.png").write_bytes(PNG + name.encode())
        (folder / f"{name}.json").write_text(json.dumps({"figure": name, "scale": "tiny", "text": "</pre><b>"}))
    return [folder / "froc.json", folder / "search.json"]


def page(study: Study, results: Path, figures: list[Path], rates: Rates | None = None) -> tuple[str, list[str]]:
    html = render(gather(study, results), figures, rates)
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return html, [text for text in parser.text if text]


def test_it_says_what_was_found(study: Study, results: Path, figures: list[Path]) -> None:
    _, text = page(study, results, figures)
    for words in (
        "Lesions & <others>",
        "study example",
        "scale tiny",
        "data: phantom",
        "research use only",
        "sensitivity at 8.4 FP/case",
        "test, untuned default",
        "test, brightest components",
        "95 % intervals, patients resampled",
        "cases, lesions",
        "0.70 [0.60, 0.80]",
        "0.650 [0.550, 0.750]",
        "undefined",
        "10, 23",
        "selected: trial 7 of 12",
        "0.01235",
        "inactive",
        "0.612",
        "0.400",
        "GPU-hours of the trainings: 2.00.",
        "5tudy",
    ):
        assert words in text, words
    assert any(line.startswith("test opening 1 known to this ledger, begun on 20") for line in text)
    assert any("70 % at 8.4" in line and "A, 2017" in line for line in text)


def test_what_trainings_waited_stands_below_the_cost(study: Study, results: Path, figures: list[Path]) -> None:
    write_record(results, "selected", BEST | {"waited_share": 0.0312, "validation_share": 0.25})
    said = (
        "no training of these models waited for data for more than 3.1 % or measured its objective for more than 25.0 %"
    )
    assert f"Of its time {said}." in page(study, results, figures)[1]


def bill(text: list[str], heading: str) -> list[str]:
    """The cells of the table below a heading."""
    return text[text.index(heading) + 1 :]


def charge(results: Path) -> None:
    """Write what the jobs of two figures have cost: a training of two GPU-hours, its prediction, the drawings."""
    write_cost(results, "trial/search-0000", ("patches",), ("record",), gpu_seconds=7200)
    write_cost(results, "predict/selected", ("record",), ("predictions",))
    write_cost(results, "figure/froc", ("predictions",), ("froc.json",))
    write_cost(results, "figure/search", ("record",), ("search.json",))


def test_what_each_figure_has_cost(study: Study, results: Path, figures: list[Path]) -> None:
    charge(results)
    _, text = page(study, results, figures)
    cells = bill(text, "Cost of each figure")
    assert cells[:4] == ["figure", "jobs", "CPU-hours", "GPU-hours"]
    assert cells[4:12] == ["froc", "3", "3.000", "2.000", "search", "2", "2.000", "2.000"]
    assert any("Jobs that several figures need are counted in each of them" in line for line in cells)
    assert not any("tokens" in line for line in text)


def test_the_cost_of_each_stage_and_of_all(study: Study, results: Path, figures: list[Path]) -> None:
    charge(results)
    _, text = page(study, results, figures)
    cells = bill(text, "Cost")
    assert cells[6:12] == ["figure", "2", "2.000", "0.000", "3600.0", "1"]
    assert cells[18:24] == ["trial", "3", "3.000", "2.000", "20.0", "1024"]
    assert cells[24:29] == ["all", "6", "6.000", "2.000", "1024"]


def test_tokens_where_a_site_counts_them(study: Study, results: Path, figures: list[Path]) -> None:
    charge(results)
    _, text = page(study, results, figures, Rates(3.0, 0.5))
    cells = bill(text, "Cost of each figure")
    assert cells[5:10] == ["froc", "3", "3.000", "2.000", "7.00"]
    assert any(
        line.startswith("The site of this run counts 3.0 tokens for an hour of a GPU and 0.5 for") for line in text
    )


def test_attempts_that_were_killed_are_on_the_bill(study: Study, results: Path, figures: list[Path]) -> None:
    charge(results)
    lost = {"seconds": 900, "cpu_seconds": 1800, "gpu_seconds": 0, "peak_mb": 1}
    write_cost(results, "trial/search-0000", ("patches",), ("record",), unfinished=[lost, lost])
    _, text = page(study, results, figures)
    assert "In this are 2 attempts that were killed or failed: 1.000 CPU-hours." in text
    assert bill(text, "Cost of each figure")[8:11] == ["search", "2", "3.000"]


def test_it_loads_nothing_from_elsewhere(study: Study, results: Path, figures: list[Path]) -> None:
    html, _ = page(study, results, figures)
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", html)
    assert "@import" not in html
    assert "<script" not in html


def test_small_drawings_are_embedded_as_such_and_large_ones_as_pixels(
    study: Study, results: Path, figures: list[Path]
) -> None:
    html, _ = page(study, results, figures)
    assert f"data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}" in html
    assert f"data:image/png;base64,{base64.b64encode(PNG + b'search').decode()}" in html
    assert html.count("<figure") == 2


def test_what_files_hold_is_text_and_never_markup(study: Study, results: Path, figures: list[Path]) -> None:
    html, text = page(study, results, figures)
    assert "<others>" not in html
    assert "</pre><b>" not in html
    assert any('"figure": "froc"' in line for line in text)


def test_a_figure_has_its_caption(study: Study, results: Path, figures: list[Path]) -> None:
    _, text = page(study, results, figures)
    for name in ("froc", "search"):
        assert plugins.load("figures", name).CAPTION in text


def test_what_was_measured_and_chosen_in_each_fold(study: Study, results: Path) -> None:
    evaluation = study.evaluation.model_copy(update={"design": "cross_validation", "folds": 2})
    for fold, rate in enumerate((0.01, 0.02)):
        trial = BEST | {"number": fold + 3, "fold": fold, "parameters": {"learning_rate": rate}}
        write_record(results, f"selected-f{fold}", trial)
    write_record(results, "default-f0", BEST | {"number": 0, "fold": 0})
    folds = tuple({"candidates": candidates(level)} for level in (0.1, 0.3))
    write_measured(results, study, "test", "selected", candidates(0.6), folds=folds)
    _, text = page(study.model_copy(update={"evaluation": evaluation}), results, [])
    shown = bill(text, "by fold")
    assert shown[:5] == ["fold 0", "fold 1", "test", "0.150 [0.050, 0.250]", "0.350 [0.250, 0.450]"]
    chosen = bill(text, "Selected parameters")
    assert chosen[1:4] == ["selected in fold 0: trial 3 of 12", "selected in fold 1: trial 4 of 12", "untuned default"]
    place = chosen.index("learning_rate")
    assert chosen[place + 1 : place + 4] == ["0.01", "0.02", f"{study.parameters.model_dump()['learning_rate']:.4g}"]


def test_what_warns(study: Study, results: Path) -> None:
    write_measured(results, study, "test", "default", candidates(0.4, "few < patients"))
    _, text = page(study, results, [])
    assert "* test, untuned default: few < patients" in text


def test_a_study_without_search_names_no_parameters(study: Study, results: Path) -> None:
    still = study.model_copy(update={"search": study.search.model_copy(update={"space": {}})})
    (results / "optimism.json").unlink()
    _, text = page(still, results, [])
    assert "Selected parameters" not in text
    assert not any("optimistic" in line for line in text)


def test_without_a_publication_there_is_no_comparison(study: Study, results: Path) -> None:
    _, text = page(study.model_copy(update={"published": None}), results, [])
    assert not any("Published" in line for line in text)
