"""Small patch stores to read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hakken.patches.sampling import Centres, Kind
from hakken.patches.shards import CutCase, Layout, PatchStore, write_shards

StoreMaker = Callable[..., PatchStore]


@pytest.fixture
def make_store(tmp_path: Path) -> StoreMaker:
    """Return a maker of stores with so many patches of each kind; every patch holds its own number everywhere."""

    def make(easy: int = 6, hard: int = 4, positive: int = 5, size: int = 4, margin: int = 1) -> PatchStore:
        kinds = [Kind.EASY] * easy + [Kind.HARD] * hard + [Kind.POSITIVE] * positive
        layout = Layout(size, margin, ("A",), (1.0, 1.0, 1.0), "study")
        edge = layout.edge
        image = np.zeros((1, edge, edge, edge * len(kinds)), np.float32)
        for number in range(len(kinds)):
            image[..., number * edge : (number + 1) * edge] = number
        voxels = np.array([[edge // 2, edge // 2, edge // 2 + edge * n] for n in range(len(kinds))], np.int32)
        voxels = voxels.reshape(-1, 3)
        lesions = np.array([int(kind == Kind.POSITIVE) for kind in kinds], np.int32)
        centres = Centres(voxels, np.array(kinds, np.int8), lesions)
        folder = tmp_path / f"store-{easy}-{hard}-{positive}-{size}-{margin}"
        write_shards(folder, [CutCase("case", image, centres, voxels[:, ::-1].astype(float))], layout, shard_mb=1)
        return PatchStore.open(folder)

    return make
