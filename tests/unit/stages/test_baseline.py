"""What has learnt nothing: chosen on validation, kept as a model is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken import plugins
from hakken.runs.model_file import load_model
from hakken.stages.baseline import baseline
from hakken.stages.predict import predict

from ..miniature import GEOMETRY, save_case, study, without
from . import vectors


def test_what_was_chosen_is_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    channels = ("red", "green", "blue")
    chosen = study(
        without("parameters", "search", "channels", "patches"),
        method="unet",
        patches={"size_voxel": 16},
        channels={name: {"modality": "endoscopy"} for name in channels},
    )
    labels = np.zeros(GEOMETRY.shape_zyx, np.int16)
    labels[4:14, 5:21, 6:18] = 1
    image = np.stack([labels + 0.1, np.full(labels.shape, 0.5), np.full(labels.shape, 0.5)])
    save_case(tmp_path / "validation", "v", image, channels=channels, labels=labels)
    path = tmp_path / "colour_threshold.pt"
    baseline(study=chosen, name="colour_threshold", cases=[tmp_path / "validation"], output=path)
    trained = load_model(path)
    assert (trained.baseline, trained.metadata) == ("colour_threshold", {"baseline": "colour_threshold"})
    assert trained.model.values["dice"] == 1.0
    words = plugins.load("baselines", "colour_threshold").words(trained.model.values, chosen)
    assert capsys.readouterr().err == f"[baseline] colour_threshold: {words}\n"
    predict(study=chosen, models=[path], cases=[tmp_path / "validation"], output=tmp_path / "said")
    assert "v,,0,0" not in (tmp_path / "said" / "masks.csv").read_text()
    assert "v," in (tmp_path / "said" / "masks.csv").read_text()


def test_one_of_another_package_is_kept_too(toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = vectors.checked(tmp_path / "checked.json", ill="a", well="b")
    baseline(study=vectors.study(), name="toy_coin", cases=[cases], output=tmp_path / "toy_coin.pt")
    assert load_model(tmp_path / "toy_coin.pt").baseline == "toy_coin"
    assert capsys.readouterr().err == "[baseline] toy_coin: a coin\n"
