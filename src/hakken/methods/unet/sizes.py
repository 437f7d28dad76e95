"""The sizes of a U-Net between which is chosen after training."""

from __future__ import annotations

from dataclasses import dataclass

from hakken.methods.unet import Sizes
from hakken.networks.structure import Structure


@dataclass(frozen=True, order=True)
class Size:
    """A size at which a U-Net runs: its first ``levels`` levels, with the leading fraction ``features`` of the maps."""

    levels: int
    features: float = 1.0

    @property
    def words(self) -> str:
        """The size as people read it, such as `5 levels` and `3 levels, 0.5 of the maps`."""
        depth = "1 level" if self.levels == 1 else f"{self.levels} levels"
        return depth + ("" if self.features == 1 else f", {self.features:g} of the maps")


def sizes_of(sizes: Sizes, structure: Structure) -> tuple[Size, ...]:
    """Return the sizes that a study names, the largest first; the whole depth where it names none.

    >>> [size.words for size in sizes_of(Sizes(levels=(2, 3), features=(0.5, 1)), Structure(poolings=2))]
    ['3 levels', '3 levels, 0.5 of the maps', '2 levels', '2 levels, 0.5 of the maps']
    """
    depths = sizes.levels or (structure.poolings + 1,)
    return tuple(sorted((Size(depth, width) for depth in depths for width in sizes.features), reverse=True))
