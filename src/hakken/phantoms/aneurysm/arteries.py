"""The arteries of the head: carotids with siphon, the circle of Willis and its variants, the great cerebral arteries.

Knots are in mm of an adult head from the middle of the circle: x to the side, y to the back, z up. The circle shrinks
less than the head, and its arteries less than the circle, so that small phantoms keep their calibres.
Variants of the circle follow Krabbe-Hartkamp et al., Radiology 1998;207:103-111, coarsely.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from hakken.anatomy.head import Anatomy
from hakken.anatomy.shapes import Points
from hakken.anatomy.tubes import Tubes, along, curve, join
from hakken.phantoms.aneurysm.branching import THINNEST_MM, Buds, Growth, daughter_radii, grow, unit

WORDS = {1.0: "left", -1.0: "right"}
ADULT_MM = 69.0
STEP_MM = 0.7
SITE_MARGIN_MM = 4.0
CAROTID = (
    ((24, 12, -66), 2.5),
    ((24, 11, -48), 2.5),
    ((23, 9, -38), 2.4),
    ((17, 3, -35), 2.4),
    ((12.5, -1, -33), 2.35),
    ((11, -2, -28), 2.3),
    ((11.5, -7, -23), 2.25),
    ((13, -14, -21.5), 2.2),
    ((13.5, -17.5, -17), 2.1),
    ((12, -15, -12), 1.95),
    ((10, -9.5, -8), 1.85),
    ((9.5, -6, -4.5), 1.8),
    ((11, -3.5, 0), 1.8),
)
BEND, OPHTHALMIC, COMMUNICATING = 7, 9, 10
M1 = ((11, -3.5, 0), (17, -4.5, 2), (24, -5, 1.5), (31, -3, 3.5))
A1 = ((11, -3.5, 0), (8, -8, 2.5), (4.5, -12.5, 2.5), (2.4, -16, 3.5))
POSTERIOR_COMMUNICATING = ((10, -9.5, -8), (9.2, -3, -8.5), (8.5, 4, -7), (9, 9.5, -5.5))
P1 = ((0, 9, -6), (4.5, 7.8, -5.2), (9, 9.5, -5.5))
P2 = ((9, 9.5, -5.5), (15, 15, -5), (18.5, 23, -2), (16, 32, 1), (11, 40, 4))
BASILAR = ((0, 15, -30), (0.8, 11.5, -23.5), (-0.5, 9.5, -15.5), (0, 9, -6))
VERTEBRAL = ((10, 36, -70), (13, 33, -54), (9, 25, -39), (4, 18.5, -33), (0, 15, -30))
SUPERIOR_CEREBELLAR = ((0, 9, -8.5), (6, 9.5, -9.5), (13, 16, -10.5), (18, 25, -9))
ANTERIOR_INFERIOR = ((0, 10.5, -19), (8, 12, -21.5), (18, 17, -21), (26, 22, -17.5))
POSTERIOR_INFERIOR = ((9, 25, -39), (11.5, 33, -37), (9, 41, -35), (7, 45, -38))
OPHTHALMIC_ARTERY = ((12.5, -16, -13), (14, -23, -14), (17, -33, -15), (20, -44, -12))
PERICALLOSAL = ((0.50, -0.28), (0.60, 0.02), (0.50, 0.33), (0.22, 0.47), (-0.10, 0.49), (-0.35, 0.40))
SCALP = ((1.0, 0.14, -0.85), (1.0, 0.08, -0.35), (0.98, -0.06, 0.05), (0.86, -0.40, 0.36), (0.66, -0.62, 0.55))


@dataclass(frozen=True)
class Site:
    """Where an aneurysm may grow: place x, y, z in mm on an artery's axis, the direction in which it would point."""

    territory: str
    name: str
    place: Points
    heading: Points
    radius: float
    bifurcation: bool


@dataclass(frozen=True)
class Arteries:
    """All arteries of a head as pieces, the sites of aneurysms, what grew, infundibula (places in mm), and variants.

    ``centre``: the circle's middle, x, y, z in mm; ``reach``: its size relative to an adult's.
    """

    tubes: Tubes
    sites: tuple[Site, ...]
    growth: Growth
    infundibula: tuple[Points, ...]
    variants: dict[str, Any]
    centre: Points
    reach: float


class _Plan:
    """Collects what is drawn of one head; ``scale`` times mm of an adult is mm of this circle, ``calibre`` likewise."""

    def __init__(self, anatomy: Anatomy, random: Generator) -> None:
        size = float(np.cbrt(np.prod(anatomy.radii))) / ADULT_MM
        self.anatomy, self.random = anatomy, random
        self.scale, self.calibre = size**0.6, size**0.3 * random.uniform(0.93, 1.07)
        self.length = size
        self.centre = np.array([0, -0.10, -0.45]) * anatomy.radii
        self.tubes: list[Tubes] = []
        self.sites: list[Site] = []
        self.growth = Growth()
        self.infundibula: list[Points] = []
        self.variants: dict[str, Any] = {}
        self.moved: dict[tuple[float, ...], Points] = {}

    def place(self, knot: tuple[float, ...], side: float) -> Points:
        """Return where a knot lies, a little moved, each knot in one place for all arteries that share it."""
        key = (knot[0] * side, *knot[1:])
        if key not in self.moved:
            self.moved[key] = self.centre + self.scale * (np.array(key) + self.random.normal(0, 0.6, 3))
        return self.moved[key]

    def line(self, knots: tuple[tuple[float, ...], ...], side: float) -> Points:
        """Return points (n, 3) mm of an artery through ``knots``."""
        return curve(np.array([self.place(knot, side) for knot in knots]), STEP_MM)

    def draw(self, line: Points, radii: Points | float, strength: tuple[float, float] = (1.0, 1.0)) -> None:
        """Add an artery along ``line`` (n, 3), its signal from the first to the second ``strength``."""
        count = len(line)
        self.tubes.append(along(line, np.broadcast_to(radii, count).astype(float), np.linspace(*strength, count)))

    def site(self, territory: str, name: str, place: Points, heading: ArrayLike, *, radius: float, fork: bool) -> None:
        """Add a site."""
        self.sites.append(Site(territory, name, place, unit(np.asarray(heading, float)), radius, fork))

    def sprout(
        self, name: str, places: Points, headings: Points, wish: Points, *, radii: Points, signal: float
    ) -> None:
        """Let trees grow from places (n, 3); thinner than 0.4 mm none grows."""
        kept = radii >= THINNEST_MM
        headings, wish = unit(headings[kept]), unit(np.broadcast_to(wish, headings.shape)[kept])
        buds = Buds(name, places[kept], headings, wish, radii[kept], np.full(int(kept.sum()), signal))
        grown = grow(self.anatomy, buds, self.length, self.random)
        self.growth.tubes.extend(grown.tubes)
        self.growth.forks.extend(grown.forks)
        self.growth.loops.extend(grown.loops)


def draw_arteries(anatomy: Anatomy, random: Generator) -> Arteries:
    """Draw the arteries of one head; a site at or beyond the border of the head's grid is left out."""
    plan = _Plan(anatomy, random)
    basilar = _back(plan)
    weak = random.choice(["left", "right", "none"], p=[0.06, 0.06, 0.88])
    plan.variants["hypoplastic_a1"] = str(weak)
    for side, word in WORDS.items():
        _carotid(plan, side, thin_a1=word == weak, basilar=basilar)
    _front(plan, str(weak))
    for side in (-1.0, 1.0):
        _scalp(plan, side)
    tubes = join([*plan.tubes, *plan.growth.tubes])
    _grown_sites(plan)
    half = np.asarray(anatomy.grid.shape[::-1]) * anatomy.grid.step / 2
    sites = [site for site in plan.sites if (np.abs(site.place) < half - SITE_MARGIN_MM).all()]
    return Arteries(tubes, tuple(sites), plan.growth, tuple(plan.infundibula), plan.variants, plan.centre, plan.scale)


def _carotid(plan: _Plan, side: float, *, thin_a1: bool, basilar: float) -> None:
    """Draw one internal carotid, its siphon, the first parts of its two great branches, and the communicating one."""
    random, calibre, word = plan.random, plan.calibre, WORDS[side]
    knots = tuple(knot for knot, _ in CAROTID)
    points = np.array([plan.place(knot, side) for knot in knots])
    line = curve(points, STEP_MM)
    chord = [int(np.linalg.norm(line - point, axis=-1).argmin()) for point in points]
    radii = calibre * np.interp(np.arange(len(line)), chord, [radius for _, radius in CAROTID])
    signal = 1 - 0.22 * np.exp(-(((np.arange(len(line)) - chord[BEND]) * STEP_MM / (6 * plan.scale)) ** 2))
    plan.tubes.append(along(line, radii, signal))
    ratio = 0.35 if thin_a1 else random.uniform(0.68, 0.9)
    middle, front = (float(radius) for radius in daughter_radii(radii[-1], np.array(ratio)))
    plan.variants[f"a1_{word}"] = front
    _middle(plan, side, middle)
    plan.draw(plan.line(A1, side), front, (1, 0.97))
    plan.site("ICA", f"ICA terminus, {word}", line[-1], line[-1] - line[-4], radius=radii[-1], fork=True)
    bend, eye, back = chord[BEND], chord[OPHTHALMIC], chord[COMMUNICATING]
    plan.site("ICA", f"ICA cavernous, {word}", line[bend], [side, 0.2, -0.3], radius=radii[bend], fork=False)
    for name, way in (("ophthalmic", (-0.2 * side, -0.3, 1.0)), ("paraclinoid", (-side, 0.3, -0.1))):
        plan.site("ICA", f"ICA {name}, {word}", line[eye], way, radius=radii[eye], fork=False)
    plan.site("ICA-PComA", f"ICA-PComA, {word}", line[back], [0.35 * side, 0.9, -0.35], radius=radii[back], fork=False)
    plan.draw(plan.line(OPHTHALMIC_ARTERY, side), 0.55 * calibre, (0.8, 0.5))
    _posterior(plan, side, basilar=basilar, origin=line[back], carotid=float(radii[back]))


def _posterior(plan: _Plan, side: float, *, basilar: float, origin: Points, carotid: float) -> None:
    """Draw the posterior communicating and cerebral arteries; of the fetal type the carotid feeds the territory."""
    random, word = plan.random, WORDS[side]
    kind = str(random.choice(["fetal", "thin", "absent"], p=[0.15, 0.55, 0.30]))
    plan.variants[f"pcom_{word}"] = kind
    first = 0.5 * plan.calibre if kind == "fetal" else float(daughter_radii(np.array(basilar), np.array(1.0))[0])
    joining = {"fetal": 1.05, "thin": random.uniform(0.42, 0.65), "absent": 0.0}[kind] * plan.calibre
    if kind != "absent":
        line = plan.line(POSTERIOR_COMMUNICATING, side)
        line = np.concatenate([origin[None], line[1:]])
        radii = np.full(len(line), max(joining, THINNEST_MM))
        if kind == "thin" and random.random() < 0.35:
            wide, far = random.uniform(0.95, 1.35), np.linalg.norm(line - origin, axis=-1) - carotid
            radii = np.maximum(radii, wide * (1 - np.clip(far, 0, None) / random.uniform(2.0, 2.9)))
            plan.infundibula.append(line[np.abs(far - 1.0).argmin()])
        plan.draw(line, radii, (0.92, 0.92 if kind == "fetal" else 0.75))
    plan.draw(plan.line(P1, side), first, (0.97, 0.95))
    later = float(np.cbrt(first**3 + joining**3))
    line = plan.line(P2, side)
    plan.draw(line, later, (0.93, 0.86))
    half = len(line) // 2
    plan.site("other", f"PCA P2, {word}", line[half], [0.3 * side, -0.2, 1.0], radius=later, fork=False)
    last = line[-1] - line[-3]
    plan.sprout(
        "PCA", line[-1:], last[None], np.array([0.15 * side, 1.0, 0.15]), radii=np.array([later * 0.9]), signal=0.84
    )
    side_branch = np.array([[0.7 * side, 0.5, -0.2]])
    plan.sprout("PCA", line[half : half + 1], side_branch, side_branch[0], radii=np.array([later * 0.62]), signal=0.84)


def _middle(plan: _Plan, side: float, radius: float) -> None:
    """Draw the middle cerebral artery's first part, M1, and let its trunks grow."""
    line, word = plan.line(M1, side), WORDS[side]
    plan.draw(line, radius, (0.98, 0.95))
    heading = unit(line[-1] - line[-4])
    plan.site("MCA", f"MCA bifurcation, {word}", line[-1], heading, radius=radius, fork=True)
    half = len(line) // 2
    plan.site("MCA", f"MCA M1, {word}", line[half], [0.2 * side, -0.5, 0.7], radius=radius, fork=False)
    upper, lower = daughter_radii(np.array([radius]), plan.random.uniform(0.7, 1.0, 1))
    if plan.random.random() < 0.5:
        upper, lower = lower, upper
    ways = np.array([(0.45 * side, 0.0, 0.9), (0.75 * side, 0.65, 0.1)])
    wishes = np.array([(0.15 * side, 0.0, 1.0), (0.3 * side, 0.9, 0.55)])
    for way, wish, thick in zip(ways, wishes, (upper, lower), strict=True):
        plan.sprout("MCA", line[-1:], way[None], wish, radii=thick, signal=0.93)


def _front(plan: _Plan, weak: str) -> None:
    """Draw the anterior communicating artery and the anterior cerebral arteries beyond it."""
    random = plan.random
    ends = [plan.place(A1[-1], side) for side in WORDS]
    bridge = random.uniform(0.5, 0.95) * plan.calibre if weak == "none" else 1.0 * plan.calibre
    plan.variants["acom_mm"] = round(2 * bridge, 3)
    plan.draw(np.array([ends[0], (ends[0] + ends[1]) / 2, ends[1]]), bridge, (0.96, 0.96))
    cubes = [plan.variants.pop(f"a1_{word}") ** 3 for word in WORDS.values()]
    shared = 0.8 * (sum(cubes) / 2) if weak != "none" else None
    for (side, word), end, cube in zip(WORDS.items(), ends, cubes, strict=True):
        radius = float(np.cbrt(cube if shared is None else shared))
        way = [0.0, -0.75 + random.normal(0, 0.3), 0.4 + random.normal(0, 0.5)]
        plan.site("ACoA", f"ACoA, {word}", end, way, radius=max(radius, bridge), fork=True)
        _pericallosal(plan, side, end, radius)


def _pericallosal(plan: _Plan, side: float, start: Points, radius: float) -> None:
    """Draw one anterior cerebral artery around the corpus callosum; each branch takes its share by Murray's law."""
    random, word, (_, b, c) = plan.random, WORDS[side], plan.anatomy.radii
    bend = plan.scale * random.uniform(1.2, 2.4)
    knots = [(side * bend, -y * b, z * c) for y, z in PERICALLOSAL]
    line = curve(np.concatenate([start[None], np.array(knots) + random.normal(0, 0.5 * plan.scale, (6, 3))]), STEP_MM)
    cuts = np.round(np.array([0, 0.20, 0.36, 0.52, 0.68, 0.84, 1]) * (len(line) - 1)).astype(int)
    places, ways, widths, trunk = [], [], [], np.array(radius)
    for first, last in itertools.pairwise(cuts):
        signal = (0.95 - 0.25 * first / len(line), 0.95 - 0.25 * last / len(line))
        plan.draw(line[first : last + 1], float(trunk), signal)
        trunk, branch = daughter_radii(trunk, random.uniform(0.6, 0.9, ()))
        heading = unit(line[last] - line[max(last - 3, 0)])
        outward = unit(line[last] * (0, 1, 1))
        places.append(line[last])
        ways.append(unit(heading + outward))
        widths.append(float(branch))
        if last == cuts[2]:
            plan.site(
                "other", f"ACA distal, {word}", line[last], heading + 0.5 * outward, radius=float(trunk), fork=True
            )
    for place, way, width in zip(places, ways, widths, strict=True):
        plan.sprout(
            "ACA", place[None], way[None], way + np.array([0.1 * side, 0.2, 0]), radii=np.array([width]), signal=0.85
        )


def _back(plan: _Plan) -> float:
    """Draw vertebral, basilar and cerebellar arteries; return the basilar artery's radius in mm."""
    random, calibre = plan.random, plan.calibre
    radius = 1.65 * calibre * random.uniform(0.92, 1.15)
    strong, slight = (float(value) for value in daughter_radii(np.array(radius), random.uniform(0.5, 1.0, ())))
    basilar = plan.line(BASILAR, 1.0)
    plan.draw(basilar, radius, (0.97, 0.97))
    tip = basilar[-1] - basilar[-5]
    plan.site("basilar", "basilar tip", basilar[-1], tip, radius=radius, fork=True)
    plan.site("vertebral", "vertebrobasilar junction", basilar[0], [0, -1, 0.4], radius=radius, fork=True)
    plan.variants["dominant_vertebral"] = str(random.choice(["left", "right"]))
    for side, word in WORDS.items():
        thick = strong if word == plan.variants["dominant_vertebral"] else slight
        line = plan.line(VERTEBRAL, side)
        line[-1] = basilar[0]
        plan.draw(line, thick, (1, 0.97))
        place = plan.place(VERTEBRAL[2], side)
        plan.site("vertebral", f"VA-PICA, {word}", place, [0.3 * side, 0.6, 0.7], radius=thick, fork=False)
        near = basilar[np.linalg.norm(basilar - plan.place(SUPERIOR_CEREBELLAR[0], 1.0), axis=-1).argmin()]
        plan.site("basilar", f"BA-SCA, {word}", near, [side, -0.2, 0.35], radius=radius, fork=False)
        for name, knots, width in (
            ("SCA", SUPERIOR_CEREBELLAR, 0.72),
            ("AICA", ANTERIOR_INFERIOR, 0.5),
            ("PICA", POSTERIOR_INFERIOR, 0.62),
        ):
            branch = plan.line(knots, side)
            trunk = np.concatenate([basilar, line])
            branch[0] = trunk[np.linalg.norm(trunk - branch[0], axis=-1).argmin()]
            plan.draw(branch, width * calibre, (0.9, 0.75))
            last = branch[-1] - branch[-3]
            wish = np.array([0.2 * side, 1.0, -0.2])
            plan.sprout(name, branch[-1:], last[None], wish, radii=np.array([0.9 * width * calibre]), signal=0.74)
    return float(radius)


def _scalp(plan: _Plan, side: float) -> None:
    """Draw the superficial temporal artery, which runs outside the skull, and its branch to the back."""
    trunk = np.array(SCALP) * (side, 1, 1)
    branch = trunk[2] + unit(np.array([0, 1.0, 0.6])) * np.linspace(0, 0.45, 5)[:, None]
    for knots, width, signal in ((trunk, 0.75, (0.9, 0.5)), (branch, 0.6, (0.75, 0.45))):
        moved = knots + plan.random.normal(0, 0.02, knots.shape)
        plan.draw(curve(_on_scalp(plan.anatomy, moved), STEP_MM), width * plan.calibre, signal)


def _on_scalp(anatomy: Anatomy, directions: Points) -> Points:
    """Return points (n, 3) in mm under the skin, in directions (n, 3) seen from the brain's middle."""
    far = anatomy.grid.step * np.arange(1, int(1.5 * max(anatomy.radii) / anatomy.grid.step))
    rays = unit(directions)[:, None] * far[:, None]
    depth = anatomy.grid.sample(anatomy.hull, rays.reshape(-1, 3)).reshape(len(directions), -1)
    outside = (depth < -8.5 * anatomy.scale).argmax(1)
    return np.asarray(rays[np.arange(len(directions)), outside])


def _grown_sites(plan: _Plan) -> None:
    """Add the first forks of the middle cerebral artery's trunks as sites."""
    for number, fork in enumerate(fork for fork in plan.growth.forks if fork.name == "MCA" and fork.generation == 1):
        plan.site("MCA", f"MCA M2 bifurcation {number + 1}", fork.place, fork.heading, radius=fork.parent, fork=True)
