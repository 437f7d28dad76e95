"""The residual encoder-decoder: shapes, weights, stages that may be cut anywhere, phases, slices."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from hakken.core.errors import InvalidArchitecture
from hakken.networks.convolution import Convolution, convolve, ordered, padded
from hakken.networks.dense_resnet import Block, DenseResNet, Head, Passed, PhaseStem, Slices, widths_of

LESIONS = {"lesions": Head(1)}


def images(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(axes: int = 3, **options: object) -> DenseResNet:
    torch.manual_seed(0)
    heads = options.pop("heads", LESIONS)
    return DenseResNet(2, heads, axes, widths=(4, 8, 12), **options).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(16, 16, 16), (13, 9, 5), (1, 7, 30)])
@pytest.mark.parametrize("norm", ["instance", "group", "none"])
def test_each_level_has_the_extent_of_its_grid(shape: tuple[int, ...], norm: str) -> None:
    fine, coarse = network(norm=norm)(images(2, 2, *shape))["lesions"]
    assert fine.shape == (2, 1, *shape)
    assert coarse.shape == (2, 1, *(-(-edge // 2) for edge in shape))


def test_the_number_of_weights_is_that_of_the_layers() -> None:
    # 2 channels; 4 and 8 maps; 3 x 3 kernels without biases; a scale and a shift of each normalised map.
    down = (2 * 4 + 4 * 4) * 9 + 2 * 4 + (2 * 2 * 4) + (4 * 8 + 8 * 8) * 9 + 4 * 8 + (2 * 2 * 8)
    up = (8 * 4 * 4 + 4) + (8 * 4 + 4 * 4) * 9 + 8 * 4 + (2 * 2 * 4)
    assert DenseResNet(2, LESIONS, 2, widths=(4, 8), supervised=1).parameter_count == down + up + (4 + 1)


def test_the_stages_may_be_cut_anywhere() -> None:
    whole, pictures = network(), images(1, 2, 12, 8, 16)
    expected = whole(pictures)["lesions"]
    for cut in range(1, len(whole.stages)):
        passed = Passed(pictures)
        for stage in whole.stages[:cut]:
            passed = stage(passed)
        passed = Passed(*(tuple(part) if isinstance(part, tuple) else part.clone() for part in passed))
        for stage in whole.stages[cut:]:
            passed = stage(passed)
        assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(passed.said, expected, strict=True))


def test_no_skip_tensor_is_kept_that_nobody_reads() -> None:
    whole, passed = network(), Passed(images(1, 2, 8, 8, 8))
    counts = []
    for stage in whole.stages:
        passed = stage(passed)
        counts.append(len(passed.kept))
    assert counts == [1, 2, 3, 2, 1]


def test_a_window_is_told_the_same_alone_and_beside_others() -> None:
    whole, pictures = network(), images(3, 2, 8, 8, 8)
    together = whole(pictures)["lesions"][0]
    assert torch.allclose(whole(pictures[1:2])["lesions"][0], together[1:2], atol=1e-5)


def test_findings_begin_rare() -> None:
    found = torch.sigmoid(network(norm="instance")(torch.zeros(1, 2, 8, 8, 8))["lesions"][0])
    assert torch.allclose(found, torch.tensor(0.01), atol=1e-6)


def test_slices_are_seen_one_by_one_unless_they_are_a_sequence() -> None:
    pictures = images(2, 2, 5, 8, 12)
    changed = pictures.clone()
    changed[:, :, 0] += 1
    apart, joined = network(axes=2), network(axes=2, sequence=True)
    assert apart(pictures)["lesions"][0].shape == (2, 1, 5, 8, 12)
    assert torch.equal(apart(pictures)["lesions"][0][:, :, 1:], apart(changed)["lesions"][0][:, :, 1:])
    assert not torch.allclose(joined(pictures)["lesions"][0][:, :, 4], joined(changed)["lesions"][0][:, :, 4])
    alone = joined(pictures[:1])["lesions"][0]
    assert torch.allclose(alone, joined(pictures)["lesions"][0][:1], atol=1e-5)  # of this volume's slices alone


def test_several_heads_say_what_they_say_of_the_same_maps() -> None:
    heads = {"organs": Head(3), "class": Head(5, "classes"), "centres": Head(1, "heat")}
    said = network(heads=heads)(images(2, 2, 8, 8, 8))
    assert {name: tuple(every[0].shape) for name, every in said.items()} == {
        "organs": (2, 3, 8, 8, 8),
        "class": (2, 5),
        "centres": (2, 1, 8, 8, 8),
    }
    assert [len(said[name]) for name in heads] == [2, 1, 2]


def stem(reach: int) -> PhaseStem:
    torch.manual_seed(2)
    return PhaseStem(5, 4, 3, reach)


def test_a_stem_that_reaches_one_phase_sees_each_by_itself() -> None:
    torch.manual_seed(2)
    one, pictures = stem(1), images(2, 5, 6, 6, 6)
    apart = PhaseStem(1, 4, 3, 1)
    apart.load_state_dict(one.state_dict())
    expected = torch.cat([apart(pictures[:, phase : phase + 1]) for phase in range(5)], 1)
    assert torch.allclose(one(pictures), expected, atol=1e-6)


def test_the_order_of_the_phases_counts() -> None:
    pictures = images(1, 5, 6, 6, 6)
    forth = stem(3)(pictures).reshape(1, 5, 4, 6, 6, 6)
    back = stem(3)(pictures.flip(1)).reshape(1, 5, 4, 6, 6, 6).flip(1)
    assert not torch.allclose(forth, back)
    assert DenseResNet(5, LESIONS, widths=(4, 8), supervised=1, phases=5)(pictures)["lesions"][0].shape[1] == 1


def test_weights_that_all_phases_share_get_the_sum_of_their_gradients() -> None:
    one, pictures = stem(1), images(2, 5, 6, 6, 6)
    share = torch.randn(2, 20, 6, 6, 6, generator=torch.Generator().manual_seed(4))
    (one(pictures) * share).sum().backward()
    copies = [PhaseStem(1, 4, 3, 1) for _ in range(5)]
    for phase, copy in enumerate(copies):
        copy.load_state_dict(one.state_dict())
        (copy(pictures[:, phase : phase + 1]) * share[:, 4 * phase : 4 * phase + 4]).sum().backward()
    for name, weight in one.named_parameters():
        every = [dict(copy.named_parameters())[name].grad for copy in copies]
        assert weight.grad is not None
        assert torch.allclose(weight.grad, torch.stack([one for one in every if one is not None]).sum(0), atol=1e-3)
        assert len({float(one.abs().sum()) for one in every if one is not None}) == 5  # each phase has its own part


@pytest.mark.parametrize("slope", [0.01, 1.0])  # 1: a linear stem
def test_equal_phases_give_the_map_of_one_of_them(monkeypatch: pytest.MonkeyPatch, slope: float) -> None:
    """Far from the first and the last phase the kernel over the phases is as good as its sum."""
    monkeypatch.setattr("hakken.networks.dense_resnet.SLOPE", slope)
    whole, phase = stem(3), images(2, 1, 6, 6, 6)
    alone = PhaseStem(1, 4, 3, 1)
    state = whole.state_dict()
    alone.load_state_dict(
        {
            name: value.sum(2, keepdim=True) if name.startswith("time") and value.ndim == 4 else value
            for name, value in state.items()
        }
    )
    found = whole(phase.expand(2, 5, 6, 6, 6)).reshape(2, 5, 4, 6, 6, 6)
    assert torch.allclose(found[:, 2], alone(phase), atol=1e-5)
    assert not torch.allclose(found[:, 0], alone(phase), atol=1e-3), "before the first phase lie zeros"


@pytest.mark.parametrize("rare", [True, False])
def test_maps_of_organs_begin_even_and_those_of_findings_rare(rare: bool) -> None:
    network = DenseResNet(1, {"one": Head(2, rare=rare)}, widths=(4, 8), supervised=1)
    bias = dict(network.named_parameters())["stages.2.heads.one.bias"]
    assert torch.sigmoid(bias).tolist() == pytest.approx([0.01, 0.01] if rare else [0.5, 0.5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": (4,)}, "1 level: an encoder-decoder has at least 2"),
        ({"widths": (6, 12), "norm": "group", "supervised": 1}, "multiple of 4"),
        ({"widths": (4, 8), "supervised": 2}, "2 supervised levels: the decoder has 1"),
        ({"phases": 3}, "3 phases of 2 channels"),
    ],
)
def test_what_describes_no_network_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArchitecture, match=message):
        DenseResNet(2, LESIONS, **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidArchitecture, match="of two axes"):
        Slices(8, 3)


def test_widths_stop_growing() -> None:
    assert widths_of(32, 6, most=320) == (32, 64, 128, 256, 320, 320)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (1, 1)])
def test_a_direct_convolution_is_the_convolution(batch: int, stride: int, kernel: int) -> None:
    pictures = images(batch, 3, 9, 8, 7).requires_grad_()
    weight, bias = images(5, 3, kernel, kernel, kernel, seed=2).requires_grad_(), images(5, seed=3)
    ours = convolve(pictures, weight, bias, stride, kernel // 2)
    theirs = torch.nn.functional.conv3d(pictures, weight, bias, stride, kernel // 2)
    assert torch.allclose(ours, theirs, atol=1e-4)
    for one, other in zip(
        *(torch.autograd.grad(x.square().sum(), [pictures, weight]) for x in (ours, theirs)), strict=True
    ):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-2)


def test_a_convolution_in_double_precision_is_not_sent_to_a_library_that_knows_none() -> None:
    layer = Convolution(2, 3, 3, 3).double()
    assert layer(images(1, 2, 4, 4, 4).double()).dtype == torch.float64


def test_a_block_of_zero_weights_hands_on_what_comes_in() -> None:
    block = Block(4, 4, 3, convolutions=2, norm="instance")
    for weight in block.parameters():
        torch.nn.init.zeros_(weight)
    maps = images(1, 4, 4, 4, 4).abs()
    assert torch.equal(block(maps), maps)
    assert torch.equal(padded(maps, 2), maps)
    assert replace(Head(1), outputs=2) == Head(2)


@pytest.mark.parametrize("edge", [1, 3])
def test_steps_of_flat_convolutions_leave_out_what_they_should(edge: int) -> None:
    """A shortcut that takes steps of 2: asked for the whole, oneDNN's gradients wrote beyond their memory."""
    torch.manual_seed(1)
    layer = Convolution(3, 5, 2, edge, stride=2, bias=False)
    images = ordered(torch.randn(2, 3, 13, 10)).requires_grad_()
    told = functional.conv2d(images, layer.weight, None, 1, edge // 2)[..., ::2, ::2]
    found = layer(images)
    assert torch.allclose(found, told, atol=1e-5)
    weights = torch.randn_like(told)
    gradients = [torch.autograd.grad((one * weights).sum(), [images, layer.weight]) for one in (told, found)]
    assert all(torch.allclose(*pair, atol=1e-4) for pair in zip(*gradients, strict=True))


def test_training_flat_images_for_a_while_ends_in_no_crash() -> None:
    """The shape that crashed within a second: 8 to 16 maps of 96 x 96 pixels, in a process of its own."""
    code = (
        "import torch\n"
        "from hakken.networks.convolution import Convolution, ordered\n"
        "torch.set_num_threads(1)\n"
        "layer = Convolution(8, 16, 2, 1, stride=2, bias=False)\n"
        "images = ordered(torch.randn(8, 8, 96, 96)).requires_grad_()\n"
        "kept = []\n"
        "for number in range(60):\n"
        "    kept.append(torch.autograd.grad(layer(images).sum(), [images, layer.weight])[1])\n"
        "    kept += [torch.randn(number + 1) for _ in range(4)]\n"
        "print(len(kept))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "300\n"), found.stderr
