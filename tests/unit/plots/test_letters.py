"""Names as users type them: every figure draws them, none is mathematics, and what no font has is said in words."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from hakken.core.console import console
from hakken.evaluation.agreement_measure import Labels, measure
from hakken.evaluation.intervals import Means
from hakken.evaluation.readers.intervals import Difference, Level
from hakken.evaluation.roc_measure import Cohort, Settings
from hakken.evaluation.roc_measure import measure as measure_scores
from hakken.plots import letters
from hakken.plots.bland_altman import StructureInput, draw_overlap
from hakken.plots.confusion import draw_confusion
from hakken.plots.interaction import InteractionInput, draw_interaction
from hakken.plots.letters import HOUSE, fitted, labelled, lacking_letters, shown
from hakken.plots.publish import save, save_one
from hakken.plots.readers import ReadersInput, draw_readers
from hakken.plots.roc import draw_roc, roc_input
from hakken.plots.scaling import ScalingInput, draw_scaling
from hakken.plots.style import ONE_COLUMN, Origin, new_figure, power_of_ten, style
from hakken.training.scaling import Scaled

from . import helpers

NAMES = {
    "dollars": "$x$ costs $5 and $y_{",
    "one dollar": "US$",
    "markup": r"_a^b\frac{}{%s}% {0} #&~",
    "newline": "first\nsecond\r\nthird",
    "long": "name " * 400,
    "right to left": "ورم \u05d2\u05d9\u05d3\u05d5\u05dc",
    "emoji": "🧠👨‍👩‍👧",
    "nothing": "a\0b\x1b[31m\x07",
    "turned": "a\u202egnp.exe",
    "half a letter": "a\udce7b",
    "Japanese": "良性の腫瘍",
    "no name": "",
}
KEYS = {"test", "validation", "default", "all", "diameter", "scanner", "complete", "failed", "found", "false", "missed"}
KEYS |= {"once", "tuned", "apart", "none", "highest", "lowest", "bayesian", "random", "learning_rate", "kernel"}
"""What the inputs of figures say to the code that draws them, and not to people."""


def renamed(value: Any, name: str) -> Any:
    """The input of a figure with another text behind everything that it writes."""
    if isinstance(value, str):
        return value if value in KEYS or value.endswith("-0") else f"{name}{value}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: renamed(getattr(value, one.name), name) for one in dataclasses.fields(value) if one.init}
        return dataclasses.replace(value, **changed)
    if isinstance(value, tuple | list):
        return type(value)(renamed(one, name) for one in value)
    return value


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let all figures of the helpers be drawn with another text in every name."""

    def change(name: str) -> None:
        places: list[ModuleType] = [helpers, *(one for one in vars(helpers).values() if isinstance(one, ModuleType))]
        for place in places:
            for draw, function in vars(place).copy().items():
                if draw.startswith("draw_"):
                    monkeypatch.setattr(
                        place,
                        draw,
                        lambda *given, function=function: function(*(renamed(one, name) for one in given)),
                    )

    return change


@pytest.fixture
def quiet() -> Iterator[None]:
    """No warning of matplotlib reaches the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


ALL_AT_ONCE = f"_{''.join(name for kind, name in NAMES.items() if kind != 'long')}"


@pytest.mark.parametrize("name", [ALL_AT_ONCE, NAMES["long"]], ids=["all at once", "long"])
@pytest.mark.parametrize("figure", helpers.FIGURES)
def test_every_figure_is_drawn_with_such_names(
    figure: str, name: str, named: Callable[[str], None], quiet: None, tmp_path: Path
) -> None:
    named(name)
    drawn = helpers.FIGURES[figure]()
    [path] = save(drawn, tmp_path / "figure", ["svg"])
    assert path.stat().st_size > 1000
    assert sum(shown(name)[:20].strip("_") in text.get_text() for text in drawn.findobj(Text)) >= 2  # type: ignore[attr-defined]


def of_commands(name: str) -> Iterator[Figure]:
    """The figures of the commands, with another text in every name."""
    factors = tuple((f"{name}{factor}", (f"{name}0", f"{name}1")) for factor in "abc")
    means = Means(np.full((2, 2, 2), 0.5), np.full((2, 2, 2), 0.05))
    yield draw_interaction(InteractionInput(factors, means, name, name))
    yield draw_overlap(
        (StructureInput(name, np.array([2.0, 4, 6]), np.array([1.0, 2, 3]), np.array([0.5, 1, 0.9]), 0),)
    )
    yield draw_readers(
        ReadersInput(
            label=name,
            reader=(f"{name}1", f"{name}2"),
            values=np.array([[0.7, 0.8], [0.8, 0.9]]),
            levels=tuple(Level(name, 0.8, 0.05, 5.0, 0.7, 0.9) for _ in range(2)),
            own=((0.1, 0.0, 0.2), (0.1, 0.0, 0.2)),
            mean=Difference(name, name, 0.05, 0.02, 9.0, 2.5, 0.03, 0.7, 0.9),
            note=name,
        )
    )
    trained = tuple(Scaled(n, n, 1, 1, "cpu", name, 1, 480, (1.0, 2.0), (0.3, 0.4)) for n in (1, 2))
    yield draw_scaling(ScalingInput(trained, {2: 1.5}, name, name, (name,), Origin(name, name, name, name)))
    label = np.arange(30) % 3 == 0
    scores = {name: np.linspace(0, 1, 30), f"{name} b": np.linspace(1, 0, 30)}
    found = measure_scores(Cohort(label, np.arange(30), scores), Settings(thresholds=(0.5,), resamples=20))
    yield draw_roc(roc_input(found, name))


@pytest.mark.parametrize("name", [ALL_AT_ONCE, NAMES["long"]], ids=["all at once", "long"])
def test_the_figures_of_commands_are_drawn_with_such_names(name: str, quiet: None, tmp_path: Path) -> None:
    for figure in of_commands(name):
        save(figure, tmp_path / "figure", ["svg"])


@pytest.mark.parametrize("name", NAMES)
def test_in_every_format(name: str, named: Callable[[str], None], quiet: None, tmp_path: Path) -> None:
    named(NAMES[name])
    for path in save(helpers.strata(), tmp_path / "figure"):
        assert path.stat().st_size > 1000


@pytest.mark.parametrize("name", NAMES)
def test_classes_of_a_table_may_have_such_names(name: str, quiet: None, tmp_path: Path) -> None:
    classes = (f"{NAMES[name]} 1", f"{NAMES[name]} 2")
    truth = [classes[number] for number in (0, 0, 1, 1, 0, 1)]
    labels = Labels(truth, np.arange(6), {NAMES[name]: truth[::-1]}, classes)
    save_one(draw_confusion(measure(labels, 20, 0), NAMES[name]), tmp_path / "figure.png")


def test_no_text_is_mathematics() -> None:
    for draw in helpers.FIGURES.values():
        figure = draw()
        with style():  # ticks are made when they are drawn
            assert not any(text.get_parse_math() for text in figure.findobj(Text))  # type: ignore[attr-defined]


def test_a_name_is_written_as_it_was_typed() -> None:
    with style():
        figure = new_figure(ONE_COLUMN, 2, Origin(r"cost_$x$ of $y_{ \frac", "tiny", "own data", "test opening 1"))
    letters.prepare(figure)
    assert figure.texts[0].get_text().startswith(r"cost_$x$ of $y_{ \frac  ·  scale tiny")


def test_a_legend_shows_a_name_that_begins_with_a_line() -> None:
    with style():
        axes = Figure().add_axes((0, 0, 1, 1))
        axes.plot([0, 1], [0, 1], label=labelled("_mine"))
        axes.plot([0, 1], [1, 0], label=labelled("other"))
        assert [text.get_text().strip("\u200b") for text in axes.legend().get_texts()] == ["_mine", "other"]


def test_axes_of_powers_of_ten_are_read_without_mathematics() -> None:
    assert [power_of_ten(value) for value in (1e-5, 1.0, 1000.0, 2.0)] == ["10⁻⁵", "10⁰", "10³", ""]
    for name in ("learnt", "calibration"):
        figure = helpers.FIGURES[name]()
        figure.draw_without_rendering()
        assert not [text.get_text() for text in figure.findobj(Text) if "$" in text.get_text()]


@given(st.text(max_size=300))
def test_what_is_shown_can_be_drawn(text: str) -> None:
    clean = shown(text)
    clean.encode()
    assert all(
        line.isprintable() or set(line) & set("\u2028\u2029\u200b") or not line.isascii() for line in clean.split("\n")
    )
    assert max(map(len, clean.split("\n"))) <= letters.LONGEST
    assert shown(clean) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("肝 $x$", "肝 $x$"),
        ("a\0b", "a\ufffdb"),
        ("a\udce7b", "a\ufffdb"),
        ("a\tb", "a b"),
        ("a\r\nb", "a\nb"),
        ("a\u202egnp", "agnp"),
        ("x" * 201, "x" * 100 + "…" + "x" * 99),
    ],
)
def test_shown(text: str, clean: str) -> None:
    assert shown(text) == clean


def said(figure: Figure, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with console("figure", None):
        save(figure, folder / "figure")
    return capsys.readouterr().err


def labels_in(text: str) -> Figure:
    with style():
        figure = new_figure(ONE_COLUMN, 2, Origin(text, "tiny", "phantom", None))
        axes = figure.add_axes((0.2, 0.2, 0.6, 0.6))
        axes.set_xticks([0, 1], [text, text])
    return figure


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no font but those that come with matplotlib."""
    own = [entry for entry in font_manager.fontManager.ttflist if mpl.get_data_path() in entry.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    letters._installed.cache_clear()
    letters._letters_of.cache_clear()


def test_letters_that_no_font_has_are_named_once_in_words(
    bare: None, tmp_path: Path, quiet: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(labels_in("悪性 良性 tumour"), tmp_path, capsys) == (
        "[figure] no font on this machine has 悪 性 良: the figure shows boxes in their place; install a font that has "
        "them (for Japanese and Chinese, Noto Sans CJK or IPAex Gothic) and draw the figure again\n"
    )
    shown_korean = said(labels_in("양성"), tmp_path, capsys)
    assert "(for Korean, Noto Sans CJK)" in shown_korean
    many = "".join(chr(0x4E00 + number) for number in range(20))
    assert "has 一 丁 丂 七 丄 丅 丆 万 丈 三 上 下 and 8 more: the figure" in said(labels_in(many), tmp_path, capsys)
    assert said(labels_in("Läsion, größer als 5 µm² · Ω ≥ π"), tmp_path, capsys) == ""


def made_font(path: Path, family: str, text: str) -> Path:
    """A font of that name in which each letter of a text looks like an E."""
    font = TTFont(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap.update({ord(letter): "E" for letter in text})
    for record in font["name"].names:
        if record.nameID in (1, 4, 16):
            record.string = family
        if record.nameID == 6:
            record.string = family.replace(" ", "")
    font.save(path)
    return path


def test_an_installed_font_for_japanese_is_used_and_changes_no_other_figure(
    bare: None, tmp_path: Path, quiet: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was installed after matplotlib had made its list of fonts."""
    before = [path.read_bytes() for path in save(helpers.froc(), tmp_path / "before")]
    path = made_font(tmp_path / "font.ttf", "IPAexGothic", "良性悪")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(path)])
    letters._installed.cache_clear()
    assert letters.families() == [HOUSE, "IPAexGothic"]
    assert said(labels_in("悪性 良性"), tmp_path, capsys) == ""
    assert lacking_letters("悪性 腫") == ["腫"]
    assert [path.read_bytes() for path in save(helpers.froc(), tmp_path / "after")] == before
    monkeypatch.undo()
    letters._installed.cache_clear()
    letters._letters_of.cache_clear()


@given(st.text(max_size=40), st.integers(5, 40))
def test_a_name_is_as_wide_as_may_be_and_keeps_its_ends(name: str, width: int) -> None:
    short = fitted(name, width)
    assert sum(map(letters._width, short)) <= width
    assert short == name or (name.startswith(short.split("…")[0]) and name.endswith(short.rpartition("…")[2]))
