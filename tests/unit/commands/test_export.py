"""`hakken export`: a network cut out of a larger one says the same as it does at that size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hakken.cli import main
from hakken.core.files import sha256_file
from hakken.runs.learner import learner_of
from hakken.runs.model_file import load_model, save_average, save_model
from hakken.seal.freeze import write_sealed
from hakken.study import Study

from ..miniature import prepare_case, study, without
from ..stages import vectors

UNET = study(
    without("parameters", "search", "patches"),
    method="unet",
    parameters={
        "poolings": 1,
        "convolutions": 1,
        "base_features": 4,
        "growth": 1.0,
        "patch_size": 8,
        "dropout": 0.0,
        "sizes": {"levels": [1, 2], "features": [0.5, 1.0]},
    },
    patches={"size_voxel": 8},
)


def write(path: Path, chosen: Study = UNET) -> Path:
    torch.manual_seed(0)
    learner: Any = learner_of(chosen)
    model = learner.export(learner.networks())
    weights = {name: network.state_dict() for name, network in model.networks.items()}
    save_model(path, weights, model.values, study=chosen, metadata={"number": 3})
    return frozen(path)


def frozen(path: Path) -> Path:
    """Freeze a model, as its study does."""
    points = {"masks": {"threshold": 0.5}}
    write_sealed(path.parents[1] / "freeze.json", {"models": {"m": {"sha256": sha256_file(path), "points": points}}})
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "models/selected.pt")


ASKED: dict[str, tuple[list[str], tuple[int, float]]] = {
    "1 level": (["--levels", "1"], (1, 1.0)),
    "2 levels, 0.5 of the maps": (["--features", "0.5"], (2, 0.5)),
    "2 levels": ([], (2, 1.0)),
}


@pytest.mark.parametrize("words", ASKED)
def test_a_model_of_one_size_is_written_and_says_the_same(
    words: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, size = ASKED[words]
    small = tmp_path / "small.pt"
    assert main(["export", str(model), *options, "--output", str(small)]) == 0
    large, cut = load_model(model), load_model(small)
    network, smaller = (trained.model.networks["network"] for trained in (large, cut))
    image = torch.randn(1, 2, 9, 10, 11)
    with torch.no_grad():
        assert torch.equal(smaller(image), network(image, *size))
    weights, whole = (sum(one.numel() for one in each.parameters()) for each in (smaller, network))
    assert capsys.readouterr().out == f"{small}: {weights} of {whole} weights, {words}\n"
    assert cut.metadata == {"number": 3, "size": words}
    case = prepare_case(tmp_path, "a", [(8.0, 9.0, 10.0)])
    (mask,) = cut.predict(case, ("masks",))["masks"].values()
    assert (mask == large.predict(case, ("masks",))["masks"][words]).all()


def test_a_size_that_was_not_trained_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parameters = UNET.parameters.model_dump() | {"sizes": {"levels": [1, 2]}}
    model = write(tmp_path / "selected.pt", UNET.model_copy(update={"parameters": type(UNET.parameters)(**parameters)}))
    assert main(["export", str(model), "--features", "0.5", "--output", str(tmp_path / "small.pt")]) == 0
    assert capsys.readouterr().out.endswith(
        " weights, 2 levels, 0.5 of the maps; it was not trained at this size, and its masks are untested\n"
    )


def test_a_depth_that_the_network_has_not(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "small.pt"
    assert main(["export", str(model), "--levels", "7", "--output", str(output)]) == 2
    assert capsys.readouterr().err == (f"hakken export: {model}: 7 levels: this U-Net has 2; choose 1 to 2\n")
    assert not output.exists()


def test_a_model_is_not_overwritten_by_a_part_of_itself(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = model.read_bytes()
    assert main(["export", str(model), "--levels", "1", "--output", str(model)]) == 2
    assert capsys.readouterr().err == (f"hakken export: --output {model}: is the model itself; name another file\n")
    assert model.read_bytes() == before


def test_a_method_of_one_size_has_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write(tmp_path / "selected.pt", study())
    assert main(["export", str(model), "--levels", "1", "--output", str(tmp_path / "small.pt")]) == 2
    assert capsys.readouterr().err == (
        f"hakken export: {model}: a model of the method `patch_classifier` has one size and no other\n"
    )


def test_neither_has_a_baseline(toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = frozen(vectors.coin(tmp_path / "models/toy_coin.pt"))
    assert main(["export", str(model), "--levels", "1", "--output", str(tmp_path / "small.pt")]) == 2
    assert "one size and no other" in capsys.readouterr().err


def test_neither_has_an_average(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "one.pt", study())
    model = tmp_path / "selected.pt"
    save_average(model, [one, one], {})
    frozen(model)
    assert main(["export", str(model), "--levels", "1", "--output", str(tmp_path / "small.pt")]) == 2
    assert f"{model}: is the average of 2 models and has no one network" in capsys.readouterr().err
