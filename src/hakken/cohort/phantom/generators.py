"""What the phantom's generators have to offer: who is in their cohorts, and which images they draw.

`Phantom.generator` names one of `GENERATORS`; `draw.DRAWERS` holds the function that draws its cases, apart from here
so that planning a cohort loads nothing that draws.
"""

from __future__ import annotations

from dataclasses import dataclass

from hakken.errors import HakkenError
from hakken.names import nearest
from hakken.study import Study


@dataclass(frozen=True)
class Generator:
    """One generator's cohort: its scanners, the fraction of cases free of lesions, and the law of the others.

    ``lesion_counts``: the probabilities of 1, 2, ... lesions. ``channels``: how many images it can draw, ``images``
    says which. ``normal_training``: no training case has a lesion. ``kinds``: how many of so many patients had a lesion
    of each class, where lesions have one. ``names``: what the channels must be called, where it matters.
    """

    scanners: tuple[str, ...]
    lesion_free: float
    lesion_counts: tuple[float, ...]
    channels: int
    images: str
    normal_training: bool = False
    kinds: tuple[tuple[str, float], ...] = ()
    names: tuple[str, ...] = ()


# Aneurysms: 6,697 in the 5,720 patients of UCAS Japan (Morita et al., N Engl J Med 2012;366:2474-2482), 1.17 each.
GENERATORS: dict[str, Generator] = {
    "brain_metastasis": Generator(
        scanners=("A", "B", "C"),
        lesion_free=0.17,
        lesion_counts=(0.16, 0.16, 0.15, 0.14, 0.12, 0.11, 0.09, 0.07),
        channels=2,
        images="two channels, the reference with contrast agent and one without",
    ),
    "aneurysm": Generator(
        scanners=("A", "B", "C"),
        lesion_free=0.35,
        lesion_counts=(0.86, 0.11, 0.03),
        channels=1,
        images="one channel, time-of-flight MR angiography",
    ),
    "head_ct": Generator(  # 16 of 38 test cases normal, as in Sato et al., Proc. SPIE 10575 (2018)
        scanners=("A", "B", "C"),
        lesion_free=0.42,
        lesion_counts=(0.75, 0.18, 0.07),
        channels=1,
        images="one channel, head CT without contrast agent",
        normal_training=True,
    ),
    # 45 foci in 34 cases, 1.32 each, as in Nakao et al., Jpn J Radiol 2022;40:730-739; half of the cases held out are
    # normal, so that as many normal as abnormal ones can show how well the deviations are calibrated.
    "chest_pet_ct": Generator(
        scanners=("A", "B", "C"),
        lesion_free=0.5,
        lesion_counts=(0.75, 0.18, 0.05, 0.02),
        channels=2,
        images="two channels, CT and PET of the chest, told apart by their modality",
        normal_training=True,
    ),
    "endoscopy": Generator(
        scanners=("A", "B", "C"),
        lesion_free=0.1,
        lesion_counts=(0.88, 0.12),
        channels=3,
        images="three channels, the colours red, green and blue of a colonoscopy",
    ),
    "liver_phases": Generator(  # 6, 58, 109, 29 and 13 of 215 patients in Yamada et al., IJCARS 2019;14:1281
        scanners=("A", "B", "C"),
        lesion_free=0.0,
        lesion_counts=(1.0,),
        channels=3,
        images="three channels, the phases of liver CT: unenhanced, early and late",
        names=("unenhanced", "early", "late"),
        kinds=(("early", 6), ("well", 58), ("moderate", 109), ("poor", 29), ("non_hcc", 13)),
    ),
}


def check_channels(study: Study, generator: Generator) -> None:
    """Raise HakkenError where the study has more channels than the generator draws, or others."""
    if len(study.channels) > generator.channels:
        raise HakkenError(
            f"study {study.name}: the phantom draws {generator.images}, "
            f"but the study has {', '.join(study.channels)}; remove a channel"
        )
    for name in study.channels:
        if generator.names and name not in generator.names:
            known = f"{', '.join(generator.names)}{nearest(name, generator.names)}"
            raise HakkenError(f"study {study.name}: the phantom draws no channel `{name}`; call the channels {known}")
