"""Figures as files: the same bytes each time, whatever a user has set, without dates, with fonts that travel."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import matplotlib as mpl
import pytest

from hakken.core.errors import HakkenError
from hakken.plots.publish import publish, save, save_one

from .helpers import FIGURES, froc


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_drawn_again_is_the_same_file(name: str, tmp_path: Path) -> None:
    [first], [second] = (save(FIGURES[name](), tmp_path / which, ["svg"]) for which in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["froc", "overlays"])
def test_it_is_so_in_every_format_with_lines_and_with_pictures(name: str, tmp_path: Path) -> None:
    first, second = (save(FIGURES[name](), tmp_path / which) for which in ("first", "second"))
    assert [path.suffix for path in first] == [".pdf", ".svg", ".png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.suffix


def test_the_users_own_settings_change_nothing(tmp_path: Path) -> None:
    [plain] = save(froc(), tmp_path / "plain", ["svg"])
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "none", "axes.facecolor": "red"}):
        [styled] = save(froc(), tmp_path / "styled", ["svg"])
    assert plain.read_bytes() == styled.read_bytes()


def test_pdf_fonts_are_embedded_and_there_is_no_date(tmp_path: Path) -> None:
    [path] = save(froc(), tmp_path / "figure", ["pdf"])
    content = path.read_bytes()
    streams = [unpacked(part) for part in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL)]
    text = content + b"".join(streams)
    assert b"/FontFile2" in text
    assert b"/Type3" not in text
    for word in (b"CreationDate", b"ModDate", b"Producer", b"Creator"):
        assert word not in text


def unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream


def test_svg_letters_are_outlines_and_there_is_no_date(tmp_path: Path) -> None:
    [path] = save(froc(), tmp_path / "figure", ["svg"])
    content = path.read_text()
    assert "<text" not in content
    assert "dc:date" not in content


def test_an_unknown_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"figure.gif: figures are written as pdf, svg, png, not as `gif`"):
        save_one(froc(), tmp_path / "figure.gif")


def test_the_provenance_stands_beside_the_pictures_and_nothing_else(tmp_path: Path) -> None:
    output = [tmp_path / f"froc.{kind}" for kind in ("pdf", "svg", "png", "json")]
    publish(froc(), output, {"study": "dots"})
    assert json.loads(output[-1].read_text()) == {"study": "dots"}
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in output}
