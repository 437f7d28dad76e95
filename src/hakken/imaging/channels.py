"""All channels of a case onto its reference channel, for a case of the study and for a new one alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hakken.core.seeds import derive_seed
from hakken.core.volume import Volume
from hakken.imaging.checks import pixel_digest
from hakken.imaging.files import read_volume
from hakken.imaging.masks import find_mask
from hakken.imaging.pieces import Mask
from hakken.imaging.registration import RegistrationResult, register
from hakken.study import Study


@dataclass(frozen=True)
class AlignedChannel:
    """One channel, how it was registered and with which seed."""

    channel: str
    result: RegistrationResult
    seed: int


def read_channels(paths: Mapping[str, Path], study: Study) -> dict[str, Volume]:
    """Return the channels of a study from the files of a case, each on its own grid; without those that it may lack."""
    return {
        name: read_volume(paths[name], channel.colour, study.cohort.pixel_mm)
        for name, channel in study.channels.items()
        if name in paths or not channel.optional
    }


def mask_to_register(study: Study, volumes: Mapping[str, Volume]) -> Mask | None:
    """Return the mask (z, y, x) of the reference in which similarity is measured; None where nothing asks for one.

    It is the mask that preparation looks for on the same channel, see `mask_to_prepare`.
    """
    kind, settings = study.preparation.mask, study.registration
    asked = settings.use_mask and settings.method != "none" and kind not in ("none", "given")
    if not asked or set(volumes) == {study.reference}:
        return None
    return find_mask(volumes[study.reference], kind, study.channels[study.reference].modality)


def mask_to_prepare(study: Study, found: Mask | None) -> Mask | None:
    """Return what was ``found`` for the registration where preparation would look for the same mask, else None."""
    return found if study.preparation.mask_channel in (None, study.reference) else None


def align_channels(study: Study, volumes: Mapping[str, Volume], mask: Mask | None) -> Iterator[AlignedChannel]:
    """Register every channel of ``volumes`` but the reference, with the settings of ``study``, inside ``mask``.

    Seeds derive from the study's and the pixels of both images: the same images are registered alike, whatever their
    case is called.
    """
    fixed = volumes[study.reference]
    fixed_digest = pixel_digest(fixed)
    for channel in (name for name in volumes if name != study.reference):
        seed = derive_seed(study.seed, "register", fixed_digest, pixel_digest(volumes[channel]))
        yield AlignedChannel(channel, register(fixed, volumes[channel], study.registration, seed, mask), seed)
