"""All channels of a case onto its reference channel, for a case of the study and for a new one alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hakken.core.seeds import derive_seed
from hakken.core.volume import Volume
from hakken.imaging.masks import find_mask
from hakken.imaging.registration import RegistrationResult, register
from hakken.study import Study


@dataclass(frozen=True)
class AlignedChannel:
    """One channel, how it was registered and with which seed."""

    channel: str
    result: RegistrationResult
    seed: int


def align_channels(study: Study, case_id: str, volumes: Mapping[str, Volume]) -> Iterator[AlignedChannel]:
    """Register every channel of ``volumes`` but the reference, with the settings and seeds of ``study``."""
    fixed, kind = volumes[study.reference], study.preparation.mask
    used = study.registration.use_mask and kind != "none"
    mask = find_mask(fixed, kind, study.channels[study.reference].modality) if used else None
    for channel in (name for name in volumes if name != study.reference):
        seed = derive_seed(study.seed, "register", case_id, channel)
        yield AlignedChannel(channel, register(fixed, volumes[channel], study.registration, seed, mask), seed)
