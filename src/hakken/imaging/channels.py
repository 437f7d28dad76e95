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


def align_channels(study: Study, volumes: Mapping[str, Volume]) -> Iterator[AlignedChannel]:
    """Register every channel of ``volumes`` but the reference, with the settings of ``study``.

    Seeds derive from the study's and the pixels of both images: the same images are registered alike, whatever their
    case is called.
    """
    fixed, kind = volumes[study.reference], study.preparation.mask
    used = study.registration.use_mask and kind not in ("none", "given")
    mask = find_mask(fixed, kind, study.channels[study.reference].modality) if used else None
    fixed_digest = pixel_digest(fixed)
    for channel in (name for name in volumes if name != study.reference):
        seed = derive_seed(study.seed, "register", fixed_digest, pixel_digest(volumes[channel]))
        yield AlignedChannel(channel, register(fixed, volumes[channel], study.registration, seed, mask), seed)
