from __future__ import annotations

import csv
import os
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file
from hakken.patches.sampling import Centres, Kind
from hakken.patches.shards import CutCase, Layout, PatchStore, cut_patch, write_shards

LAYOUT = Layout(size_voxel=4, margin_voxel=1, channels=("A", "B"), spacing_mm=(1.0, 2.0, 3.0), sampled_study="digest")


def case(name: str, patches: int, seed: int = 0, shape: tuple[int, ...] = (9, 10, 11)) -> CutCase:
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((2, *shape)).astype(np.float16)
    voxels = np.stack([rng.integers(0, size, patches) for size in shape], axis=1).astype(np.int32)
    kinds = np.arange(patches).astype(np.int8) % 3
    lesions = np.where(kinds == Kind.POSITIVE, 5, 0).astype(np.int32)
    return CutCase(name, image, Centres(voxels, kinds, lesions), voxels[:, ::-1] * 1.5, digest="0123456789abcdef0123")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shards(tmp_path / "patches", [case("one", 7), case("none", 0), case("two", 5, seed=1)], LAYOUT, shard_mb=1)
    return tmp_path / "patches"


def test_a_patch_is_centred_at_half_its_edge() -> None:
    image = np.arange(7 * 7, dtype=np.float32).reshape(1, 7, 7)
    assert cut_patch(image, (3, 3), 3)[0].tolist() == [[16, 17, 18], [23, 24, 25], [30, 31, 32]]
    assert cut_patch(image, (3, 3), 2)[0].tolist() == [[16, 17], [23, 24]]


def test_a_patch_beyond_the_border_is_zero_there() -> None:
    image = np.arange(1, 5, dtype=np.float32).reshape(1, 2, 2)
    assert cut_patch(image, (0, 0), 3)[0].tolist() == [[0, 0, 0], [0, 1, 2], [0, 3, 4]]
    assert cut_patch(image, (1, 1), 3)[0].tolist() == [[1, 2, 0], [3, 4, 0], [0, 0, 0]]
    assert cut_patch(image, (0, 1), 7)[0, 2:5, 1:5].tolist() == [[0, 0, 0, 0], [0, 1, 2, 0], [0, 3, 4, 0]]
    assert cut_patch(image, (9, 9), 3).tolist() == np.zeros((1, 3, 3)).tolist()


def test_every_patch_is_read_back_as_it_was_cut(folder: Path) -> None:
    store = PatchStore.open(folder, verify="all")
    cases = [case("one", 7), case("two", 5, seed=1)]
    expected = [cut_patch(c.image, voxel, 6) for c in cases for voxel in c.centres.voxels.tolist()]
    np.testing.assert_array_equal(store.read(np.arange(12)), expected)
    np.testing.assert_array_equal(store.read(np.array([11, 2, 2])), [expected[11], expected[2], expected[2]])
    assert store.cases.tolist() == ["one"] * 7 + ["two"] * 5
    np.testing.assert_array_equal(store.centres, np.concatenate([c.centres.voxels for c in cases]))
    np.testing.assert_array_equal(store.kinds, np.concatenate([c.centres.kinds for c in cases]))
    np.testing.assert_array_equal(store.lesions, np.where(store.kinds == 2, 5, 0))


@pytest.mark.parametrize("edge", [1, 2, 3, 4, 5])
def test_a_smaller_edge_is_cropped_around_the_same_centre(folder: Path, edge: int) -> None:
    one = case("one", 7)
    expected = [cut_patch(one.image, voxel, edge) for voxel in one.centres.voxels.tolist()]
    np.testing.assert_array_equal(PatchStore.open(folder).read(np.arange(7), edge), expected)


@pytest.mark.parametrize("edge", [0, 7])
def test_an_edge_that_is_not_stored_is_an_error(folder: Path, edge: int) -> None:
    with pytest.raises(HakkenError, match=f"patches of edge {edge} asked for, 6 are stored"):
        PatchStore.open(folder).read(np.arange(2), edge)


def test_the_index_names_case_centre_point_kind_and_lesion(folder: Path) -> None:
    with (folder / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    z, y, x = case("one", 7).centres.voxels[2].tolist()
    assert rows[2] == {
        "patch": "2",
        "shard": "0",
        "row": "2",
        "case_id": "one",
        **{"z": str(z), "y": str(y), "x": str(x)},
        **{"x_mm": f"{x * 1.5:.4f}", "y_mm": f"{y * 1.5:.4f}", "z_mm": f"{z * 1.5:.4f}"},
        "kind": "positive",
        "lesion": "5",
        "class": "",
        "pixels": "0123456789abcdef",
    }
    assert [row["kind"] for row in rows[:3]] == ["easy", "hard", "positive"]


def test_shards_json_holds_layout_counts_and_checksums(folder: Path) -> None:
    content = read_json(folder / "shards.json")
    assert content["patch_shape"] == [2, 6, 6, 6]
    assert content["dtype"] == "float16"
    assert content["kinds"] == {"easy": 5, "hard": 4, "positive": 3}
    assert content["layout"]["sampled_study"] == "digest"
    assert content["shards"] == [{"file": "shard-000.npy", "rows": 12, "sha256": sha256_file(folder / "shard-000.npy")}]


def test_a_shard_is_an_ordinary_npy_file_of_exact_length(folder: Path) -> None:
    array = np.load(folder / "shard-000.npy")
    assert (array.shape, array.dtype) == ((12, 2, 6, 6, 6), np.float16)
    assert (folder / "shard-000.npy").stat().st_size % 64 == (12 * 2 * 6**3 * 2) % 64


def test_shards_keep_below_their_size_and_are_read_across(tmp_path: Path) -> None:
    layout = Layout(30, 1, ("A", "B"), (1.0, 1.0, 1.0), "digest")  # 131072 bytes a patch: 8 in a shard of 1 MB
    big = case("big", 19, shape=(40, 40, 40))
    contents = write_shards(tmp_path, [big], layout, shard_mb=1)
    assert [(shard.file, shard.rows) for shard in contents.shards] == [
        ("shard-000.npy", 8),
        ("shard-001.npy", 8),
        ("shard-002.npy", 3),
    ]
    wanted = np.array([3, 18, 7, 8, 15, 16])
    expected = [cut_patch(big.image, big.centres.voxels[number].tolist(), 32) for number in wanted]
    np.testing.assert_array_equal(PatchStore.open(tmp_path, verify="all").read(wanted), expected)


def test_a_full_last_shard_leaves_no_empty_one(tmp_path: Path) -> None:
    layout = Layout(30, 1, ("A", "B"), (1.0, 1.0, 1.0), "digest")
    contents = write_shards(tmp_path, [case("big", 16, shape=(40, 40, 40))], layout, shard_mb=1)
    assert [shard.rows for shard in contents.shards] == [8, 8]


def test_memory_does_not_grow_with_the_number_of_patches(tmp_path: Path) -> None:
    layout = Layout(24, 4, ("A", "B"), (1.0, 1.0, 1.0), "digest")

    def cases() -> Iterator[CutCase]:
        for number in range(10):
            yield case(f"case-{number}", 20, seed=number, shape=(30, 30, 30))

    tracemalloc.start()
    write_shards(tmp_path, cases(), layout, shard_mb=256)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "shard-000.npy").stat().st_size > 25_000_000
    assert peak < 5_000_000


def test_the_same_cases_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_shards(tmp_path / "again", [case("one", 7), case("none", 0), case("two", 5, seed=1)], LAYOUT, shard_mb=1)
    for file in ("shard-000.npy", "index.csv", "shards.json"):
        assert (tmp_path / "again" / file).read_bytes() == (folder / file).read_bytes()


def test_patches_cut_again_replace_the_old_ones(folder: Path) -> None:
    (folder / "shard-001.npy").write_bytes(b"old")
    write_shards(folder, [case("one", 2)], LAYOUT, shard_mb=1)
    assert len(PatchStore.open(folder, verify="all")) == 2
    assert not (folder / "shard-001.npy").exists()


def test_an_interrupted_cut_leaves_no_folder_that_opens(folder: Path) -> None:
    def failing() -> Iterator[CutCase]:
        yield case("one", 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(folder, failing(), LAYOUT, shard_mb=1)
    assert [path.name for path in folder.iterdir() if "shard" in path.name] == []
    with pytest.raises(HakkenError, match=r"shards\.json: is missing, so the patches are unfinished; delete"):
        PatchStore.open(folder)


@pytest.mark.parametrize("verify", ["touched", "all"])
def test_a_flipped_byte_is_found_by_its_checksum(folder: Path, verify: Literal["touched", "all"]) -> None:
    path = folder / "shard-000.npy"
    before, content = path.stat(), bytearray(path.read_bytes())
    time.sleep(0.02)  # the clock of a file system ticks every few milliseconds
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    PatchStore.open(folder)
    for _ in range(2):
        with pytest.raises(HakkenError) as caught:
            PatchStore.open(folder, verify=verify)
        assert str(caught.value) == (
            f"{path}: is corrupt (its SHA-256 has changed); delete {folder} and cut the patches again"
        )


def test_shards_are_read_when_they_are_written_and_not_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hakken.core.digests.sha256_file", None)
    assert len(PatchStore.open(folder, verify="touched")) == 12
    with pytest.raises(TypeError):
        PatchStore.open(folder, verify="all")


def test_a_truncated_shard_is_named(folder: Path) -> None:
    path = folder / "shard-000.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(HakkenError, match=r"shard-000\.npy: cannot be read .*; delete .* and cut the patches again"):
        PatchStore.open(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "shard-000.npy").unlink()
    with pytest.raises(HakkenError, match=r"shard-000\.npy: cannot be read"):
        PatchStore.open(folder)


def test_a_shard_of_another_shape_is_named(folder: Path) -> None:
    np.save(folder / "shard-000.npy", np.zeros((12, 2, 5, 5, 5), np.float16))
    with pytest.raises(HakkenError, match=r"holds float16 \(12, 2, 5, 5, 5\) instead of float16 \(12, 2, 6, 6, 6\)"):
        PatchStore.open(folder)


def test_a_changed_index_is_an_error(folder: Path) -> None:
    path = folder / "index.csv"
    path.write_text(path.read_text().replace("positive", "easy"))
    with pytest.raises(HakkenError, match=r"index\.csv: is missing or changed since the patches were cut"):
        PatchStore.open(folder)


def test_flat_images_give_patches_of_two_axes(tmp_path: Path) -> None:
    layout = Layout(4, 1, ("A", "B"), (1.0, 1.0, 1.0), "digest", axes=2)
    flat = case("flat", 4, shape=(1, 12, 13))
    write_shards(tmp_path, [flat], layout, shard_mb=1)
    store = PatchStore.open(tmp_path, verify="all")
    expected = [cut_patch(flat.image[:, 0], voxel[1:], 6) for voxel in flat.centres.voxels.tolist()]
    np.testing.assert_array_equal(store.read(np.arange(4)), expected)
