"""Phantoms: cohorts that the package itself draws, each a folder that says who is in it and draws one case.

The folder's own module holds ``LAW`` and loads nothing that draws, so that planning a cohort costs milliseconds. Its
module ``draw`` holds ``draw_case(case, study)``, which returns a `Drawn`: every byte of it depends on the study's seed,
its phantom and the case alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

Chosen = TypeVar("Chosen")

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hakken.core.volume import Volume
    from hakken.study import Part, Study


@dataclass(frozen=True)
class Law:
    """The cohort of a phantom: its scanners, the fraction of cases free of lesions, and the law of the others.

    ``lesion_counts``: the probabilities of 1, 2, ... lesions. ``channels``: how many images it can draw, ``images``
    says which. ``normal_training``: no training case has a lesion. ``kinds``: how many of so many patients had a lesion
    of each class, where lesions have one. ``names``: what the channels must be called, where it matters. ``sequences``:
    whether a patient may be a sequence of frames. ``draws``: whether its cases are images or other items. ``regions``:
    the organs that it can label, by the names of `cohort.regions`.
    """

    images: str
    scanners: tuple[str, ...] = ("A", "B", "C")
    lesion_free: float = 0.0
    lesion_counts: tuple[float, ...] = (1.0,)
    channels: int = 1
    normal_training: bool = False
    kinds: tuple[tuple[str, float], ...] = ()
    names: tuple[str, ...] = ()
    sequences: bool = False
    draws: Literal["images", "items"] = "images"
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Levels:
    """Where a lesion stands in the laws of its phantom: quantiles, each above 0 and below 1.

    ``size``: of the law of sizes. ``kind``: of what else is drawn from a list, such as the place. ``look``: of its
    contrast. A phantom reads those that it has laws for.
    """

    size: float
    kind: float
    look: float


@dataclass(frozen=True)
class PhantomCase:
    """A case to be drawn; ``index`` counts the cases of the cohort from 1, ``lesions`` is their number.

    ``visit`` is how many cases of the same patient come before: the number of a frame in its sequence. ``kind`` is the
    class of its lesions, where the phantom's lesions have one. ``levels``: of each lesion. ``origin``: what its seeds
    derive from, its part and its number there, so that cases of other parts do not matter; ``body`` is the origin of
    the patient's first case, for what all cases of a patient share.
    """

    case_id: str
    index: int
    patient: str
    part: Part
    scanner: str
    sex: str
    age: int
    lesions: int
    visit: int = 0
    kind: str = ""
    levels: tuple[Levels, ...] = ()
    origin: str = ""
    body: str = ""


class Drawn(Protocol):
    """One case: int16 lesion labels on the reference channel's grid, n for lesion n, and what is true (for JSON).

    A phantom whose `Law` names regions draws a `DrawnWithRegions`.
    """

    @property
    def lesions(self) -> Volume:
        """The labels."""
        ...

    @property
    def truth(self) -> Mapping[str, Any]:
        """Plain values."""
        ...

    def images(self, study: Study) -> Mapping[str, Volume]:
        """Return the images of the study's channels, int16, or float32 where the unit is not (SUV)."""
        ...


@dataclass(frozen=True)
class OneImage:
    """A `Drawn` of one image, int16: its lesions on the same grid, n for lesion n, and what is true (for JSON)."""

    image: Volume
    lesions: Volume
    truth: dict[str, Any]

    def images(self, study: Study) -> dict[str, Volume]:
        """Return the image of the study's one channel."""
        return {study.reference: self.image}


@runtime_checkable
class DrawnWithRegions(Drawn, Protocol):
    """One case with its regions, where the study asks for some."""

    @property
    def regions(self) -> Volume:
        """The labels on the reference channel's grid, uint8: n for the region n of `cohort.regions`, 0 elsewhere."""
        ...


class DrawnItem(Protocol):
    """One case that is no image: its files by column, each with arrays by name."""

    @property
    def truth(self) -> Mapping[str, Any]:
        """Plain values."""
        ...

    def files(self, study: Study) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Return the arrays of each file that the study names (`cohort.files`)."""
        ...


def options_of(study: Study, kind: type[Chosen]) -> Chosen:
    """Return what the study says of its phantom, of the ``kind`` that the phantom reads."""
    phantom = study.cohort.phantom
    assert isinstance(phantom, kind)
    return phantom
