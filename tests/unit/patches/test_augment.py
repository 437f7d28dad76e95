from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hakken.patches.augment import (
    NODES,
    Augmentation,
    Changes,
    Frame,
    apply_changes,
    augment,
    change_intensities,
    crop,
    draw_changes,
    limits,
    only_measured,
    sampling_grid,
)

ISOTROPIC = (1.0, 1.0, 1.0)
FRAMES = [
    Frame(8, 16, ISOTROPIC),
    Frame(9, 16, ISOTROPIC),
    Frame(10, 13, ISOTROPIC),
    Frame(12, 16, (3.0, 0.8, 0.8)),
    Frame(7, 7, ISOTROPIC),
    Frame(12, 20, (1.0, 1.0)),
    Frame(11, 16, (0.5, 1.0)),
]
GEOMETRY_ONLY = Augmentation(1.0, gain=0, shift=0, gamma=0, noise=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_images(frame: Frame, patches: int = 16, channels: int = 2) -> torch.Tensor:
    return torch.randn(patches, channels, *[frame.stored] * len(frame.spacing), generator=generator(9))


def nothing(patches: int, channels: int, axes: int, edge: int) -> Changes:
    """Return changes that change nothing."""
    return Changes(
        matrix=torch.eye(axes).repeat(patches, 1, 1),
        nodes=torch.zeros(patches, axes, NODES**axes),
        gamma=torch.ones(patches, channels),
        gain=torch.ones(patches, channels),
        shift=torch.zeros(patches, channels),
        blur=torch.zeros(patches, channels),
        noise=torch.zeros(patches, channels, *[edge] * axes),
    )


def test_crop_keeps_the_centre_voxel_at_half_the_edge() -> None:
    images = torch.arange(7.0).expand(1, 1, 7, 7)
    assert crop(images, 3)[0, 0, 0].tolist() == [2, 3, 4]
    assert crop(images, 4)[0, 0, 0].tolist() == [1, 2, 3, 4]
    assert crop(images, 7)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("frame", FRAMES)
def test_strength_zero_is_the_central_crop(frame: Frame) -> None:
    images = noise_images(frame)
    assert torch.equal(augment(images, Augmentation(0.0), frame, generator()), crop(images, frame.patch))


@pytest.mark.parametrize("frame", FRAMES)
def test_the_labelled_voxel_stays_at_the_centre(frame: Frame) -> None:
    images = noise_images(frame)
    result = augment(images, GEOMETRY_ONLY, frame, generator())
    assert not torch.allclose(result, crop(images, frame.patch), atol=0.1)
    torch.testing.assert_close(crop(result, 1), crop(images, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("frame", FRAMES)
def test_no_zero_comes_in_from_beyond_the_border(frame: Frame) -> None:
    ones = torch.ones(64, 1, *[frame.stored] * len(frame.spacing))
    result = augment(ones, GEOMETRY_ONLY, frame, generator(3))
    assert result.shape == (64, 1, *[frame.patch] * len(frame.spacing))
    torch.testing.assert_close(result, torch.ones_like(result), atol=1e-4, rtol=0)


def test_zeros_would_come_in_if_the_border_were_narrower_than_the_frame_says() -> None:
    frame = FRAMES[0]
    changes = draw_changes(GEOMETRY_ONLY, frame, 64, 1, generator(3))
    narrow = torch.ones(64, 1, 9, 9, 9)
    assert apply_changes(narrow, changes, GEOMETRY_ONLY, frame).min() < 0.5


@settings(max_examples=40, deadline=None)
@given(
    patch=st.integers(3, 14),
    margin=st.integers(0, 6),
    spacing=st.tuples(*[st.sampled_from([0.5, 1.0, 1.5, 4.0])] * 3),
    strength=st.floats(0.01, 1),
    seed=st.integers(0, 1000),
)
def test_any_frame_reads_within_its_border(
    patch: int, margin: int, spacing: tuple[float, ...], strength: float, seed: int
) -> None:
    frame = Frame(patch, patch + 2 * margin, spacing)
    augmentation = Augmentation(strength, noise=0)
    bounds = limits(augmentation, frame)
    assert frame.patch <= bounds.edge <= frame.stored
    if bounds.warps:
        changes = draw_changes(augmentation, frame, 8, 1, generator(seed))
        grid = sampling_grid(changes, patch, bounds.edge)
        assert grid.abs().max() <= 1 + 1e-5


def test_room_decides_how_much_of_the_amounts_is_used() -> None:
    wide = limits(Augmentation(1.0), Frame(8, 24, ISOTROPIC))
    assert wide.rotation == pytest.approx(math.radians(20))
    assert (wide.scale, wide.elastic, wide.flip) == (1.15, 2.0, 1.0)
    narrow = limits(Augmentation(1.0), Frame(16, 22, ISOTROPIC))
    assert 0 < narrow.rotation < wide.rotation
    assert narrow.elastic / 2 == pytest.approx(narrow.rotation / math.radians(20))
    none = limits(Augmentation(1.0), Frame(7, 7, ISOTROPIC))
    assert (none.rotation, none.scale, none.elastic, none.warps) == (0, 1, 0, True)


def test_an_even_patch_without_margin_keeps_its_geometry_and_changes_its_intensities() -> None:
    frame = Frame(6, 6, ISOTROPIC)
    images = noise_images(frame)
    assert not limits(Augmentation(1.0), frame).warps
    torch.testing.assert_close(augment(images, GEOMETRY_ONLY, frame, generator()), images, atol=1e-5, rtol=0)
    assert not torch.allclose(augment(images, Augmentation(1.0), frame, generator()), images, atol=0.1)


def test_strength_scales_every_amount() -> None:
    frame = Frame(8, 24, ISOTROPIC)
    full, half = limits(Augmentation(1.0), frame), limits(Augmentation(0.5), frame)
    assert half.rotation == pytest.approx(full.rotation / 2)
    assert half.elastic == pytest.approx(full.elastic / 2)
    assert math.log(half.scale) == pytest.approx(math.log(full.scale) / 2)
    assert half.flip == 0.5
    strong = draw_changes(Augmentation(1.0), frame, 32, 2, generator())
    weak = draw_changes(Augmentation(0.5), frame, 32, 2, generator())
    for name in ("shift", "noise", "nodes"):
        torch.testing.assert_close(getattr(weak, name), getattr(strong, name) / 2)
    for name in ("gain", "gamma"):
        torch.testing.assert_close(getattr(weak, name).log(), getattr(strong, name).log() / 2)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_batch_is_changed_as_its_patches_one_by_one(frame: Frame) -> None:
    images = noise_images(frame)
    augmentation = Augmentation(0.8)
    changes = draw_changes(augmentation, frame, 16, 2, generator())
    together = apply_changes(images, changes, augmentation, frame)
    single = [
        apply_changes(images[n : n + 1], changes[slice(n, n + 1)], augmentation, frame) for n in range(len(images))
    ]
    torch.testing.assert_close(together, torch.cat(single), atol=1e-5, rtol=1e-5)


def test_reading_only_what_is_needed_changes_nothing() -> None:
    frame = Frame(8, 24, ISOTROPIC)
    augmentation = Augmentation(0.4)
    edge = limits(augmentation, frame).edge
    images = noise_images(frame)
    assert edge < frame.stored
    changes = draw_changes(augmentation, frame, 16, 2, generator())
    whole = apply_changes(images, changes, augmentation, frame)
    torch.testing.assert_close(
        apply_changes(crop(images, edge), changes, augmentation, frame), whole, atol=1e-4, rtol=0
    )


def test_the_generator_decides() -> None:
    frame = FRAMES[0]
    images = noise_images(frame)
    first, again, other = (augment(images, Augmentation(1.0), frame, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=0.1)


@pytest.mark.parametrize("spacing", [ISOTROPIC, (3.0, 1.0, 1.0), (1.0, 2.0, 4.0)])
def test_rotation_turns_in_millimetres(spacing: tuple[float, ...]) -> None:
    """A ball in mm is the same after any rotation and flip, whatever the voxels; a ball in voxels would not be."""
    frame = Frame(15, 31, spacing)
    offsets = torch.arange(31) - 15
    squares = [(offsets * size) ** 2 for size in spacing]
    distance = squares[0][:, None, None] + squares[1][:, None] + squares[2]
    width = 6 * max(spacing)
    ball = torch.exp(-distance / (2 * width**2)).expand(32, 1, 31, 31, 31)
    turning = replace(GEOMETRY_ONLY, scale=0.0, elastic_voxel=0.0)
    assert limits(turning, frame).rotation > 0.15
    torch.testing.assert_close(augment(ball, turning, frame, generator()), crop(ball, 15), atol=0.012, rtol=0)


@pytest.mark.parametrize(("spacing", "elements"), [(ISOTROPIC, 48), ((3.0, 1.0, 1.0), 16), ((1.0, 2.0, 3.0), 8)])
def test_axes_are_flipped_and_those_of_equal_voxel_size_swapped(spacing: tuple[float, ...], elements: int) -> None:
    frame = Frame(5, 7, spacing)
    plain = replace(GEOMETRY_ONLY, rotation_degrees=0.0, scale=0.0, elastic_voxel=0.0)
    changes = draw_changes(plain, frame, 2000, 1, generator())
    matrices = {tuple(matrix.round().flatten().tolist()) for matrix in changes.matrix}
    assert len(matrices) == elements
    torch.testing.assert_close(changes.matrix.abs().sum(dim=1), torch.ones(2000, 3))


def test_flips_and_swaps_only_rearrange_voxels() -> None:
    frame = Frame(5, 7, ISOTROPIC)
    plain = replace(GEOMETRY_ONLY, rotation_degrees=0.0, scale=0.0, elastic_voxel=0.0)
    images = noise_images(frame)
    result = augment(images, plain, frame, generator())
    before, after = (values.flatten(2).sort(dim=2).values for values in (crop(images, 5), result))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=0)


def test_a_quarter_turn_in_the_plane_by_hand() -> None:
    image = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])[None, None]
    turn = replace(nothing(1, 1, 2, 3), matrix=torch.tensor([[[0.0, -1], [1, 0]]]))
    frame = Frame(3, 3, (1.0, 1.0))
    assert apply_changes(image, turn, GEOMETRY_ONLY, frame)[0, 0].round().tolist() == [[7, 4, 1], [8, 5, 2], [9, 6, 3]]


def test_halving_the_matrix_magnifies_by_two() -> None:
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    zoom = replace(nothing(1, 1, 2, 5), matrix=torch.eye(2)[None] / 2)
    result = apply_changes(ramp, zoom, GEOMETRY_ONLY, Frame(5, 9, (1.0, 1.0)))
    torch.testing.assert_close(result[0, 0, 0], torch.tensor([3.0, 3.5, 4.0, 4.5, 5.0]))


def test_elastic_displacement_is_bounded_and_counted_in_the_smallest_voxel() -> None:
    frame = Frame(9, 25, (2.0, 1.0, 1.0))
    bending = replace(GEOMETRY_ONLY, rotation_degrees=0.0, scale=0.0)
    changes = draw_changes(bending, frame, 256, 1, generator())
    changes = replace(changes, matrix=torch.eye(3).repeat(256, 1, 1))
    plain = sampling_grid(nothing(256, 1, 3, 9), 9, 25)
    voxels = (sampling_grid(changes, 9, 25) - plain).abs().amax(dim=(0, 1, 2, 3)) * (25 - 1) / 2
    x, y, z = voxels.tolist()
    assert 1.0 < x <= 2.0
    assert 1.0 < y <= 2.0
    assert 0.5 < z <= 1.0


def test_elastic_displacement_is_smooth() -> None:
    frame = Frame(16, 40, ISOTROPIC)
    bending = replace(GEOMETRY_ONLY, rotation_degrees=0.0, scale=0.0)
    changes = replace(draw_changes(bending, frame, 64, 1, generator()), matrix=torch.eye(3).repeat(64, 1, 1))
    grid = sampling_grid(changes, 16, 40) * (40 - 1) / 2
    assert (grid.diff(dim=3)[..., 0] > 0).all()  # no folding: voxels keep their order along x


def test_intensities_by_hand() -> None:
    patches = torch.tensor([0.0, 1, 4, 4]).reshape(1, 1, 2, 2)
    changes = replace(
        nothing(1, 1, 2, 2),
        gamma=torch.tensor([[2.0]]),
        gain=torch.tensor([[3.0]]),
        shift=torch.tensor([[1.0]]),
        noise=torch.tensor([0.0, 0.5, 0, -1]).reshape(1, 1, 2, 2),
    )
    # 4 (x / 4)^2 = 0, 1/4, 4, 4; times 3, plus 1; plus noise
    assert change_intensities(patches, changes).flatten().tolist() == [1.0, 2.25, 13.0, 12.0]


def test_a_constant_patch_survives_gamma() -> None:
    patches = torch.full((1, 1, 3, 3), -2.0)
    changes = replace(nothing(1, 1, 2, 3), gamma=torch.tensor([[0.5]]), gain=torch.tensor([[2.0]]))
    assert change_intensities(patches, changes).unique().tolist() == [-4.0]


def test_channels_change_apart() -> None:
    changes = draw_changes(Augmentation(1.0), FRAMES[0], 4, 3, generator())
    for name in ("gamma", "gain", "shift"):
        assert len(getattr(changes, name).unique()) == 12


def test_targets_move_with_the_image_and_keep_their_values() -> None:
    frame = Frame(10, 16, (1.0, 1.0))
    images = noise_images(frame, channels=1)
    pair = torch.cat([images, images], 1)
    found = augment(pair, Augmentation(1.0), frame, generator(3), kept=1)
    alone = augment(images, Augmentation(1.0), frame, generator(3))
    torch.testing.assert_close(found[:, :1], alone, rtol=0, atol=0)
    changes = draw_changes(Augmentation(1.0), frame, len(images), 1, generator(3))
    still = replace(
        changes,
        gamma=torch.ones_like(changes.gamma),
        gain=torch.ones_like(changes.gain),
        shift=torch.zeros_like(changes.shift),
        noise=torch.zeros_like(changes.noise),
    )
    torch.testing.assert_close(found[:, 1:], apply_changes(images, still, Augmentation(1.0), frame), atol=1e-5, rtol=0)
    assert (found[:, 1:] - found[:, :1]).abs().max() > 0.1


def test_targets_of_an_even_patch_without_margin_are_a_plain_crop() -> None:
    frame = Frame(8, 8, (1.0, 1.0))
    images = noise_images(frame, channels=3)
    found = augment(images, Augmentation(1.0), frame, generator(), kept=2)
    assert torch.equal(found[:, 1:], images[:, 1:])
    assert not torch.equal(found[:, :1], images[:, :1])


def test_what_was_not_measured_stays_zero() -> None:
    """Channel 0 is optional and 2 says where it was measured; a half voxel there counts as measured."""
    images = torch.tensor([[[5.0, 6.0, 7.0]], [[1.0, 2.0, 3.0]], [[0.0, 0.5, 1.0]]]).permute(1, 0, 2)[..., None]
    kept = only_measured(images, [(0, 2)])
    assert kept[0, :, :, 0].tolist() == [[0, 6, 7], [1, 2, 3], [0, 0.5, 1]]
    assert images[0, 0, 0, 0] == 5
    assert only_measured(images, []) is images


def test_a_share_of_the_patches_is_flipped_alone() -> None:
    images = torch.rand(40, 1, 33, 33, 33, generator=torch.Generator().manual_seed(3))
    frame = Frame(12, 33, (1.0, 1.0, 1.0))
    amounts = Augmentation(1.0, gain=0, shift=0, gamma=0, noise=0, warped=0.5)
    found = augment(images, amounts, frame, torch.Generator().manual_seed(4))
    values = torch.sort(found.flatten(1), 1).values
    plain = torch.sort(crop(images, 13).flatten(1), 1).values
    exact = [
        float(torch.isin(torch.round(row, decimals=4), torch.round(known, decimals=4)).float().mean())
        for row, known in zip(values, plain, strict=True)
    ]
    flipped = sum(share > 0.9 for share in exact)
    assert 12 <= flipped <= 28  # of 40, about half
    assert all(share > 0.9 or share < 0.5 for share in exact)


@pytest.mark.parametrize("shape", [(9, 12), (7, 8, 9)])
def test_a_blurred_channel_is_scipys_gaussian_and_others_stay_sharp(shape: tuple[int, ...]) -> None:
    images = torch.randn(2, 2, *shape, generator=generator(1))
    blur = torch.tensor([[0.0, 0.8], [1.3, 0.1]])
    axes = len(shape)
    changes = replace(nothing(2, 2, axes, 1), noise=torch.zeros(2, 2, *shape), blur=blur)
    found = change_intensities(images.clone(), changes)
    torch.testing.assert_close(found[0, 0], images[0, 0])
    torch.testing.assert_close(found[1, 1], images[1, 1])  # a tenth of a voxel reaches no neighbour
    for patch, channel in [(0, 1), (1, 0)]:
        plain, sigma = images[patch, channel].numpy(), float(blur[patch, channel])
        known = ndimage.gaussian_filter(plain, sigma, mode="nearest", radius=4)  # three times the largest, rounded up
        torch.testing.assert_close(found[patch, channel], torch.from_numpy(known), atol=1e-5, rtol=0)


def test_a_fifth_of_the_channels_is_blurred_up_to_the_amount() -> None:
    amounts = Augmentation(0.5, blur_voxel=2.0)
    blur = draw_changes(amounts, FRAMES[0], 500, 4, generator()).blur
    assert 0.17 < float((blur > 0).float().mean()) < 0.23
    assert 0.95 < float(blur.max()) <= 1.0
    assert 0.4 < float(blur[blur > 0].mean()) < 0.6


def test_without_blur_the_other_changes_are_drawn_as_before() -> None:
    plain = draw_changes(Augmentation(1.0), FRAMES[0], 4, 2, generator())
    blurred = draw_changes(Augmentation(1.0, blur_voxel=1.0), FRAMES[0], 4, 2, generator())
    assert not plain.blur.any()
    for name in ("matrix", "nodes", "gamma", "gain", "shift", "noise"):
        assert torch.equal(getattr(plain, name), getattr(blurred, name))
