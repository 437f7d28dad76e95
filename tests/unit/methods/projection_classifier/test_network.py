from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from hakken.core.errors import InvalidArchitecture
from hakken.methods.projection_classifier.network import DIRECTIONS, ProjectionClassifier, project
from hakken.networks.structure import Structure

cubes = st.builds(
    lambda edge, batch, channels, seed: torch.randn(
        batch, channels, edge, edge, edge, generator=torch.Generator().manual_seed(seed)
    ),
    st.integers(1, 7),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(0, 2**31),
)


def numbered(edge: int) -> torch.Tensor:
    """A cube whose voxel (z, y, x) is edge^2 z + edge y + x."""
    return torch.arange(edge**3, dtype=torch.float32).reshape(1, 1, edge, edge, edge)


def voxel_by_voxel(volume: torch.Tensor) -> torch.Tensor:
    """The nine projections of one cube (p, p, p): each voxel is thrown onto the pixels that it lies behind."""
    edge = len(volume)
    centre = edge // 2
    images = torch.full((9, edge, edge), -torch.inf)
    for z, y, x in product(range(edge), repeat=3):
        pixels = {
            "z": (y, x),
            "y": (z, x),
            "x": (z, y),
            "z+y": (x, centre + y - z),
            "z-y": (x, z + y - centre),
            "z+x": (y, centre + x - z),
            "z-x": (y, z + x - centre),
            "y+x": (z, centre + x - y),
            "y-x": (z, y + x - centre),
        }
        for number, direction in enumerate(DIRECTIONS):
            row, column = pixels[direction]
            if 0 <= column < edge:
                images[number, row, column] = torch.maximum(images[number, row, column], volume[z, y, x])
    return images


def test_the_nine_images_of_an_even_cube_by_hand() -> None:
    # Voxels z=0: 0 1 / 2 3, z=1: 4 5 / 6 7 (rows y, columns x); c = 1. Columns of a diagonal a+b: b - a = -1, 0; of
    # a-b: a + b = 1, 2. E.g. z+y, x = 0: y - z = -1 is (1, 0): 4; y - z = 0 is (0, 0), (1, 1): 0, 6.
    # z-y, x = 0: z + y = 1 is (0, 1), (1, 0): 2, 4; z + y = 2 is (1, 1): 6.
    expected = {
        "z": [[4, 5], [6, 7]],
        "y": [[2, 3], [6, 7]],
        "x": [[1, 3], [5, 7]],
        "z+y": [[4, 6], [5, 7]],
        "z-y": [[4, 6], [5, 7]],
        "z+x": [[4, 5], [6, 7]],
        "z-x": [[4, 5], [6, 7]],
        "y+x": [[2, 3], [6, 7]],
        "y-x": [[2, 3], [6, 7]],
    }
    assert project(numbered(2))[0].tolist() == [expected[direction] for direction in DIRECTIONS]
    # From 7 down, the first voxels of the lines are the largest: z-y, x = 0 is max(7 - 2, 7 - 4) = 5 and 7 - 6 = 1.
    assert project(7 - numbered(2))[0, DIRECTIONS.index("z-y")].tolist() == [[5, 1], [4, 0]]
    assert project(7 - numbered(2))[0, DIRECTIONS.index("z+y")].tolist() == [[3, 7], [2, 6]]


def test_the_nine_images_of_an_odd_cube_by_hand() -> None:
    # Voxel (z, y, x) is 9 z + 3 y + x; c = 1. Columns of a+b: b - a = -1, 0, 1, largest at (2, 1), (2, 2), (1, 2);
    # of a-b: a + b = 1, 2, 3, largest at (1, 0), (2, 0), (2, 1). E.g. z+y, x = 0: 18 + 3, 18 + 6, 9 + 6.
    expected = {
        "z": [[18, 19, 20], [21, 22, 23], [24, 25, 26]],
        "y": [[6, 7, 8], [15, 16, 17], [24, 25, 26]],
        "x": [[2, 5, 8], [11, 14, 17], [20, 23, 26]],
        "z+y": [[21, 24, 15], [22, 25, 16], [23, 26, 17]],
        "z-y": [[9, 18, 21], [10, 19, 22], [11, 20, 23]],
        "z+x": [[19, 20, 11], [22, 23, 14], [25, 26, 17]],
        "z-x": [[9, 18, 19], [12, 21, 22], [15, 24, 25]],
        "y+x": [[7, 8, 5], [16, 17, 14], [25, 26, 23]],
        "y-x": [[3, 6, 7], [12, 15, 16], [21, 24, 25]],
    }
    assert project(numbered(3))[0].tolist() == [expected[direction] for direction in DIRECTIONS]
    # From 26 down the first voxels are the largest: y+x, z = 0 begins at (1, 0), (0, 0), (0, 1): 26 - 3, 26, 26 - 1.
    assert project(26 - numbered(3))[0, DIRECTIONS.index("y+x"), 0].tolist() == [23, 26, 25]
    # y-x, z = 0 begins at (0, 1), (0, 2), (1, 2): 26 - 1, 26 - 2, 26 - 3 - 2.
    assert project(26 - numbered(3))[0, DIRECTIONS.index("y-x"), 0].tolist() == [25, 24, 21]


@pytest.mark.parametrize(("edge", "rising", "falling"), [(4, (2, 3, 4, 3), (3, 4, 3, 2)), (5, (3, 4, 5, 4, 3), None)])
def test_the_lines_have_the_documented_lengths(
    edge: int, rising: tuple[int, ...], falling: tuple[int, ...] | None
) -> None:
    # A line's length is the number of voxels that can be its maximum.
    seen = {direction: [0] * edge for direction in ("y+x", "y-x")}
    for y, x in product(range(edge), repeat=2):
        volume = torch.zeros(1, 1, edge, edge, edge)
        volume[0, 0, 0, y, x] = 1
        for direction, counts in seen.items():
            for column, value in enumerate(project(volume)[0, DIRECTIONS.index(direction), 0].tolist()):
                counts[column] += int(value)
    assert seen == {"y+x": list(rising), "y-x": list(falling or rising)}


@given(cubes)
@settings(max_examples=30, deadline=None)
def test_projections_are_those_of_each_voxel(volumes: torch.Tensor) -> None:
    found = project(volumes)
    batch, channels, edge = volumes.shape[:3]
    assert found.shape == (batch, 9 * channels, edge, edge)
    for index, channel in product(range(batch), range(channels)):
        assert torch.equal(found[index, 9 * channel : 9 * channel + 9], voxel_by_voxel(volumes[index, channel]))


@given(cubes, st.sampled_from([("y-x", "y+x", 4), ("z-x", "z+x", 4), ("z-y", "z+y", 3)]))
@settings(max_examples=20, deadline=None)
def test_reversing_the_second_axis_mirrors_a_diagonal_into_the_other(
    volumes: torch.Tensor, names: tuple[str, str, int]
) -> None:
    falling, rising = (DIRECTIONS.index(name) for name in names[:2])
    assert torch.equal(project(volumes)[:, falling], project(volumes.flip(names[2]))[:, rising].flip(-1))


@pytest.mark.parametrize("edge", [1, 2, 5, 8])
def test_the_classified_voxel_is_the_same_pixel_of_all_images(edge: int) -> None:
    volume = torch.zeros(1, 1, edge, edge, edge)
    centre = edge // 2
    volume[0, 0, centre, centre, centre] = 1
    expected = torch.zeros(edge, edge)
    expected[centre, centre] = 1
    assert torch.equal(project(volume)[0], expected.expand(9, -1, -1))


@pytest.mark.parametrize("number", [torch.float16, torch.bfloat16, torch.float64, torch.int16])
def test_the_number_type_is_kept_and_the_values_are_exact(number: torch.dtype) -> None:
    volumes = torch.randint(-128, 128, (2, 2, 6, 6, 6), generator=torch.Generator().manual_seed(0))
    found = project(volumes.to(number))
    assert found.dtype == number
    assert torch.equal(found.long(), project(volumes))


def test_values_below_every_finite_number_are_kept_and_missing_ones_are_seen() -> None:
    assert project(torch.full((1, 1, 4, 4, 4), -torch.inf)).isneginf().all()
    volume = torch.zeros(1, 1, 4, 4, 4)
    volume[0, 0, 2, 2, 2] = torch.nan
    assert project(volume).isnan().flatten(2).sum(2).tolist() == [[1] * 9]


def test_no_value_is_fetched_from_the_device() -> None:
    found = project(torch.empty(3, 2, 8, 8, 8, device="meta"))
    assert (found.device.type, found.shape) == ("meta", (3, 18, 8, 8))


@pytest.mark.parametrize("edge", [4, 5])
def test_the_gradient_is_that_of_the_maxima(edge: int) -> None:
    volumes = torch.randn(1, 2, edge, edge, edge, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    volumes.requires_grad_()
    assert torch.autograd.gradcheck(project, (volumes,))
    project(volumes).sum().backward()
    # Each pixel hands its gradient of 1 to the one voxel that it shows.
    assert volumes.grad is not None
    assert volumes.grad.sum(dim=(2, 3, 4)).tolist() == [pytest.approx([9 * edge**2] * 2)]
    torch.testing.assert_close(volumes.grad, volumes.grad.round())


@pytest.mark.parametrize("shape", [(1, 4, 4, 4), (1, 1, 4, 4, 5), (1, 1, 1, 5, 5)])
def test_what_is_no_cube_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="volumes of shape") as error:
        project(torch.zeros(shape))
    assert str(error.value) == f"volumes of shape {shape}: expected cubes (b, c, p, p, p)"


@pytest.mark.parametrize(
    "values", [{"patch_size": 14}, {"patch_size": 15, "kernel": 5, "poolings": 0}, {"patch_size": 21, "poolings": 2}]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_cube_becomes_one_voxel_of_logits(values: dict[str, int], channels: int) -> None:
    structure = Structure(**{"base_features": 4, **values})
    network = ProjectionClassifier(channels, structure, classes=3)
    assert (network.channels, network.dimensions, network.classes) == (channels, 3, 3)
    assert network.structure == structure
    assert network.patch_shape == (values["patch_size"],) * 3
    assert network(torch.randn(2, channels, *network.patch_shape)).shape == (2, 3, 1, 1, 1)


def test_the_default_is_that_of_a_study() -> None:
    network = ProjectionClassifier(1)
    assert network.structure == Structure()
    assert network(torch.zeros(2, 1, *network.patch_shape)).shape == (2, 2, 1, 1, 1)


def test_the_number_of_weights_is_that_of_the_layers() -> None:
    network = ProjectionClassifier(
        2, Structure(patch_size=14, base_features=8, dense_units=32, convolutions=3, poolings=1)
    )
    # Two channels are 18 images; kernels are 3 x 3; the third convolution comes after the pooling.
    convolutions = (18 * 9 + 1) * 8 + (8 * 9 + 1) * 8 + (8 * 9 + 1) * 16
    normalisations = 2 * (8 + 8 + 16)
    dense = (16 * 9 + 1) * 32 + (32 + 1) * 2  # 14 -> 12 -> 10 -> 5 -> 3 pixels are left: 9 inputs a feature map
    assert network.parameter_count == convolutions + normalisations + dense
    assert network.parameter_count == sum(weight.numel() for weight in network.parameters())


def test_the_gradient_reaches_every_weight_and_the_volume() -> None:
    torch.manual_seed(0)
    network = ProjectionClassifier(2, Structure(patch_size=10, base_features=4, convolutions=2, dropout=0))
    volumes = torch.randn(8, 2, 10, 10, 10, requires_grad=True)
    cross_entropy(network(volumes).flatten(1), torch.arange(8) % 2).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        if weight.ndim > 1:  # a bias before a batch normalisation has no effect
            assert weight.grad.abs().max() > 1e-6, name
    assert volumes.grad is not None
    assert (volumes.grad.abs().amax(dim=(2, 3, 4)) > 0).all()


def test_one_batch_is_learnt_by_heart() -> None:
    torch.manual_seed(0)
    network = ProjectionClassifier(1, Structure(patch_size=9, base_features=4, convolutions=2, dropout=0))
    volumes, targets = torch.randn(8, 1, 9, 9, 9), torch.arange(8) % 2
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(40):
        loss = cross_entropy(network(volumes).flatten(1), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.01


def test_low_precision_is_near_to_full_precision() -> None:
    torch.manual_seed(0)
    network = ProjectionClassifier(1, Structure(patch_size=10, base_features=4, convolutions=2)).eval()
    volumes = torch.randn(4, 1, 10, 10, 10)
    with torch.no_grad():
        expected = network(volumes)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(volumes)
    assert found.dtype == torch.bfloat16
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_projections() -> None:
    volumes = torch.randn(3, 2, 16, 16, 16)
    assert torch.equal(project(volumes.cuda()).cpu(), project(volumes))


def test_cubes_of_another_shape_are_refused() -> None:
    network = ProjectionClassifier(2, Structure(patch_size=14, base_features=4))
    with pytest.raises(ValueError, match="this network takes") as error:
        network(torch.zeros(1, 2, 16, 16, 16))
    assert str(error.value) == "volumes of shape (1, 2, 16, 16, 16): this network takes (b, 2, 14, 14, 14)"
    with pytest.raises(ValueError, match=r"volumes of shape \(1, 1, 14, 14, 14\)"):
        network(torch.zeros(1, 1, 14, 14, 14))


def test_a_patch_that_is_too_small_is_named_with_the_layers() -> None:
    with pytest.raises(InvalidArchitecture) as error:
        ProjectionClassifier(1, Structure(patch_size=12, convolutions=6, kernel=5, poolings=2))
    assert str(error.value) == "patch 12 is too small for 6 convolutions of kernel 5 and 2 poolings"
    with pytest.raises(InvalidArchitecture, match="3 poolings do not fit between 2 convolutions"):
        ProjectionClassifier(1, Structure(convolutions=2, poolings=3))
