"""Saccular aneurysms: on which arteries they sit, their size and shape, and how slow the blood is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from hakken.anatomy.blobs import ball_directions
from hakken.anatomy.scanners import Pose
from hakken.anatomy.shapes import Points
from hakken.anatomy.tubes import Lumen, Tubes
from hakken.core.volume import Geometry
from hakken.phantoms import Levels
from hakken.phantoms.aneurysm.arteries import Arteries, Site
from hakken.phantoms.aneurysm.branching import unit

# UCAS Japan, 6,697 unruptured aneurysms (Morita et al., N Engl J Med 2012;366:2474-2482, table 1), in per cent.
TERRITORIES = {
    "MCA": 36.2,
    "ICA": 18.6,
    "ACoA": 15.5,
    "ICA-PComA": 15.5,
    "basilar": 6.6,
    "other": 5.8,
    "vertebral": 1.8,
}
# Smaller than in UCAS, which has none below 3 mm: a screening finds many that are.
MEDIAN_MM, SPREAD = 4.2, 0.45
SMALLEST_MM, LARGEST_MM = 2.0, 10.0
APART_MM = 2.0
TRIES = 24


@dataclass(frozen=True)
class Sac:
    """A dome on a vessel's wall, in the head's space in mm.

    ``centre`` and ``heading`` (3,), from the neck to the dome's tip. ``half`` and ``waist``: semi-axes along the
    heading and across. ``bleb``: centre (3,) and radius of a daughter sac, or None. ``neck_mm``: width of the opening.
    ``base`` and ``loss``: the signal of its blood relative to fast flow, at the neck, and what is lost to the tip.
    """

    site: Site
    centre: Points
    heading: Points
    half: float
    waist: float
    bleb: tuple[Points, float] | None
    neck_mm: float
    base: float
    loss: float

    @property
    def diameter_mm(self) -> float:
        """The dome's largest diameter in mm, without a bleb."""
        return 2 * max(self.half, self.waist)

    @property
    def reach(self) -> float:
        """How far from its centre the sac may extend, in mm."""
        return self.diameter_mm / 2 + (self.bleb[1] if self.bleb else 0)

    def distance(self, points: Points) -> Points:
        """Return the approximate signed distance in mm from points (n, 3) to the wall, negative inside."""
        offset = points - self.centre
        up = offset @ self.heading
        out = np.sqrt(np.maximum((offset**2).sum(-1) - up**2, 0))
        near = np.hypot(up / self.half, out / self.waist)
        slope = np.hypot(up / self.half**2, out / self.waist**2)
        wall = np.where(near > 1e-6, near * (near - 1) / np.maximum(slope, 1e-9), -min(self.half, self.waist))
        if self.bleb is not None:
            wall = np.minimum(wall, np.linalg.norm(points - self.bleb[0], axis=-1) - self.bleb[1])
        return np.asarray(wall)

    def signal(self, points: Points) -> Points:
        """Return the signal of the blood at points (n, 3) relative to fast flow: it fades from the neck to the tip."""
        up = ((points - self.centre) @ self.heading) / self.half
        return np.asarray(self.base - self.loss * np.clip((up + 1) / 2, 0, 1) ** 1.5)

    def describe(self) -> dict[str, Any]:
        """Return what the truth file says about the aneurysm, without its place."""
        return {
            "diameter_mm": round(self.diameter_mm, 3),
            "neck_mm": round(self.neck_mm, 3),
            "territory": self.site.territory,
            "site": self.site.name,
            "bifurcation": self.site.bifurcation,
            "lobulated": self.bleb is not None,
        }


@dataclass(frozen=True)
class Placed:
    """The scanner's grid and how the head lies in it."""

    geometry: Geometry
    pose: Pose

    @property
    def step(self) -> float:
        """The edge in mm of a cube as large as a voxel."""
        return float(np.cbrt(self.geometry.voxel_mm3))

    def around(self, centre: Points, reach: float) -> tuple[NDArray[np.intp], Points]:
        """Return the voxels (n, 3) z, y, x within ``reach`` mm of a point, and their places (n, 3) in the head."""
        middle = np.round(self.geometry.to_voxel(self.pose.apply(centre[None]))[0]).astype(int)
        margin = np.ceil((reach + self.step) / np.asarray(self.geometry.spacing)[::-1]).astype(int) + 1
        low = np.clip(middle - margin, 0, np.asarray(self.geometry.shape_zyx) - 1)
        high = np.clip(middle + margin + 1, 1, self.geometry.shape_zyx)
        axes = [np.arange(start, stop) for start, stop in zip(low, high, strict=True)]
        voxels = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        return voxels, self.pose.undo(self.geometry.to_world(voxels))


def size_at(level: float) -> float:
    """Return the diameter in mm at a quantile of a log-normal law with median 4.2 mm, truncated to 2 to 10 mm.

    >>> [round(size_at(level), 2) for level in (0, 0.5, 1)]
    [2.0, 4.25, 10.0]
    """
    low, high = ndtr(np.log(np.array([SMALLEST_MM, LARGEST_MM]) / MEDIAN_MM) / SPREAD)
    return MEDIAN_MM * float(np.exp(SPREAD * ndtri(low + level * (high - low))))


def site_at(arteries: Arteries, found: list[Sac], level: float) -> Site:
    """Return the site at a quantile of those that no aneurysm of ``found`` has, by their territories' frequencies.

    Within a territory all sites are alike, but that the fork of M1 outweighs M1 itself and the forks of M2.
    """
    used = [sac.site.name for sac in found]
    free = [site for territory in TERRITORIES for site in arteries.sites if site.territory == territory]
    free = [site for site in free if site.name not in used]
    shares = np.array([TERRITORIES[site.territory] * (6 if "MCA bif" in site.name else 1) for site in free])
    for territory, frequency in TERRITORIES.items():
        here = np.array([site.territory == territory for site in free])
        if here.any():
            shares[here] *= frequency / shares[here].sum()
    return free[min(int(np.searchsorted(np.cumsum(shares / shares.sum()), level, side="right")), len(free) - 1)]


def draw_aneurysms(arteries: Arteries, levels: Sequence[Levels], random: Generator) -> tuple[Sac, ...]:
    """Draw an aneurysm for each of ``levels``, largest first, on different sites and apart from each other.

    The site follows the published frequencies among those that are left; the first one tried is that of the level. Of
    several directions that one is taken in which the dome runs into other vessels least; a site where it runs into them
    in all is left for another.
    """
    found: list[Sac] = []
    for level in sorted(levels, key=lambda each: each.size, reverse=True):
        best: tuple[float, Sac] | None = None
        size = size_at(level.size)
        for attempt in range(6):
            site = site_at(arteries, found, random.random() if attempt else level.kind)
            clash, sac = _placed(arteries, site, size, found, random)
            if best is None or clash < best[0]:
                best = (clash, sac)
            if clash < 0.12:
                break
        assert best is not None
        found.append(best[1])
    return tuple(found)


def paint_sac(lumen: Lumen, sac: Sac, tubes: Tubes, grid: Placed) -> NDArray[np.intp]:
    """Paint an aneurysm into ``lumen`` in place; return the voxels (n, 3) z, y, x that belong to it.

    A voxel belongs to the aneurysm if its centre is in the sac and in no artery; at least one voxel does.
    """
    voxels, points = grid.around(sac.centre, sac.reach)
    distance = sac.distance(points)
    share = np.clip(0.5 - distance / grid.step, 0, min(1.0, 4 / 3 * np.pi * sac.waist**3 / grid.geometry.voxel_mm3))
    index = tuple(voxels.T)
    lumen.share[index] = np.maximum(lumen.share[index], share)
    lumen.signal[index] = np.maximum(lumen.signal[index], share * sac.signal(points))
    inner = np.flatnonzero(distance < 0)
    inside = inner[tubes.near(sac.centre, sac.reach).distance(points[inner]) > 0] if len(inner) else inner
    if not len(inside):
        inside = np.array([distance.argmin()])
    return np.asarray(voxels[inside])


def _placed(arteries: Arteries, site: Site, size: float, found: list[Sac], random: Generator) -> tuple[float, Sac]:
    """Return the best of several sacs of this size at a site, and the fraction of it that runs into vessels."""
    near = arteries.tubes.near(site.place, 2 * size + 8)
    radius = size / 2
    slim = float(random.uniform(0.72, 1.0))
    half, waist = (radius, slim * radius) if random.random() < 0.75 else (slim * radius, radius)
    neck = 2 * waist * float(random.uniform(0.5, 0.9))
    sunk = half * float(np.sqrt(1 - (neck / (2 * waist)) ** 2))
    spread = np.concatenate([[0.0], random.uniform(0.1, 0.8, TRIES - 1)])[:, None]
    ways = unit(site.heading + spread * random.normal(size=(TRIES, 3)))
    centres = np.array([site.place + way * (_wall(near, site, way) + sunk) for way in ways])
    shell = ball_directions(60)[None] * np.array([1.0, 0.7])[:, None, None]
    cloud = (shell.reshape(-1, 3) * radius)[None] + centres[:, None]
    clash = (near.distance(cloud.reshape(-1, 3)).reshape(TRIES, -1) < 0).mean(-1)
    for other in found:
        gap = np.linalg.norm(centres - other.centre, axis=-1) - radius - other.diameter_mm / 2
        clash += gap < APART_MM
    best = int(np.flatnonzero(clash <= max(float(clash.min()), 0.06))[0])
    base, loss = _flow(size, random)
    bleb = _bleb(centres[best], ways[best], half, waist, random)
    return float(clash[best]), Sac(site, centres[best], ways[best], half, waist, bleb, neck, base, loss)


def _wall(tubes: Tubes, site: Site, way: Points) -> float:
    """Return how far in mm from a site's axis, in a direction, one leaves the artery."""
    far = np.linspace(0.4, 3, 27) * max(site.radius, 0.6)
    outside = tubes.distance(site.place + far[:, None] * way) > 0
    return float(far[outside.argmax()]) if outside.any() else float(site.radius)


def _flow(size: float, random: Generator) -> tuple[float, float]:
    """Return the blood's signal at the neck and what is lost to the tip: the larger the sac, the slower its blood."""
    slow = float(np.clip((size - 3) / 5, 0, 1))
    return float(random.uniform(0.8, 0.98)), float(random.uniform(0.05, 0.25) + slow * random.uniform(0.1, 0.4))


def _bleb(centre: Points, heading: Points, half: float, waist: float, random: Generator) -> tuple[Points, float] | None:
    """Return a daughter sac on the dome's upper half: three in ten aneurysms above 4 mm have one."""
    if 2 * half < 4 or random.random() > 0.3:
        return None
    way = unit(heading + 0.6 * unit(random.normal(size=3)))
    radius = float(random.uniform(0.3, 0.5)) * min(half, waist)
    return centre + way * 0.9 * min(half, waist), radius
