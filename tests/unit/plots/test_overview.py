"""The contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.image import imsave

from hakken.plots.overview import COLUMNS, Row, contact_sheet


def test_every_figure_has_a_tile_with_its_name(tmp_path: Path) -> None:
    for name, shape in (("wide", (10, 40, 3)), ("high", (40, 10, 3))):
        imsave(tmp_path / f"{name}.png", np.full(shape, 0.5))
    five = tuple((f"f{number}", tmp_path / ("wide.png" if number % 2 else "high.png")) for number in range(COLUMNS + 1))
    figure = contact_sheet([Row("First", "phantom", five), Row("Second", "own data", five[:1])])
    assert len(figure.axes) == COLUMNS + 2
    words = [text.get_text() for text in figure.texts]
    assert words == ["First", "phantom", *(name for name, _ in five), "Second", "own data", "f0"]
    boxes = [axes.get_position() for axes in figure.axes]
    for number, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
