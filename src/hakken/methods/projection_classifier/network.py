"""A classifier of cubes that sees them as maximum-intensity projections in nine directions.

Nakao et al., Deep neural network-based computer-assisted detection of cerebral aneurysms in MR angiography, J Magn
Reson Imaging 2018;47:948-953: whether a voxel lies in an aneurysm is decided from the volume of interest around it,
seen as 2-D maximum-intensity projections by a small CNN. That the directions are the three axes and the six face
diagonals is a reconstruction. Axes are (z, y, x), units are voxels.

Notation, for a cube of edge p with c = p // 2, the index of the classified voxel along each axis. Along an axis the
image is (p, p), its rows and columns the two other axes in the order z, y, x. Along a diagonal of the face (a, b), a
before b, rows are the axis that stays and column j is the line of offset o = j - c, the p central ones:

- ``a+b``: the voxels with b - a = o, that is a from max(0, -o) to p - 1 - max(0, o); p - abs(o) voxels;
- ``a-b``: the voxels with (a - c) + (b - c) = o, so a + b = s = c + j, a from max(0, s - p + 1) to min(p - 1, s);
  p - abs(s - p + 1) voxels, which for odd p is p - abs(o) and for even p is p - abs(o + 1).

A line ends where it leaves the cube; none of them is shorter than p - c voxels. Neighbouring lines are 1 / sqrt(2)
voxels apart. The classified voxel is seen at pixel (c, c) of all nine images, p even or odd, and reversing b turns the
image along ``a+b`` into the one along ``a-b``, columns reversed.
"""

from __future__ import annotations

import torch
from torch import nn

from hakken.networks.patch_cnn import PatchClassifier
from hakken.networks.structure import Structure

DIRECTIONS = ("z", "y", "x", "z+y", "z-y", "z+x", "z-x", "y+x", "y-x")


class ProjectionClassifier(nn.Module):
    """Cubes (b, channels, p, p, p) to logits (b, classes, 1, 1, 1), p = ``structure.patch_size``.

    ``classifier`` is a `PatchClassifier` of the nine projections of each channel, with the same hyper-structure.
    Raises InvalidArchitecture when the patch is too small.

    >>> network = ProjectionClassifier(1, Structure(patch_size=14))
    >>> network(torch.zeros(5, 1, 14, 14, 14)).shape
    torch.Size([5, 2, 1, 1, 1])
    """

    def __init__(self, channels: int, structure: Structure | None = None, classes: int = 2) -> None:
        super().__init__()
        self.channels, self.dimensions, self.classes = channels, 3, classes
        self.classifier = PatchClassifier(len(DIRECTIONS) * channels, 2, structure, classes)
        self.structure = self.classifier.structure

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return logits (b, classes, 1, 1, 1) of cubes (b, channels, p, p, p); raises ValueError for other shapes."""
        expected = (self.channels, *self.patch_shape)
        if tuple(volumes.shape[1:]) != expected:
            wanted = ", ".join(map(str, expected))
            raise ValueError(f"volumes of shape {tuple(volumes.shape)}: this network takes (b, {wanted})")
        logits: torch.Tensor = self.classifier(project(volumes)[:, :, None])
        return logits

    @property
    def patch_shape(self) -> tuple[int, int, int]:
        """Shape (z, y, x) of one cube in voxels."""
        edge = self.structure.patch_size
        return (edge, edge, edge)

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return self.classifier.parameter_count


def project(volumes: torch.Tensor) -> torch.Tensor:
    """Return the maximum-intensity projections (b, 9 c, p, p) of cubes (b, c, p, p, p), in the order of DIRECTIONS.

    Nine images of the first channel, then nine of the second. Of any number type, which is kept. Raises ValueError when
    ``volumes`` are no cubes.

    >>> project(torch.arange(8.0).reshape(1, 1, 2, 2, 2))[0, DIRECTIONS.index("y-x")]
    tensor([[2., 3.],
            [6., 7.]])
    """
    if volumes.ndim != 5 or len(set(volumes.shape[2:])) != 1:
        raise ValueError(f"volumes of shape {tuple(volumes.shape)}: expected cubes (b, c, p, p, p)")
    edge = volumes.shape[-1]
    lines = _lines(edge, volumes.device)
    images = [volumes.amax(axis) for axis in (2, 3, 4)]
    for stays in (4, 3, 2):
        faces = volumes.movedim(stays, 4).flatten(2, 3)  # (b, c, a b, stays)
        along = faces.index_select(2, lines).reshape(*faces.shape[:2], 2, edge, edge, edge)  # (…, voxel, line, stays)
        images += along.amax(3).transpose(3, 4).unbind(2)
    return torch.stack(images, 2).flatten(1, 2)


def _lines(edge: int, device: torch.device) -> torch.Tensor:
    """Return the voxels a * edge + b of both diagonals' lines, (2, voxel, line) flattened.

    A line that is shorter than the edge goes on with its first or last voxel, which changes no maximum and needs no
    value that stands for nothing.
    """
    centre, last = edge // 2, edge - 1
    a = torch.arange(edge, device=device)[:, None]
    column = torch.arange(edge, device=device)
    offset, total = column - centre, column + centre
    rising = a.clamp(min=(-offset).clamp(min=0), max=last - offset.clamp(min=0))
    falling = a.clamp(min=(total - last).clamp(min=0), max=total.clamp(max=last))
    return torch.stack([rising * edge + rising + offset, falling * edge + total - falling]).flatten()
