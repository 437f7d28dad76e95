from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.methods.imagenet_classifier.pretrained import load_weights, weights_file
from hakken.networks.imagenet.efficientnet_lite import EfficientNetLite0
from hakken.networks.imagenet.googlenet import GoogLeNet


def saved(path: Path, state: object) -> str:
    torch.save(state, path)
    return sha256_file(path)


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """The state dict of a network with 1000 classes."""
    torch.manual_seed(1)
    return EfficientNetLite0(1000).state_dict()


def test_all_weights_but_the_classifier_come_from_the_file(tmp_path: Path, published: dict[str, torch.Tensor]) -> None:
    digest = saved(tmp_path / "lite.pth", published)
    network = EfficientNetLite0(5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    load_weights(network, tmp_path / "lite.pth", digest.upper())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name] if name.startswith("_fc.") else published[name]), name


def test_auxiliary_heads_and_missing_counts_of_batches_are_no_problem(tmp_path: Path) -> None:
    state = {name: value for name, value in GoogLeNet().state_dict().items() if "num_batches" not in name}
    state["aux1.fc1.weight"] = torch.zeros(1024, 2048)
    state["aux2.conv.bn.bias"] = torch.zeros(128)
    network = GoogLeNet(5)
    load_weights(network, tmp_path / "g.pth", saved(tmp_path / "g.pth", state))
    assert torch.equal(network.conv1.conv.weight, state["conv1.conv.weight"])


def test_a_file_of_an_installed_package_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "some_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "a.pth").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert weights_file(Path("some_weights/models/a.pth")) == package / "models" / "a.pth"
    with pytest.raises(HakkenError, match="install what ships it"):
        weights_file(Path("some_weights/models/b.pth"))
    assert weights_file(package / "models" / "a.pth") == package / "models" / "a.pth"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: {n: v for n, v in state.items() if n != "_bn0.weight"}, "lacks _bn0.weight; these are not"),
        (lambda state: state | {"extra.weight": torch.zeros(1)}, "has in addition extra.weight; these"),
        (lambda state: state | {"_bn0.weight": torch.zeros(3)}, "has in another shape _bn0.weight; these"),
        (lambda state: {"state_dict": state}, "no state dict, that is tensors by name"),
        (lambda state: {}, "lacks _conv_stem.weight, _bn0.weight, _bn0.bias and 2"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, published: dict[str, torch.Tensor], change, message: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "other.pth"
    digest = saved(path, change(dict(published)))
    with pytest.raises(HakkenError) as error:
        load_weights(EfficientNetLite0(5), path, digest)
    assert message in str(error.value)


def test_a_file_that_is_missing_damaged_or_no_file_of_tensors(tmp_path: Path) -> None:
    network, path = EfficientNetLite0(5), tmp_path / "x.pth"
    with pytest.raises(HakkenError, match=r"x\.pth: no such file of weights, nor one of an installed package"):
        weights_file(path)
    path.write_text("no weights")
    with pytest.raises(HakkenError, match=r"has the SHA-256 [0-9a-f]{64}, the study expects 0{64}"):
        load_weights(network, path, "0" * 64)
    with pytest.raises(HakkenError, match="no weights that can be read"):
        load_weights(network, path, sha256_file(path))
