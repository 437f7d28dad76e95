from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.inference.detect import detect_prepared
from hakken.runs.model_file import load_model, predict_case, require_same_channels, save_model
from hakken.networks.patch_cnn import PatchClassifier

from ..tasks.helpers import GEOMETRY, prepare_case, study


def saved(path: Path) -> PatchClassifier:
    settings = study()
    torch.manual_seed(0)
    network = PatchClassifier(2, 3, settings.parameters).eval()
    metadata = {"number": 3, "objective": 0.5}
    save_model(
        path, network.state_dict(), study=settings, parameters=settings.parameters, dimensions=3, metadata=metadata
    )
    return network


def test_a_model_comes_back_with_its_study_and_gives_the_same_scores(tmp_path: Path) -> None:
    network = saved(tmp_path / "model.pt")
    detector = load_model(tmp_path / "model.pt")
    assert detector.study == study()
    assert detector.channels == ("A", "B")
    assert detector.metadata == {"number": 3, "objective": 0.5}
    assert not detector.network.training
    patch = torch.randn(2, 2, *network.patch_shape)
    torch.testing.assert_close(detector.network(patch), network(patch), rtol=0, atol=0)


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    saved(tmp_path / "one.pt")
    saved(tmp_path / "another.pt")
    assert sha256_file(tmp_path / "one.pt") == sha256_file(tmp_path / "another.pt")


def test_a_prepared_case_and_its_arrays_give_the_same_candidates(tmp_path: Path) -> None:
    saved(tmp_path / "model.pt")
    detector = load_model(tmp_path / "model.pt")
    case = prepare_case(tmp_path, "a", [(8, 9, 10)])
    found = detect_prepared(detector.network, case, detector.study.inference)
    again = predict_case(detector, case.image(), case.mask(), GEOMETRY)
    np.testing.assert_array_equal(found.xyz, again.xyz)
    assert len(found) > 0
    fewer = study(inference={"maximum_candidates": 1})
    assert len(detect_prepared(detector.network, case, fewer.inference)) == 1


def test_other_channels_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "model.pt")
    detector = load_model(tmp_path / "model.pt")
    with pytest.raises(HakkenError, match="image with 1 channels: the model was trained on 2: A, B"):
        predict_case(detector, np.zeros((1, 22, 26, 24)), np.ones((22, 26, 24)), GEOMETRY)


def test_a_prepared_case_must_have_the_channels_of_the_training(tmp_path: Path) -> None:
    saved(tmp_path / "model.pt")
    detector = load_model(tmp_path / "model.pt")
    case = prepare_case(tmp_path, "a", [(8, 9, 10)])
    require_same_channels(detector, case)
    with pytest.raises(HakkenError) as error:
        require_same_channels(detector, replace(case, channels=("B", "A")))
    assert str(error.value) == "case a: has the channels B, A, the model was trained on A, B"


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"gone\.pt: no such model"):
        load_model(tmp_path / "gone.pt")
    (tmp_path / "text.pt").write_text("not a model")
    with pytest.raises(HakkenError, match=r"text\.pt: no model that can be read"):
        load_model(tmp_path / "text.pt")
    torch.save({"format": "something else"}, tmp_path / "other.pt")
    with pytest.raises(HakkenError, match=r"other\.pt: not a model of this version of hakken \(found 'something else'"):
        load_model(tmp_path / "other.pt")
