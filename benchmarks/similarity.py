"""How many copies of images are found, how many patients are taken for copies of each other, and how fast?

    python benchmarks/similarity.py --data ../shared/data --output similarity.json

Chest X-rays are dealt into two halves by patient. Half A is what the thresholds are looked at with; half B is held out:
of it 100 random images are changed in each of the ways below, put beside all of B, and searched for, all at once. A
copy is found when it and its original are a pair. False pairs are of two patients (by the file names; two names in a
row count as one patient). The peer is the perceptual hash of `imagehash` (pHash, 64 bits) on the same images; its
threshold is the greatest distance that makes at most one false pair in a million, at least one, in half A.

Volumes: brains in MNI space, heads, an abdomen, a thorax and PET of sarcomas, all pairs, and copies of up to 24 of
them. Then the seconds of CPU of the search, on random images, and of a fingerprint of 512 x 512 x 200 voxels.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from hakken.cohort.near_copies import SETTINGS, near
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume
from hakken.imaging.fingerprint import fingerprint

Picture = NDArray[Any]
Change = Callable[[Picture], Picture]
COPIES = 100


def volume_of(array: Picture) -> Volume:
    return Volume(np.ascontiguousarray(array)[None] if array.ndim == 2 else np.ascontiguousarray(array))


def bytes_of(array: Picture) -> NDArray[np.uint8]:
    low, high = float(array.min()), float(array.max())
    return np.asarray((array - low) / max(high - low, 1e-9) * 255, np.uint8)


def jpeg(array: Picture, quality: int = 50) -> Picture:
    stream = io.BytesIO()
    Image.fromarray(bytes_of(array)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def gamma(array: Picture, power: float) -> Picture:
    low, high = float(array.min()), float(array.max())
    return ((array - low) / max(high - low, 1e-9)) ** power


def windowed(array: Picture, low: float, high: float) -> Picture:
    return bytes_of(np.clip(array, *np.percentile(array, (low, high))))


def noisy(array: Picture, fraction: float, random: np.random.Generator) -> Picture:
    low, high = np.percentile(array, (0.1, 99.9))
    return array + random.normal(0, fraction * (high - low), array.shape)


def resized(array: Picture, factor: float) -> Picture:
    return ndimage.zoom(array.astype(np.float32), factor, order=1)


def cut(array: Picture, fractions: NDArray[np.float64]) -> Picture:
    """Leave out ``fractions`` (axes, 2) at the beginning and end of each axis."""
    ends = [
        slice(int(size * first), size - int(size * last))
        for size, (first, last) in zip(array.shape, fractions, strict=True)
    ]
    return array[tuple(ends)]


def changes(random: np.random.Generator, axes: int) -> dict[str, Change]:
    """The ways in which a copy differs from its original."""

    def off_centre(array: Picture) -> Picture:
        return cut(array, random.uniform(0, 0.2, (axes, 2)))

    def one_side(array: Picture) -> Picture:
        fractions = np.zeros((axes, 2))
        fractions[random.integers(axes), random.integers(2)] = 0.2
        return cut(array, fractions)

    def power() -> float:
        return float(random.choice([0.5, 0.7, 1.5, 2.0]))

    known: dict[str, Change] = {
        "gain and offset": lambda array: array * 3.1 + 700.0,
        "gamma 0.5 to 2": lambda array: gamma(array, power()),
        "inverted": lambda array: -array.astype(np.float32),
        "8 bit, window from the 1st-15th to the 85th-99th percentile": lambda array: windowed(
            array, random.uniform(1, 15), random.uniform(85, 99)
        ),
        "noise of 3 % of the range": lambda array: noisy(array, 0.03, random),
        "noise of 6 % of the range": lambda array: noisy(array, 0.06, random),
        "half the size": lambda array: resized(array, 0.5),
        "twice the size": lambda array: resized(array, 2.0),
        "mirrored": lambda array: array[..., ::-1],
        "turned by 90 degrees": lambda array: np.rot90(array, axes=(-2, -1)),
        "cut by 10 % on every side": lambda array: cut(array, np.full((axes, 2), 0.1)),
        "cut by 20 % on every side": lambda array: cut(array, np.full((axes, 2), 0.2)),
        "cut by 20 % on one side": one_side,
        "cut by 0 to 20 % on each side": off_centre,
        "the same, mirrored, noise of 3 %, half the size": lambda array: resized(
            noisy(off_centre(array)[..., ::-1], 0.03, random), 0.5
        ),
        "turned by 2 degrees": lambda array: ndimage.rotate(
            array.astype(np.float32), 2, axes=(-2, -1), reshape=False, mode="nearest", order=1
        ),
    }
    if axes == 2:
        known["JPEG of quality 50"] = jpeg
        known["cut by 0 to 20 % on each side, gamma, JPEG of quality 50"] = lambda array: jpeg(
            gamma(off_centre(array), power())
        )
    else:
        known["first 10 % and last 15 % of the slices left out"] = lambda array: cut(
            array, np.array([(0.1, 0.15), (0, 0), (0, 0)])
        )
    return known


def patient_of(name: str) -> str:
    """Return the patient of a chest X-ray: its number where the name has one, else all but the number of the image."""
    stem = Path(name).stem
    number = re.match(r"person(\d+)_", stem)
    return f"person{number[1]}" if number else re.match(r"((?:NORMAL2-)?IM-\d+)", stem)[1]  # type: ignore[index]


def one_patient(first: str, second: str) -> bool:
    one, two = patient_of(first), patient_of(second)
    if one == two:
        return True
    numbers = [int(re.search(r"(\d+)$", name)[1]) for name in (one, two)]  # type: ignore[index]
    return one.rstrip("0123456789") == two.rstrip("0123456789") and abs(numbers[0] - numbers[1]) == 1


def hashed(array: Picture) -> NDArray[np.bool_]:
    return imagehash.phash(Image.fromarray(bytes_of(array))).hash.ravel()


def distances(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float32]:
    signs = [np.where(hashes, 1, -1).astype(np.float32) for hashes in (one, other)]
    return (64 - signs[0] @ signs[1].T) / 2


def hash_threshold(names: list[str], hashes: NDArray[np.bool_]) -> int:
    """Return the greatest distance with at most one false pair in a million."""
    found = distances(hashes, hashes)
    first, second = np.triu_indices(len(names), 1)
    allowed = max(1, len(first) // 1_000_000)
    order = np.argsort(found[first, second], kind="stable")
    wrong = [
        int(found[first[pair], second[pair]])
        for pair in order[:5000]
        if not one_patient(names[first[pair]], names[second[pair]])
    ]
    return wrong[allowed] - 1


def false_pairs(names: list[str], pairs: list[tuple[str, str]]) -> int:
    return sum(not one_patient(*pair) for pair in pairs if set(pair) <= set(names))


def chest(folder: Path) -> dict[str, Any]:
    paths = sorted(folder.rglob("*.jpeg"))
    images = {str(path.relative_to(folder)): np.asarray(Image.open(path).convert("L")) for path in paths}
    random = np.random.default_rng(20)
    patients = sorted({patient_of(name) for name in images})
    in_a = set(np.array(patients)[random.permutation(len(patients))[: len(patients) // 2]].tolist())
    half_a = [name for name in images if patient_of(name) in in_a]
    half_b = [name for name in images if patient_of(name) not in in_a]
    prints = {name: fingerprint(volume_of(image)) for name, image in images.items()}
    hashes = {name: hashed(image) for name, image in images.items()}
    threshold = hash_threshold(half_a, np.array([hashes[name] for name in half_a]))
    result: dict[str, Any] = {"hash_threshold": threshold}
    found = near(prints, threshold=0.0)
    for half, names in (("A", half_a), ("B", half_b), ("all", list(images))):
        inside = [pair for pair in found if {pair.first, pair.second} <= set(names)]
        fired = [pair for pair in inside if pair.similarity >= SETTINGS[2].threshold]
        apart = [pair.similarity for pair in inside if not one_patient(pair.first, pair.second)]
        matrix = np.triu(distances(*(np.array([hashes[name] for name in names]),) * 2) <= threshold, 1)
        by_hash = [(names[one], names[two]) for one, two in np.argwhere(matrix)]
        result[half] = {
            "images": len(names),
            "pairs": len(names) * (len(names) - 1) // 2,
            "fired": [(pair.first, pair.second, round(pair.similarity, 3)) for pair in fired],
            "false": false_pairs(names, [(pair.first, pair.second) for pair in fired]),
            "most_alike_of_two_patients": [round(value, 3) for value in sorted(apart)[::-1][:5]],
            "hash_fired": len(by_hash),
            "hash_false": false_pairs(names, by_hash),
        }
        print(half, json.dumps(result[half]), flush=True)
    chosen = [half_b[index] for index in random.permutation(len(half_b))[:COPIES]]
    titles = list(changes(random, 2))
    copies = {(title, name): change(images[name]) for title, change in changes(random, 2).items() for name in chosen}
    known = {name: prints[name] for name in half_b}
    printed = {f"{title} of {name}": fingerprint(volume_of(image)) for (title, name), image in copies.items()}
    groups = {f"{title} of {name}": f"copies of {name}" for title, name in copies}
    both = {frozenset((pair.first, pair.second)) for pair in near(known | printed, groups)}
    result["recall"] = {}
    for title in titles:
        seen = np.mean([frozenset((f"{title} of {name}", name)) in both for name in chosen])
        hash_seen = np.mean([np.sum(hashed(copies[title, name]) != hashes[name]) <= threshold for name in chosen])
        result["recall"][title] = [float(seen), float(hash_seen)]
        print(title, result["recall"][title], flush=True)
    return result


def volumes(folder: Path) -> dict[str, Any]:
    paths = [path for path in sorted(folder.glob("open_ms/*/*.nii.gz")) if path.name != "lesions.nii.gz"]
    paths += sorted(folder.glob("open_ms_longitudinal/study*.nii.gz"))
    paths += sorted(folder.glob("sts_fdgpet/*/*_image.nii.gz"))
    paths += [folder / "totalsegmentator_tests" / name for name in ("example_ct.nii.gz", "example_mr_sm.nii.gz")]
    images = {str(path.relative_to(folder)): read_volume(path).array for path in paths}
    patients = {name: "/".join(Path(name).parts[: 1 if "long" in name else 2]) for name in images}
    prints = {name: fingerprint(volume_of(image)) for name, image in images.items()}
    apart = near(prints, patients, threshold=0.0)
    together = [pair for pair in near(prints, threshold=0.0) if patients[pair.first] == patients[pair.second]]
    shown = [[(pair.first, pair.second, round(pair.similarity, 3)) for pair in some[:8]] for some in (apart, together)]
    result: dict[str, Any] = {"images": len(images), "most_alike_of_two_patients": shown[0], "of_one": shown[1]}
    print(json.dumps(result), flush=True)
    random = np.random.default_rng(22)
    kinds = {
        "MR, CT": [name for name in images if "PET" not in name],
        "PET": [name for name in images if "PET" in name],
    }
    result["recall"] = {}
    for kind, names in kinds.items():
        chosen = [names[index] for index in random.permutation(len(names))[:12]]
        known = {name: prints[name] for name in names}
        titles = [title for title in changes(random, 3) if title != "twice the size"]
        copies = {
            f"{title} of {name}": fingerprint(volume_of(changes(random, 3)[title](images[name])))
            for title in titles
            for name in chosen
        }
        groups = {f"{title} of {name}": f"copies of {name}" for title in titles for name in chosen}
        both = {frozenset((pair.first, pair.second)) for pair in near(known | copies, groups)}
        for title in titles:
            found = sum(frozenset((f"{title} of {name}", name)) in both for name in chosen)
            result["recall"][f"{kind}: {title}"] = [found, len(chosen)]
            print(kind, title, found, len(chosen), flush=True)
    return result


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def speed(counts: list[int], volumes_: int) -> dict[str, Any]:
    random = np.random.default_rng(24)
    result: dict[str, Any] = {}
    large = random.integers(-1000, 2000, (200, 512, 512)).astype(np.int16)
    result["fingerprint of 512 x 512 x 200"] = seconds(lambda: fingerprint(Volume(large)))
    for count in counts:
        noise = random.normal(0, 1, (count, 64, 64)).astype(np.float32)
        noise = np.clip(ndimage.gaussian_filter(noise, (0, 2, 2)) * 400, -127, 127).astype(np.int8)
        prints = {f"i{number}": one for number, one in enumerate(noise)}
        result[f"{count} flat images"] = seconds(lambda prints=prints: near(prints))  # type: ignore[misc]
        result["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(result), flush=True)
    noise = random.normal(0, 40, (volumes_, 32, 32, 32)).astype(np.int8)
    prints = {f"v{number}": one for number, one in enumerate(noise)}
    result[f"{volumes_} volumes"] = seconds(lambda: near(prints))
    print(json.dumps(result), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--counts", type=int, nargs="*", default=[2000, 10_000])
    parser.add_argument("--volumes", type=int, default=200)
    parser.add_argument("--parts", nargs="*", default=["speed", "chest", "volumes"])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {}
    if "speed" in options.parts:
        result["speed"] = speed(options.counts, options.volumes)
    for part, work, folder in (("chest", chest, options.data / "chest_xray"), ("volumes", volumes, options.data)):
        if part in options.parts and not folder.is_dir():
            print(f"{part}: left out, {folder} is not on this machine")
        elif part in options.parts:
            result[part] = work(folder)
    if options.output:
        options.output.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
