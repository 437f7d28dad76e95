"""An image as it was read: its volume, and what there is to say about it."""

from __future__ import annotations

from dataclasses import dataclass

from hakken.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Reading:
    """An image as it was read.

    ``remarks`` say what was done to it, left out or is not known, each to be continued after the name of its channel;
    ``modality`` is that of its DICOM series (a term of PS3.3, C.7.3.1.1.1), empty without one; ``placed`` whether its
    header says where in the patient it lies. ``identity`` is that of patient and examination in a DICOM header, which
    is compared and never shown or written.
    """

    volume: Volume
    remarks: tuple[str, ...] = ()
    modality: str = ""
    placed: bool = True
    identity: tuple[str, str] = ("", "")
