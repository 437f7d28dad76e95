"""All finished studies on one page, and a contact sheet of their figures."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from matplotlib import image

from hakken.plots.overview import Row
from hakken.report.overview import overview_page
from hakken.report.result import gather
from hakken.stages import overview as stage

from ..report.finished import finish, finished_study


def test_page_and_sheet_show_the_studies_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = finished_study(tmp_path / "openings")
    other = one.model_copy(update={"name": "other", "title": "", "scale": "paper", "figures": ("froc",)})
    folders = [finish(study, tmp_path / study.name) for study in (one, other)]
    for folder, names in zip(folders, (("froc", "search"), ("froc",)), strict=True):
        (folder / "figures").mkdir()
        for name in names:
            image.imsave(folder / "figures" / f"{name}.png", np.zeros((20, 30, 3)))
    page, sheet = tmp_path / "overview.md", tmp_path / "overview.png"
    draw = Mock(wraps=stage.contact_sheet)
    monkeypatch.setattr(stage, "contact_sheet", draw)
    stage.overview(studies=[one, other], folders=folders, page=page, sheet=sheet)
    results = [gather(study, folder) for study, folder in zip((one, other), folders, strict=True)]
    assert page.read_text() == overview_page(results, "overview.png")
    assert sheet.stat().st_size > 1000
    of_one = tuple((name, folders[0] / "figures" / f"{name}.png") for name in ("froc", "search"))
    assert draw.call_args.args[0] == [
        Row("Lesions & <others>", "example at scale tiny, measured on: phantom", of_one),
        Row("other", "other at scale paper, measured on: phantom", (("froc", folders[1] / "figures" / "froc.png"),)),
    ]
