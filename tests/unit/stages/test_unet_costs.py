"""What each size of a frozen U-Net costs: one row for each, baselines passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hakken.methods.unet.cost import multiply_adds, peak_bytes
from hakken.networks.unet import sub_network
from hakken.runs.learner import learner_of
from hakken.runs.model_file import load_model, save_model
from hakken.stages import unet_costs as stage
from hakken.stages.unet_costs import COSTS, unet_costs
from hakken.study import Study

from ..miniature import prepare_case, study, without

SMALL = {"poolings": 1, "convolutions": 1, "base_features": 4, "growth": 1.0, "patch_size": 8, "dropout": 0.0}
SOLID = study(
    without("parameters", "search", "patches"),
    method="unet",
    parameters=SMALL | {"sizes": {"levels": [1, 2], "features": [0.5, 1.0]}},
    patches={"size_voxel": 8},
)
FLAT = SOLID.model_copy(update={"patches": SOLID.patches.model_copy(update={"axes": 2})})


def write(path: Path, chosen: Study, **more: Any) -> Path:
    torch.manual_seed(0)
    learner: Any = learner_of(chosen)
    model = learner.export(learner.networks())
    weights = {name: network.state_dict() for name, network in model.networks.items()}
    save_model(path, weights, model.values, study=chosen, metadata={}, **more)
    return path


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One case; what is timed is timed once."""
    monkeypatch.setattr(stage, "REPEATS", 1)
    prepare_case(tmp_path / "cases", "a", [(8.0, 9.0, 10.0)])
    return tmp_path / "cases"


@pytest.mark.parametrize(("chosen", "extent"), [(SOLID, (22, 26, 24)), (FLAT, (26, 24))], ids=["solid", "flat"])
def test_a_row_for_each_size(
    chosen: Study, extent: tuple[int, ...], tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, rule = write(tmp_path / "selected.pt", chosen), tmp_path / "rule.pt"
    save_model(rule, {}, {"level": 0.5}, study=chosen, metadata={}, baseline="colour_threshold")
    unet_costs(models=[model, rule], cases=[cases], output=tmp_path / "costs.csv")
    network: Any = load_model(model).model.networks["network"]
    shape = (1, 2, *extent)
    heads, *rows = [line.split(",") for line in (tmp_path / "costs.csv").read_text().splitlines()]
    assert tuple(heads) == COSTS
    assert [row[:3] for row in rows] == [
        ["selected", level, width] for level, width in (("2", "1.0"), ("2", "0.5"), ("1", "1.0"), ("1", "0.5"))
    ]
    for row in rows:
        small = sub_network(network, int(row[1]), float(row[2]))
        expected = (small.parameter_count, multiply_adds(small, shape), peak_bytes(small, shape))
        assert tuple(map(int, row[3:6])) == expected
        assert float(row[6]) > 0
        assert row[7:] == ["cpu", "x".join(map(str, extent))]
    assert "[unet costs] 4 sizes of networks" in capsys.readouterr().err


def test_a_model_without_sizes_is_named(tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write(tmp_path / "selected.pt", study())
    with pytest.raises(SystemExit) as stopped:
        unet_costs(models=[model], cases=[cases], output=tmp_path / "costs.csv")
    assert stopped.value.code == 2
    assert "model selected: is no U-Net and has no sizes" in capsys.readouterr().err
    assert not (tmp_path / "costs.csv").exists()
