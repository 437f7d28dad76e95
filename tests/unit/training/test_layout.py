"""The layout of a host: its file, what the CPU can do, and the order of memory that changes no result."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.errors import HakkenError
from hakken.core.tensors import arrange_images
from hakken.inference.dense import score_map
from hakken.methods.autoencoder.network import ConvAutoencoder
from hakken.methods.expectation.network import ExpectationUNet
from hakken.methods.projection_classifier.network import ProjectionClassifier
from hakken.networks.imagenet.crop_classifier import CropClassifier
from hakken.networks.patch_cnn import PatchClassifier
from hakken.networks.structure import Structure
from hakken.networks.unet import UNet
from hakken.training import layout as module
from hakken.training.layout import Layout, arrange, has_bfloat16, layout_path, read_layout, write_layout

SOUND: dict[str, Any] = {"processes": 2, "threads": 4, "channels_last": True, "precision": "float32"}
AGAIN = "; run `hakken tune-cpu` again, or remove the file"
SMALL = Structure(base_features=8, convolutions=2, patch_size=16)
DEEP = replace(SMALL, poolings=2)
NETWORKS: list[Any] = [  # a network, and the shape of its images without the batch
    pytest.param(lambda: PatchClassifier(2, 3, SMALL), (2, 16, 16, 16), id="patches-3"),
    pytest.param(lambda: PatchClassifier(2, 2, SMALL), (2, 1, 16, 16), id="patches-2"),
    pytest.param(lambda: ProjectionClassifier(2, SMALL), (2, 16, 16, 16), id="projections"),
    pytest.param(lambda: ConvAutoencoder(2, 3, DEEP), (2, 16, 16, 16), id="autoencoder-3"),
    pytest.param(lambda: ConvAutoencoder(2, 2, DEEP), (2, 1, 16, 16), id="autoencoder-2"),
    pytest.param(lambda: UNet(2, 1, 2, DEEP), (2, 16, 16), id="unet-2"),
    pytest.param(lambda: UNet(2, 1, 3, SMALL), (2, 16, 16, 16), id="unet-3"),
    pytest.param(lambda: ExpectationUNet(2, 1, 2, DEEP), (2, 16, 16), id="expectation"),
    pytest.param(lambda: CropClassifier("efficientnet_lite0", 2, 64), (3, 64, 64), id="imagenet"),
]


def cpuinfo(path: Path, *lines: str) -> Path:
    path.write_text("\n\n".join(f"processor : {n}\nmodel name : A CPU\n{line}" for n, line in enumerate(lines)))
    return path


def test_a_layout_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Layout(2, 4, channels_last=True)
    write_layout(tmp_path / "a" / "host.json", written, {"host": "node", "patches_per_second": [1.0]})
    assert read_layout(tmp_path / "a" / "host.json") == written
    assert json.loads((tmp_path / "a" / "host.json").read_text())["host"] == "node"


def test_where_nothing_was_measured_there_is_no_layout(tmp_path: Path) -> None:
    assert read_layout(tmp_path / "none.json") is None


def test_each_host_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("socket.gethostname", lambda: "node07")
    assert layout_path() == tmp_path / "hakken" / "layouts" / "node07.json"
    assert read_layout() is None
    write_layout(layout_path("node07"), Layout(threads=8), {})
    assert read_layout() == Layout(threads=8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("[]", "`layout` must hold processes, threads, channels_last, precision and nothing else"),
        ("{}", "`layout` must hold processes, threads, channels_last, precision and nothing else"),
        ({"cores": 1}, "`layout` must hold processes, threads, channels_last, precision and nothing else"),
        ({"processes": 0}, "layout.processes is 0, not a whole number of 1 or more"),
        ({"threads": True}, "layout.threads is True, not a whole number of 1 or more"),
        ({"threads": 1.5}, "layout.threads is 1.5, not a whole number of 1 or more"),
        ({"channels_last": 1}, "layout.channels_last is 1, not true or false"),
        ({"precision": "half"}, "layout.precision is 'half', not float32 or bfloat16"),
        ({"precision": ["float32"]}, "layout.precision is ['float32'], not float32 or bfloat16"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    content: str | dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "host.json"
    path.write_text(content if isinstance(content, str) else json.dumps({"layout": SOUND | content}))
    with pytest.raises(HakkenError, match=f"^{re.escape(f'{path}: {message}{AGAIN}')}$"):
        read_layout(path)


def test_bfloat16_is_refused_where_the_cpu_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "host.json"
    write_layout(path, Layout(precision="bfloat16"), {})
    monkeypatch.setattr(module, "has_bfloat16", lambda: False)
    message = f"{path}: asks for bfloat16, for which this CPU has no instructions{AGAIN}"
    with pytest.raises(HakkenError, match=f"^{re.escape(message)}$"):
        read_layout(path)
    monkeypatch.setattr(module, "has_bfloat16", lambda: True)
    assert read_layout(path) == Layout(precision="bfloat16")


@pytest.mark.parametrize(
    ("flags", "able"),
    [
        (["flags : fpu avx512f avx512_bf16 avx2"] * 2, True),
        (["flags : fpu amx_tile amx_bf16"], True),
        (["Features : fp asimd bf16 i8mm"], True),
        (["flags : fpu avx2 avx512f avx512_vnni"], False),
        (["flags : fpu avx512_bf16", "flags : fpu avx2"], False),
        (["bogomips : 5000"], False),
    ],
)
def test_bfloat16_is_what_every_core_can_do(flags: list[str], able: bool, tmp_path: Path) -> None:
    assert has_bfloat16(cpuinfo(tmp_path / "cpuinfo", *flags)) is able


def test_a_system_that_does_not_say_has_no_bfloat16(tmp_path: Path) -> None:
    assert has_bfloat16(tmp_path / "none") is False


@pytest.mark.parametrize(("make", "edges"), NETWORKS)
def test_the_order_of_memory_changes_no_output(make: Callable[[], nn.Module], edges: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    first = make()
    last = arrange(copy.deepcopy(first), channels_last=True)
    agree(first, last, torch.randn(4, *edges))


def agree(first: torch.nn.Module, last: torch.nn.Module, images: torch.Tensor) -> None:
    """Outputs and gradients agree to 1e-4 of their largest value: float32 in another order of summation."""
    arranged = arrange_images(images, channels_last=True)
    assert torch.equal(arranged, images)
    kernels = [weight for weight in last.parameters() if weight.ndim in (4, 5) and weight.shape[1] > 1]
    assert any(not weight.is_contiguous() for weight in kernels), "no kernel has the channels last"
    results = []
    for network, given in ((first, images), (last, arranged)):
        found = network.eval()(given)
        outputs = list(found) if isinstance(found, tuple) else [found]
        torch.stack([output.double().square().mean() for output in outputs]).sum().backward()
        results.append([*outputs, *(weight.grad for weight in network.parameters() if weight.grad is not None)])
    assert len(results[0]) == len(results[1]) > 2
    for one, other in zip(*results, strict=True):
        assert (one - other).abs().max() <= 1e-4 * one.abs().max() + 1e-7


def test_weights_pass_between_the_orders_of_memory() -> None:
    last = arrange(UNet(2, 1, 2, Structure(base_features=8)), channels_last=True)
    fresh = UNet(2, 1, 2, Structure(base_features=8))
    fresh.load_state_dict(last.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(fresh.parameters(), last.parameters(), strict=True))
    assert all(weight.is_contiguous() for weight in fresh.parameters())


def test_the_usual_order_leaves_everything_alone() -> None:
    images = torch.randn(2, 3, 8, 8)
    assert arrange_images(images, channels_last=False) is images
    network = arrange(UNet(2, 1, 2), channels_last=False)
    assert all(weight.is_contiguous() for weight in network.parameters())


def test_what_is_no_image_has_no_other_order() -> None:
    values = torch.randn(4, 3)
    assert arrange_images(values, channels_last=True) is values


def test_a_case_is_scored_the_same_in_either_order() -> None:
    image = torch.randn((2, 20, 22, 24), generator=torch.Generator().manual_seed(0))
    maps = []
    for channels_last in (False, True):
        torch.manual_seed(1)
        structure = Structure(base_features=8, convolutions=3, poolings=1, patch_size=14)
        network = arrange(PatchClassifier(2, 3, structure), channels_last).eval()
        maps.append(score_map(network, image, stride_voxel=2, memory_mb=500).array)
    assert maps[0].std() > 1e-4
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-5)
