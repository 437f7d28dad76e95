"""The report: one page that needs nothing beside it."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hakken.report.page import CAPTIONS, render
from hakken.report.result import gather
from hakken.report.tokens import Rates
from hakken.study import Figure, Study

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
        "test set opened 1 \N{MULTIPLICATION SIGN}",
        "research use only",
        "sensitivity at 8.4 false positives per case",
        "0.70 [0.60, 0.80]",
        "0.650 [0.550, 0.750]",
        "undefined",
        "10, 23",
        "selected: trial 7 of 12",
        "0.01235",
        "inactive",
        "0.612",
        "GPU-hours of the trainings: 2.00.",
        "5tudy",
    ):
        assert words in text, words
    assert any("70 % at 8.4" in line and "A, 2017" in line for line in text)


def bill(text: list[str], heading: str) -> list[str]:
    """The cells of the table below a heading."""
    return text[text.index(heading) + 1 :]


def write_cost(results: Path, job: str, **cost: Any) -> None:
    path = results / "logs" / f"{job}.cost.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"seconds": 3600, "cpu_seconds": 3600, "gpu_seconds": 0, "peak_mb": 1} | cost))


def test_what_each_figure_has_cost(study: Study, results: Path, figures: list[Path]) -> None:
    write_cost(results, "trial/search-0000", gpu_seconds=7200)
    write_cost(results, "predict/selected")
    _, text = page(study, results, figures)
    cells = bill(text, "Cost of each figure")
    assert cells[:4] == ["figure", "jobs", "CPU-hours", "GPU-hours"]
    assert cells[4:12] == ["froc", "2", "2.000", "2.000", "search", "1", "1.000", "2.000"]
    assert any("Jobs that several figures need are counted in each of them" in line for line in cells)
    assert not any("tokens" in line for line in text)


def test_tokens_where_a_site_counts_them(study: Study, results: Path, figures: list[Path]) -> None:
    write_cost(results, "trial/search-0000", gpu_seconds=7200)
    write_cost(results, "predict/selected")
    _, text = page(study, results, figures, Rates(3.0, 0.5))
    cells = bill(text, "Cost of each figure")
    assert cells[5:10] == ["froc", "2", "2.000", "2.000", "6.50"]
    assert any(
        line.startswith("The site of this run counts 3.0 tokens for an hour of a GPU and 0.5 for") for line in text
    )


def test_attempts_that_were_killed_are_on_the_bill(study: Study, results: Path, figures: list[Path]) -> None:
    lost = {"seconds": 900, "cpu_seconds": 1800, "gpu_seconds": 0, "peak_mb": 1}
    write_cost(results, "trial/search-0000", unfinished=[lost, lost])
    _, text = page(study, results, figures)
    assert "In this are 2 attempts that were killed or failed: 1.000 CPU-hours." in text
    assert bill(text, "Cost of each figure")[8:11] == ["search", "1", "2.000"]


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


def test_every_figure_has_a_caption() -> None:
    assert set(CAPTIONS) == set(Figure.__args__)  # type: ignore[attr-defined]


def test_without_a_publication_there_is_no_comparison(study: Study, results: Path) -> None:
    _, text = page(study.model_copy(update={"published": None}), results, [])
    assert not any("Published" in line for line in text)
