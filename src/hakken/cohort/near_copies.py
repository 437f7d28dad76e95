"""Which of many images are copies of one another, cut, turned, scaled or re-encoded: numbers in, pairs out.

Notation: T is a fingerprint (n, n) or (n, n, n); c its cosine coefficients of lowest order, m along each axis; a window
(l, r) of an axis leaves out the fraction l at its beginning and r at its end. If one image was cut out of another, the
coefficients of the whole of the one are those of a window of the other, flipped or turned where the copy was.

The search has two steps. *Candidates*: the whole of each image against a lattice of windows of every other one, in all
orientations, by few coefficients that are whitened over the cohort, since what all patients share tells none from
another; each image keeps the few that fit it best. *Similarity*: the window of each candidate is refined, and the
correlation of many coefficients, without those of lowest order, decides; these are not whitened, so that a similarity
means the same in every cohort.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
CANDIDATES = 10  # for each image
SHRINKAGE = 0.1  # of the mean variance, added when whitening
SAMPLE = 300  # images that the whitening is learnt from
WINDOWS = 4096  # that are compared at a time
QUERIES = 64  # that they are compared with at a time
PAIRS = 64  # that are refined at a time
ROUNDS = 2  # over the axes, at each level of refinement
STEPS = np.array(list(product((-1, 0, 1), repeat=2)), np.float32)  # of the two ends of a window
OUTSIDE = 0.05  # fraction that a window may reach beyond an image of which the copy shows more
ENOUGH, ALIKE, STANDS_OUT = 30, 0.4, 6.0
"""Pairs that the usual similarity is told from; least similarity, and deviations from the usual, of a pair that is
asked about: of 51 patients' PET no pair reaches 5, 22 of 24 copies under noise of 5 % or a gamma of 2 do 6."""
DEEPEST = 0.3  # fraction that a refined window may leave out at an end
RIM = 0.2  # fraction that the middle of an image leaves out at each end of an axis
LEAST_MIDDLE = 0.7  # the similarity of the middles of copies


@dataclass(frozen=True)
class Setting:
    """How images of so many axes are compared.

    ``order``: coefficients along each axis in the search for candidates; ``cuts``: fractions that a window leaves out;
    ``levels``: step of the window and number of coefficients of each level of refinement, from coarse to fine;
    ``rings``: the orders that the similarity counts, each ring apart; ``threshold``: the similarity of copies.
    """

    order: int
    cuts: tuple[float, ...]
    levels: tuple[tuple[float, int], ...]
    rings: tuple[int, ...]
    threshold: float


SETTINGS = {
    2: Setting(
        order=12,
        cuts=(0, 1 / 15, 2 / 15, 0.2),
        levels=((0.033, 10), (0.017, 14), (0.008, 20), (0.004, 24)),
        rings=(12, 16, 20, 24, 28),
        threshold=0.86,
    ),
    3: Setting(
        order=7,
        cuts=(0, 0.1, 0.2),
        levels=((0.05, 7), (0.025, 10), (0.012, 14), (0.006, 20)),
        rings=(14, 16, 18, 20),
        threshold=0.86,
    ),
}


@dataclass(frozen=True)
class Pair:
    """Two images and how alike they are: 1 for copies that differ in scale of greys alone."""

    first: str
    second: str
    similarity: float


def near(
    fingerprints: Mapping[str, NDArray[np.int8]],
    groups: Mapping[str, str] | None = None,
    threshold: float | None = None,
) -> list[Pair]:
    """Return the pairs of images that are copies of one another, the most alike first.

    ``fingerprints`` are those of `hakken.imaging.fingerprint`, by name; flat images are compared with flat ones,
    volumes with volumes. Images of one of ``groups``, such as those of one patient, are not compared. ``threshold``
    takes the place of the one that was chosen on real images (0 returns every candidate).
    """
    pairs = []
    for axes, setting in SETTINGS.items():
        names = [name for name, print_ in fingerprints.items() if print_.ndim == axes]
        if len(names) > 1:
            images = np.stack([np.asarray(fingerprints[name], np.float32) for name in names])
            own = [(groups or {}).get(name, "") or f"\0{name}" for name in names]
            pairs += _pairs(images, names, own, setting, setting.threshold if threshold is None else threshold)
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def unusual(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the ``pairs`` of volumes that are far more alike than the others are, though no sure copies.

    In a cohort whose patients hardly resemble each other, as hot spots of PET do not, a similarity that brains in a
    template's space have by themselves is that of a copy under strong noise or another gamma. How far a pair stands out
    is counted in deviations from the median, robustly, so that the copies themselves do not hide each other.
    """
    values = np.array([pair.similarity for pair in pairs])
    if len(values) < ENOUGH:
        return []
    middle = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - middle)))
    least = max(ALIKE, middle + STANDS_OUT * deviation)
    return [pair for pair in pairs if pair.similarity >= least]


def _pairs(images: Array, names: Sequence[str], groups: Sequence[str], setting: Setting, least: float) -> list[Pair]:
    numbers = np.unique(groups, return_inverse=True)[1]
    lattice = Lattice.of(images, setting)
    whole, part = _candidates(images, numbers, lattice)
    found: dict[tuple[int, int], float] = {}
    for start in range(0, len(whole), PAIRS):
        chosen = slice(start, start + PAIRS)
        values = _similarity(images[whole[chosen]], images[part[chosen]], lattice)
        for one, other, value in zip(whole[chosen].tolist(), part[chosen].tolist(), values.tolist(), strict=True):
            key = (min(one, other), max(one, other))
            found[key] = max(found.get(key, 0.0), value)
    return [Pair(names[one], names[other], value) for (one, other), value in found.items() if value >= least]


def _candidates(images: Array, groups: NDArray[Any], lattice: Lattice) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return numbers of images (p,), and of those (p,) of other groups whose windows look most like them."""
    count = min(CANDIDATES, len(images) - 1)
    kept = np.full((len(images), count), -1)
    best = np.full((len(images), count), -np.inf, np.float32)
    wholes = lattice.wholes(images)
    for others in np.split(np.arange(len(images)), range(lattice.block, len(images), lattice.block)):
        windows = lattice.windows(images[others])
        for first in range(0, len(images), QUERIES):
            rows = slice(first, first + QUERIES)
            fit = lattice.fit([[part[rows] for part in turn] for turn in wholes], windows, len(others))
            fit[groups[rows, None] == groups[others]] = -np.inf
            values = np.concatenate([best[rows], fit], axis=1)
            ids = np.concatenate([kept[rows], np.broadcast_to(others, fit.shape)], axis=1)
            order = np.argsort(-values, axis=1, kind="stable")[:, :count]
            best[rows], kept[rows] = np.take_along_axis(values, order, 1), np.take_along_axis(ids, order, 1)
    rows_, columns = np.nonzero(np.isfinite(best))
    return rows_, kept[rows_, columns]


@dataclass(frozen=True)
class Lattice:
    """The lattice of windows of all images, described by whitened coefficients, apart by parity.

    A flip changes the sign of the coefficients of odd order along its axis. So the coefficients are kept in classes of
    equal parity, and the fit in every flip is a sum of the fits of the classes with other signs.
    """

    setting: Setting
    axes: int
    parities: tuple[tuple[int, ...], ...]
    classes: tuple[NDArray[np.intp], ...]
    whitening: tuple[Array, ...]

    @classmethod
    def of(cls, images: Array, setting: Setting) -> Lattice:
        """Return the lattice of such ``images``, whitened over them and their windows."""
        axes = images.ndim - 1
        orders = np.indices((setting.order,) * axes).reshape(axes, -1)
        size = np.sqrt((orders**2).sum(axis=0))
        used = (size > 0) & (size < setting.order)
        parities = tuple(product((0, 1), repeat=axes))
        odd = (orders % 2).T
        classes = tuple(np.flatnonzero(used & np.equal(odd, parity).all(axis=1)) for parity in parities)
        plain = tuple(np.eye(len(members), dtype=np.float32) for members in classes)
        chosen = np.unique(np.linspace(0, len(images) - 1, SAMPLE).astype(int))
        unwhitened = cls(setting, axes, parities, classes, plain)
        return replace(unwhitened, whitening=_whitening(unwhitened, images[chosen]))

    @property
    def ends(self) -> Array:
        """The fractions (k, 2) that the windows of one axis leave out at its beginning and end."""
        return np.array(list(product(self.setting.cuts, repeat=2)), np.float32)

    @property
    def block(self) -> int:
        """How many images are compared at a time: so many that what is computed stays in the processor's cache."""
        return max(1, WINDOWS // int(len(self.ends) ** self.axes))

    def windows(self, images: Array) -> list[Array]:
        """Return (images * windows, coefficients) of each class, image by image; all classes together of length 1."""
        cosines = _cosines(self.ends, self.setting.order, images.shape[-1])
        found = images
        for _ in range(self.axes):  # (n, i, …) → (n, …, window, order): the first axis is worked up and put last
            found = np.tensordot(found, cosines, (1, 2))
        axes = range(self.axes)
        found = found.transpose(0, *(1 + 2 * axis for axis in axes), *(2 + 2 * axis for axis in axes))
        return self._described(found.reshape(-1, self.setting.order**self.axes))

    def wholes(self, images: Array) -> list[list[Array]]:
        """Return (images, coefficients) of each class of whole images, for each order of the axes."""
        found = _whole(images, self.setting.order)
        return [
            self._described(found.transpose(0, *(1 + axis for axis in turn)).reshape(len(images), -1))
            for turn in permutations(range(self.axes))
        ]

    def fit(self, wholes: list[list[Array]], windows: list[Array], count: int) -> Array:
        """Return the best fit (q, ``count``) of each whole with any window of each image, in any orientation."""
        best: list[Array] = []
        for turn in wholes:
            parts = [one @ other.T for one, other in zip(turn, windows, strict=True)]
            best.append(_best_flip(parts).reshape(len(turn[0]), count, -1).max(axis=2))
        return np.asarray(np.max(best, axis=0), np.float32)

    def start(self, wholes: Array, parts: Array) -> tuple[Array, Array]:
        """Return images ``wholes`` (p, n, …) turned as fits ``parts`` (p, n, …) best, and the windows (p, axes, 2)."""
        count = len(wholes)
        windows = [part.reshape(count, -1, part.shape[1]) for part in self.windows(parts)]
        turns = list(permutations(range(self.axes)))
        flips = list(product((0, 1), repeat=self.axes))
        signs = 1.0 - 2 * (np.array(flips) @ np.array(self.parities).T % 2)  # of each class in each flip
        fits = np.array([signs @ _fits(turn, windows).reshape(len(signs), -1) for turn in self.wholes(wholes)])
        fits = fits.reshape(len(turns), len(flips), count, -1)
        best = np.abs(fits).transpose(2, 0, 1, 3).reshape(count, -1).argmax(axis=1)
        turn, flip, window = np.unravel_index(best, (len(turns), len(flips), fits.shape[-1]))
        oriented = [
            image.transpose(turns[one])[tuple(slice(None, None, -1 if turned else 1) for turned in flips[other])]
            for image, one, other in zip(wholes, turn, flip, strict=True)
        ]
        places = np.stack(np.unravel_index(window, (len(self.ends),) * self.axes), axis=1)
        return np.stack(oriented), self.ends[places]

    def _described(self, coefficients: Array) -> list[Array]:
        parts = [coefficients[:, members] @ white for members, white in zip(self.classes, self.whitening, strict=True)]
        length = np.sqrt(sum((part * part).sum(axis=1, keepdims=True) for part in parts)) + 1e-12
        return [part / length for part in parts]


def _whitening(plain: Lattice, images: Array) -> tuple[Array, ...]:
    """Return for each class the matrix that makes the coefficients of the windows of ``images`` alike in variance."""
    squares = [np.zeros((len(members),) * 2, np.float32) for members in plain.classes]
    for start in range(0, len(images), plain.block):
        parts = plain.windows(images[start : start + plain.block])
        squares = [square + part.T @ part for square, part in zip(squares, parts, strict=True)]
    mean = sum(float(np.trace(square)) for square in squares) / sum(len(square) for square in squares)
    found = []
    for square in squares:
        values, vectors = np.linalg.eigh(square)
        found.append((vectors / np.sqrt(np.maximum(values, 0) + SHRINKAGE * mean + 1e-12)).astype(np.float32))
    return tuple(found)


def _fits(wholes: list[Array], windows: list[Array]) -> Array:
    """Return for each class the fits (p, windows) of whole images with the windows of the image beside each."""
    return np.stack([np.einsum("pc,pwc->pw", *pair) for pair in zip(wholes, windows, strict=True)])


def _best_flip(parts: list[Array]) -> Array:
    """Return the greatest magnitude of the sums of ``parts`` with the signs that flips give the classes of parity."""
    half = len(parts) // 2
    even, odd = parts[:half], parts[half:]
    if half == 1:
        return np.abs(even[0]) + np.abs(odd[0])
    plus = [one + other for one, other in zip(even, odd, strict=True)]
    minus = [one - other for one, other in zip(even, odd, strict=True)]
    return np.maximum(_best_flip(plus), _best_flip(minus))


def _similarity(wholes: Array, parts: Array, lattice: Lattice) -> Array:
    """Return how alike (p,) images ``wholes`` (p, n, …) are to those windows of ``parts`` that fit them best.

    That of their middles counts where these are unlike: an edge that the pictures of one device share, such as the
    outline of an endoscope's field, lies around them and may be most of what there is to see.
    """
    oriented, ends = _refined(wholes, parts, lattice)
    whole = _correlation(oriented, np.zeros_like(ends), parts, ends, lattice.setting)
    rims = np.full_like(ends, RIM)
    middle = _correlation(oriented, rims, parts, ends + RIM * (1 - ends.sum(axis=2, keepdims=True)), lattice.setting)
    middle = np.maximum(np.sign(whole) * middle, 0)  # a copy is inverted as a whole
    found = np.abs(whole)
    return np.where(middle < LEAST_MIDDLE, np.minimum(found, middle), found)


def _correlation(wholes: Array, rims: Array, parts: Array, ends: Array, setting: Setting) -> Array:
    """Return how alike (p,), with its sign, windows ``rims`` (p, axes, 2) of ``wholes`` are to ``ends`` of ``parts``.

    That is the mean of the correlations of the coefficients of each ring of orders, so that each counts alike. The
    rings are those of the whole of ``parts``: a window of half the edge has half the waves.
    """
    axes, orders, edge = ends.shape[1], setting.rings[-1], parts.shape[-1]
    known, seen = (
        _transformed(images, [_cosines(windows[:, axis], orders, edge) for axis in range(axes)]).reshape(len(parts), -1)
        for images, windows in ((wholes, rims), (parts, ends))
    )
    size = np.sqrt((np.indices((orders,) * axes).reshape(axes, -1) ** 2).sum(axis=0)).astype(np.float32)
    width = np.minimum(1, np.prod(1 - ends.sum(axis=2), axis=1) ** (1 / axes))[:, None]
    found = [
        _correlations(seen, known, size * ((size >= low * width) & (size < high * width)))
        for low, high in pairwise(setting.rings)
    ]
    return np.asarray(np.mean(found, axis=0), np.float32)


def _correlations(one: Array, other: Array, weights: Array) -> Array:
    """Return the weighted correlation, about zero, of each row of two arrays (p, c)."""
    products = [(weights * pair).sum(axis=1) for pair in (one * other, one * one, other * other)]
    return np.asarray(products[0] / np.sqrt(products[1] * products[2] + 1e-20), np.float32)


def _refined(wholes: Array, parts: Array, lattice: Lattice) -> tuple[Array, Array]:
    """Return ``wholes`` (p, n, …) turned as they fit ``parts`` best, and the windows (p, axes, 2) of those."""
    oriented, ends = lattice.start(wholes, parts)
    for level in lattice.setting.levels:
        target = _of_ring(_whole(oriented, level[1]), (1, level[1]))
        for _ in range(ROUNDS):
            for axis in range(lattice.axes):
                ends = _moved(parts, target, ends, axis, level)
    return oriented, ends


def _moved(parts: Array, target: Array, ends: Array, axis: int, level: tuple[float, int]) -> Array:
    """Return the windows (p, axes, 2) with both ends of one axis moved by at most a step to where they fit best."""
    axes, count, edge = ends.shape[1], len(parts), parts.shape[-1]
    step, order = level
    others = [_cosines(ends[:, other], order, edge) for other in range(axes) if other != axis]
    worked = _transformed(np.moveaxis(parts, axis + 1, -1), others)  # (p, m, …, n)
    tried = np.clip(ends[:, None, axis] + step * STEPS, -OUTSIDE, DEEPEST).astype(np.float32)  # (p, 9, 2)
    found = worked.reshape(count, 1, -1, edge) @ _cosines(tried, order, edge).swapaxes(2, 3)  # (p, 9, m …, m)
    found = found.reshape(count * len(STEPS), *(order,) * axes)
    values = _of_ring(np.moveaxis(found, -1, axis + 1), (1, order)).reshape(count, len(STEPS), -1)
    best = _magnitude(values * target[:, None]).argmax(axis=1)
    moved = ends.copy()
    moved[:, axis] = tried[np.arange(count), best]
    return moved


def _magnitude(products: Array) -> Array:
    """Return the sum of the last axis without its sign: an inverted image is the same image."""
    return np.asarray(np.abs(products.sum(axis=-1)))


def _whole(images: Array, order: int) -> Array:
    """Return the coefficients (p, m, …) of whole ``images`` (p, n, …)."""
    cosines = _cosines(np.zeros((len(images), 2), np.float32), order, images.shape[-1])
    return _transformed(images, [cosines] * (images.ndim - 1))


def _of_ring(coefficients: Array, ring: tuple[float, float]) -> Array:
    """Return the coefficients (p, c) of the orders of ``ring``, finer ones with more weight; each row of length 1."""
    shape = coefficients.shape[1:]
    size = np.sqrt((np.indices(shape) ** 2).sum(axis=0))
    used = (size >= ring[0]) & (size < ring[1])
    rows = coefficients[:, used] * np.sqrt(size[used]).astype(np.float32)
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12), np.float32)


def _transformed(images: Array, cosines: Sequence[Array]) -> Array:
    """Return ``images`` (p, n, …) with the first of their axes replaced by the orders of ``cosines`` (p, m, n) each."""
    found = images
    for axis, one in enumerate(cosines, start=1):
        moved = np.moveaxis(found, axis, -1)
        flat = moved.reshape(len(images), -1, moved.shape[-1]) @ one.swapaxes(1, 2)
        found = np.moveaxis(flat.reshape(*moved.shape[:-1], -1), -1, axis)
    return found


def _cosines(ends: Array, orders: int, edge: int) -> Array:
    """Return the cosines (…, orders, edge) of windows that leave out the fractions ``ends`` (…, 2) of an axis."""
    left, right = ends[..., 0, None, None], ends[..., 1, None, None]
    samples = np.arange(edge, dtype=np.float32)
    width = 1 - left - right
    inside = np.clip(np.minimum(samples + 1, edge * (1 - right)) - np.maximum(samples, edge * left), 0, 1)
    place = ((samples + 0.5) / edge - left) / width
    waves = np.cos(np.float32(np.pi) * np.arange(orders, dtype=np.float32)[:, None] * place)
    return np.asarray(waves * inside / np.sqrt(width), np.float32)
