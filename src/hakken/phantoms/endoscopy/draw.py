"""One frame of a colonoscopy, from its seed to its three colours and its truth.

The frames of a sequence are one patient and show one wall (`mucosa`): the camera moves on smoothly between them and
trembles, the light stands at the camera. Lengths are in pixels of the published frame; one of them counts as 1 mm, so
that `spacing_mm` is how many of them a pixel of the image spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.shapes import Array
from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import PhantomCase, options_of
from hakken.phantoms.endoscopy import Options
from hakken.phantoms.endoscopy.mucosa import Plane, Wall, draw_wall
from hakken.study import Study

COLOURS = ("red", "green", "blue")
MARGIN = 1.6  # the wall's extent in frames
AMBIENT = 0.25  # light that reaches the wall by way of the rest of the wall
DISTANCE = 230.0  # of the camera from the plane
SHINE = (0.972, 0.012)  # where a highlight begins, and how fast it saturates, as the cosine between normal and light


@dataclass(frozen=True)
class Endoscope:
    """One camera: ``gain`` of its colours, ``gamma``, blur and noise (SD, of 255), and how much of the corners it cuts.

    ``corner``: the frame's diagonal is visible up to this fraction, beyond it the picture is black.
    """

    gain: tuple[float, float, float]
    gamma: float
    blur: float
    noise: float
    corner: float


ENDOSCOPES = {
    "A": Endoscope(gain=(1.0, 1.0, 1.0), gamma=0.85, blur=1.2, noise=3.0, corner=0.92),
    "B": Endoscope(gain=(1.08, 0.94, 0.86), gamma=0.95, blur=1.8, noise=5.0, corner=1.1),
    "C": Endoscope(gain=(0.93, 1.03, 1.06), gamma=0.75, blur=0.9, noise=4.0, corner=0.86),
}


@dataclass(frozen=True)
class Camera:
    """Where a frame's pixels lie on the wall: ``p -> rotation p / zoom + shift``, p (x, y) from the frame's centre."""

    shift: tuple[float, float]
    degrees: float
    zoom: float

    def places(self, frame: Plane, wall: Plane) -> NDArray[np.float64]:
        """Return where the frame's pixels lie among those of the wall, (2, y, x), rows first."""
        x, y = frame.axes()
        cosine, sine = np.cos(np.radians(self.degrees)), np.sin(np.radians(self.degrees))
        on_x = (cosine * x - sine * y) / self.zoom + self.shift[0]
        on_y = (sine * x + cosine * y) / self.zoom + self.shift[1]
        middle = (np.asarray(wall.shape, float) - 1) / 2
        return np.stack([on_y / wall.step + middle[0], on_x / wall.step + middle[1]])


@dataclass(frozen=True)
class Frame:
    """The colours of one frame, int16 0 to 255, its polyps on the same grid, and what is true (for JSON)."""

    colours: dict[str, Volume]
    lesions: Volume
    truth: dict[str, Any]

    def images(self, study: Study) -> dict[str, Volume]:
        """Return the images of the study's channels, by the names of the colours."""
        unknown = [name for name in study.channels if name not in self.colours]
        if unknown:
            raise HakkenError(f"study {study.name}: channel {unknown[0]} is no colour; use {', '.join(COLOURS)}")
        return {name: self.colours[name] for name in study.channels}


def draw_case(case: PhantomCase, study: Study) -> Frame:
    """Draw one frame. It depends on the study's seed and phantom and on the case alone; so does every byte."""
    phantom = options_of(study, Options)
    scene = np.random.default_rng(derive_seed(study.seed, "phantom wall", case.patient))
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.index))
    frame = Plane(_pixels(phantom, 1.0), phantom.spacing_mm)
    wall = draw_wall(
        Plane(_pixels(phantom, MARGIN), phantom.spacing_mm),
        case.lesions,
        (phantom.shape_mm[0], phantom.shape_mm[1]),
        scene,
    )
    camera = draw_camera(case.visit, phantom.frames, scene, random)
    places = camera.places(frame, wall.plane)
    picture = _exposed(_lit(wall, frame, places, random), frame, ENDOSCOPES[case.scanner], random)
    labels = _labels(wall, places)
    geometry = Geometry((1, *frame.shape), (frame.step, frame.step, 1.0))
    return Frame(
        colours={name: Volume.on(geometry, plane[None]) for name, plane in zip(COLOURS, picture, strict=True)},
        lesions=Volume.on(geometry, labels),
        truth=_truth(case, wall, camera, labels, geometry),
    )


def draw_camera(visit: int, frames: int, scene: Generator, random: Generator) -> Camera:
    """Return the camera at frame ``visit`` of ``frames``: a smooth path of the ``scene``, and a ``random`` tremor."""
    time = (visit + 0.5) / frames - 0.5
    course = time * scene.uniform(-50, 50, 2) + scene.uniform(-8, 8, 2) * np.sin(6 * time + scene.uniform(0, 6, 2))
    turn = scene.uniform(-180, 180) + time * scene.uniform(-25, 25)
    approach = scene.uniform(-0.1, 0.1) + time * scene.uniform(-0.35, 0.35)
    shift = course + random.normal(0, 2.5, 2)
    return Camera(
        (float(shift[0]), float(shift[1])),
        float(turn + random.normal(0, 1.5)),
        float(np.exp(approach + random.normal(0, 0.02))),
    )


def _pixels(phantom: Options, extent: float) -> tuple[int, int]:
    """Return the rows and columns of ``extent`` frames."""
    rows, columns = (max(8, round(extent * size / phantom.spacing_mm)) for size in phantom.shape_mm[1::-1])
    return rows, columns


def _seen(field: Array, places: NDArray[np.float64]) -> Array:
    """Return a field of the wall (y, x) at the frame's pixels, linearly interpolated."""
    return np.asarray(ndimage.map_coordinates(field, places, order=1, mode="nearest"), np.float32)


def _lit(wall: Wall, frame: Plane, places: NDArray[np.float64], random: Generator) -> Array:
    """Return the light (3, y, x) that comes back from the wall, the lamp being at the camera: 1 is white."""
    height, depth = _seen(wall.height, places), _seen(wall.depth, places)
    ripple = 0.55 * frame.field(14, random)
    x, y = frame.axes()
    toward = np.stack(np.broadcast_arrays(-x, -y, np.float32(DISTANCE) + depth - height))
    far = np.sqrt((toward**2).sum(0))
    facing = (_normals(height, frame.step) * toward).sum(0) / far
    wet = (_normals(height + ripple, frame.step) * toward).sum(0) / far
    share = (AMBIENT + (1 - AMBIENT) * np.clip(facing, 0, 1)) * (DISTANCE / far) ** 2
    shine = np.clip((wet - SHINE[0]) / SHINE[1], 0, 1) * (DISTANCE / far) ** 2
    shine = shine * np.clip(frame.field(40, random) - 0.6, 0, 1)
    colour = np.stack([_seen(plane, places) for plane in wall.colour])
    return np.asarray(np.float32(random.uniform(0.95, 1.15)) * share * colour + shine, np.float32)


def _normals(height: Array, step: float) -> Array:
    """Return the unit normals (3, y, x) of a relief, ordered x, y, and to the camera."""
    down, right = np.gradient(height, step)
    normals = np.stack([-right, -down, np.ones_like(height)])
    return np.asarray(normals / np.sqrt((normals**2).sum(0)), np.float32)


def _exposed(light: Array, frame: Plane, scope: Endoscope, random: Generator) -> NDArray[np.int16]:
    """Return what the camera makes of the light (3, y, x): tone, blur, noise, and black corners."""
    x, y = frame.axes()
    tone = np.array(scope.gain)[:, None, None] * np.clip(light, 0, 1.2) ** scope.gamma
    blurred = ndimage.gaussian_filter(tone, (0, scope.blur / frame.step, scope.blur / frame.step))
    noise = random.standard_normal(light.shape) * scope.noise / np.sqrt(max(frame.step, 1))
    half = float(np.linalg.norm(frame.shape)) * frame.step / 2
    lens = np.hypot(x, y) < scope.corner * half
    return np.asarray(np.clip(np.rint(255 * blurred + noise) * lens, 0, 255), np.int16)


def _labels(wall: Wall, places: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return the polyps (1, y, x) of a frame, n where polyp n covers at least half of a pixel."""
    labels = np.zeros(places.shape[1:], np.int16)
    for number, polyp in enumerate(wall.polyps, start=1):
        labels[_seen(polyp.share, places) >= 0.5] = number
    return labels[None]


def _truth(
    case: PhantomCase, wall: Wall, camera: Camera, labels: NDArray[np.int16], geometry: Geometry
) -> dict[str, Any]:
    polyps = []
    for number, polyp in enumerate(wall.polyps, start=1):
        pixels = np.argwhere(labels == number)
        polyps.append(
            {
                "lesion": number,
                "kind": polyp.kind,
                "tint": polyp.tint,
                "radius": round(polyp.radius, 3),
                "pixels": len(pixels),
                "centre": geometry.to_world(pixels).mean(0).tolist() if len(pixels) else None,
            }
        )
    return {
        "case_id": case.case_id,
        "sequence": case.patient,
        "frame": case.visit,
        "endoscope": case.scanner,
        "camera": {"shift": list(camera.shift), "degrees": camera.degrees, "zoom": camera.zoom},
        "lesions": polyps,
    }
