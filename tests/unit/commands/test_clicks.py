"""Clicks on the lesions of a new case, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.commands.clicks import clicked, given_clicks
from hakken.core.errors import HakkenError
from hakken.imaging.files import read_volume, write_volume
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import Click, clicks_on
from hakken.study import Study
from hakken.study.reading import parse_study

from ..miniature import GEOMETRY, content_of, prepare_case, save_case, without
from .test_predict import head, write_model


def study(method: str = "clicked_lesion", **more: Any) -> Study:
    sections = () if method == "patch_classifier" else ("patches", "parameters", "search")
    return parse_study(content_of(without(*sections), method=method, **more)).model_copy(update={"scale": "tiny"})


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,0", "1,2,3,x", "1,2,nan,4", "1,2,3,inf", ""])
def test_what_is_no_click(text: str) -> None:
    with pytest.raises(HakkenError) as stopped:
        given_clicks([text], study())
    assert str(stopped.value) == (f"--click={text}: is not four numbers X,Y,Z,SIZE in mm, the last above 0; correct it")


def test_clicks_are_needed_or_not_taken() -> None:
    assert given_clicks(["1,2,3,4", "-1,0,0.5,9"], study()) == ((1, 2, 3, 4), (-1, 0, 0.5, 9))
    with pytest.raises(HakkenError, match="segments what is clicked on; give --click=X,Y,Z,SIZE in mm for each lesion"):
        given_clicks([], study())
    assert given_clicks([], study("patch_classifier")) == ()
    with pytest.raises(HakkenError, match="--click=1,2,3,4: the model of study balls takes no clicks; leave it out"):
        given_clicks(["1,2,3,4"], study("patch_classifier"))


def test_the_clicks_of_a_user_are_taken_as_they_are(tmp_path: Path) -> None:
    x, y, z = GEOMETRY.centre
    case = clicked(prepare_case(tmp_path, "a", [(8, 8, 8)]), ((x, y, z, 7.0),))
    assert isinstance(case, PreparedCase)
    assert clicks_on(case, 0.1, 1) == {1: Click((x, y, z), 7.0)}


def test_a_click_outside_of_the_image(tmp_path: Path) -> None:
    case = save_case(tmp_path, "a", np.zeros((2, *GEOMETRY.shape_zyx)))
    with pytest.raises(HakkenError, match="--click=900,0,0,5: lies outside of the image, which is 24x26x22 voxels of"):
        clicked(case, ((900.0, 0.0, 0.0, 5.0),))


def test_a_mask_of_each_lesion_that_is_clicked_on(tmp_path: Path) -> None:
    from hakken.cli import main

    chosen = study(
        channels={"B": {"modality": "mr", "normalise": "percentile"}},
        registration={"method": "none"},
        parameters={"voxels": 8, "levels": 2, "base_features": 4, "convolutions": 1},
        inference={"threshold": 0.001},
    )
    model = write_model(tmp_path / "results/balls/tiny/models/selected.pt", chosen)
    write_volume(tmp_path / "new.nii.gz", head())
    x, y, z = head().geometry.centre
    output = tmp_path / "mask.nii.gz"
    images = [f"--image={channel}={tmp_path / 'new.nii.gz'}" for channel in "AB"]
    arguments = ["--model", str(model), *images, "--output", str(output)]
    main(["predict", *arguments, f"--click={x},{y},{z},12", f"--click={x + 14},{y},{z},6"])
    labels = read_volume(output).array
    assert set(np.unique(labels).tolist()) == {0, 1, 2}
