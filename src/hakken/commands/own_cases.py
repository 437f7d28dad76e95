"""Whose images lie in a folder: cases, their channels and their truth, by a rule that is told.

Five rules are tried in this order: BIDS (`sub-*`); folders of images beside folders of masks; a folder for each class;
a folder for each case; files of one folder whose names differ in their last word, or their first. What no rule explains
is listed and not taken.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hakken.core.case_ids import as_id, folded
from hakken.core.errors import HakkenError
from hakken.core.names import counted
from hakken.imaging.dicom import is_dicom
from hakken.imaging.files import DICOM, KNOWN, suffix

Truth = Literal["lesion_mask", "lesion_table", "label"]
NO_LESIONS = "none"
WORDS = "mask|seg|segmentation|label|lesion|tumou?r|nodule|gt|ground|truth|roi|annotation|dseg|consensus"
MASKS = re.compile(
    rf"(^|[^a-z])({WORDS})s?(tr|ts)?([^a-z]|$)|マスク|病変|腫瘍|結節|正解|ラベル|領域|セグメント|掩膜|病灶|肿瘤|标注|分割"
)
REGIONS = re.compile(r"^(?!.*(?:lesion|tumou?r|nodule)).*(?:brain|body|head|lung|liver|skull|air|organ)")
NORMAL = re.compile(r"^(normal|healthy|none|negative|control|no_?finding|good|0)s?$", re.IGNORECASE)
PARTS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
PERSON = re.compile(r"^(?:patient|person|subject|sub|pat|case)[-_ ]?0*(\d+)(?=[-_ .]|$)", re.IGNORECASE)
BESIDE = {
    "last": r"(?P<case>.+)[-_. ](?P<key>[A-Za-z][A-Za-z0-9]*)",
    "first": r"(?P<key>[A-Za-z]+)[-_. ](?P<case>.+)",
}
MOST_FILES = 200_000
SHOWN = 8
EVERY = 5  # patient of the training part goes to validation, where the folder has no part for that


@dataclass(frozen=True)
class FoundCase:
    """One case: its images by channel; ``truth`` is a file, a class, `none`, or None where nothing is known."""

    case_id: str
    patient: str
    channels: Mapping[str, Path]
    truth: Path | str | None = None
    split: str | None = None


@dataclass(frozen=True)
class FoundCases:
    """The cases of a folder, by which ``rule`` they were found, and what of it was ``left_out``, in words."""

    rule: str
    cases: tuple[FoundCase, ...]
    truth: Truth | None
    left_out: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels, those first that all cases have."""
        counts = self._counts
        return tuple(sorted(counts, key=lambda name: counts[name] < len(self.cases)))

    @property
    def lacking(self) -> Mapping[str, int]:
        """How many cases lack each channel."""
        return {name: len(self.cases) - count for name, count in self._counts.items()}

    @property
    def _counts(self) -> Counter[str]:
        return Counter(name for case in self.cases for name in case.channels)


@dataclass(frozen=True)
class _Image:
    """An image file, or a folder with the files of a DICOM series; ``parts`` is its path below the folder."""

    path: Path
    parts: tuple[str, ...]

    @property
    def stem(self) -> str:
        name = self.parts[-1]
        ending = suffix(self.path) if not self.path.is_dir() else ""
        return name[: len(name) - len(ending)] if ending in KNOWN else name


def find_cases(folder: Path) -> FoundCases:
    """Return the cases of a folder; raises HakkenError that lists what lies there where no rule explains it."""
    images = list(_images(folder))
    if not images:
        raise HakkenError(f"{folder}: no image in it or below it; hakken reads {', '.join(KNOWN)} and DICOM folders")
    for rule in (_bids, _beside_masks, _by_class, _by_folder, _by_last_word):
        found = rule(images)
        if found is not None and found.cases:
            return found
    names = ", ".join("/".join(image.parts) for image in images[:SHOWN])
    more = f" and {len(images) - SHOWN} more" if len(images) > SHOWN else ""
    raise HakkenError(
        f"{folder}: no rule tells which of its {counted(len(images), 'image')} belong together ({names}{more}); put "
        "the files of each case into a folder of its own, or write a case table and give that to --data"
    )


def table_rows(found: FoundCases, folder: Path) -> tuple[list[str], list[list[str]]]:
    """Return heading and rows of the case table that stands in ``folder``."""
    truth = found.truth or "lesion_mask"
    split = any(case.split for case in found.cases)
    heading = ["case_id", "patient", *(["split"] if split else []), *found.channels, truth]
    rows = []
    for case in found.cases:
        paths = [_relative(case.channels[name], folder) if name in case.channels else "" for name in found.channels]
        said = _relative(case.truth, folder) if isinstance(case.truth, Path) else case.truth or ""
        rows.append([case.case_id, case.patient, *([case.split or ""] if split else []), *paths, said])
    return heading, rows


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _images(folder: Path) -> Iterator[_Image]:
    """Yield the images below a folder in the order of their names; hidden ones, and links upwards, are passed over."""
    seen = 0
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        inner = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in inner if not here.resolve().is_relative_to((here / name).resolve())]
        shown = sorted(name for name in files if not name.startswith("."))
        seen += len(shown)
        if seen > MOST_FILES:
            raise HakkenError(f"{folder}: more than {MOST_FILES:,} files; give a smaller folder, or a case table")
        parts = here.relative_to(folder).parts
        others = [name for name in shown if suffix(here / name) not in KNOWN or suffix(here / name) in DICOM]
        if parts and others and any(is_dicom(here / name) for name in others[:3]):
            yield _Image(here, parts)
        for name in shown:
            if suffix(here / name) in KNOWN and suffix(here / name) not in DICOM:
                yield _Image(here / name, (*parts, name))


def _bids(images: Sequence[_Image]) -> FoundCases | None:
    """One case a subject and session; a channel is the file's suffix with its entities, as `T1w` or `T1w_ce_gad`."""
    by_case: dict[str, dict[str, Path]] = defaultdict(dict)
    patients: dict[str, str] = {}
    left = []
    for image in images:
        words = image.stem.split("_")
        subject = next((word for word in words if word.startswith("sub-")), None)
        if subject is None or not any(part.startswith("sub-") for part in image.parts[:-1]):
            left.append("/".join(image.parts))
            continue
        session = [word for word in words if word.startswith("ses-")]
        more = [word.replace("-", "_") for word in words[:-1] if not word.startswith(("sub-", "ses-"))]
        case = "_".join([subject, *session])
        by_case[case]["_".join([words[-1], *more])] = image.path
        patients[case] = subject
    return _gathered("BIDS, a case for each subject and session", by_case, patients, left) if by_case else None


def _beside_masks(images: Sequence[_Image]) -> FoundCases | None:
    """Files of one name in a folder of images and in one of masks; `_0000` at the end of a name tells channels."""
    folders = dict.fromkeys(image.parts[-2] for image in images if len(image.parts) > 1)
    masks = [name for name in folders if MASKS.search(name.lower())]
    if not masks or len(masks) == len(folders):
        return None
    by_case: dict[str, dict[str, Path]] = defaultdict(dict)
    several = len(folders) - len(masks) > 1
    left = []
    for image in images:
        if len(image.parts) < 2:
            left.append(image.parts[-1])
            continue
        name, parent = image.stem, image.parts[-2]
        numbered = re.fullmatch(r"(.+)_(\d{4})", name)
        if parent in masks:
            by_case[MASKS.sub("", name).strip("_- ") or name]["mask"] = image.path
        elif numbered and "Tr" in parent:
            by_case[numbered[1]][f"channel{int(numbered[2])}"] = image.path
        else:
            by_case[name][parent if several else "image"] = image.path
    pairs = sum("mask" in files and len(files) > 1 for files in by_case.values())
    if pairs < max(2, len(by_case) // 3):
        return None
    return _gathered(f"files of one name in folders of images and of masks ({', '.join(masks)})", by_case, {}, left)


def _by_class(images: Sequence[_Image]) -> FoundCases | None:
    """A folder for each class, perhaps within one for each part; each file is a case."""
    inside = [image for image in images if len(image.parts) > 1 and not image.path.is_dir()]
    classes = Counter(image.parts[-2] for image in inside)
    stems = Counter(image.stem for image in inside)
    together = bool(classes) and (len(inside) < 3 * len(classes) or max(stems.values()) > len(classes) / 2 > 1)
    if len(classes) < 2 or together or len(inside) < 0.9 * len(images) or not any(map(NORMAL.match, classes)):
        return None
    doubled = {stem for stem, count in stems.items() if count > 1}
    cases = []
    for image in inside:
        label = image.parts[-2]
        name = as_id(f"{label}_{image.stem}" if image.stem in doubled else image.stem)
        person = PERSON.match(image.stem)
        parts = [PARTS[part.lower()] for part in image.parts[:-2] if part.lower() in PARTS]
        cases.append(
            FoundCase(
                case_id=name,
                patient=f"{label}_{person[1]}" if person else name,
                channels={"image": image.path},
                truth=NO_LESIONS if NORMAL.match(label) else label,
                split=parts[-1] if parts else None,
            )
        )
    normal = ", ".join(name for name in classes if NORMAL.match(name))
    notes = [f"{normal} counts as `{NO_LESIONS}`; the other folders are classes"]
    if not any(PERSON.match(image.stem) for image in inside):
        notes.append("no file name tells the patient: each image is a patient of its own; correct the column patient")
    else:
        notes.append("the patient is the number behind `person`, `patient` or `sub` in a file's name, else the file")
    parted, said = _with_validation(_distinct(cases))
    return FoundCases("a folder for each class, a case for each file", tuple(parted), "label", (*notes, *said))


def _by_folder(images: Sequence[_Image]) -> FoundCases | None:
    """A folder for each case; a channel is a file's name, without what all names of the case begin with."""
    by_case: dict[str, dict[str, Path]] = defaultdict(dict)
    splits: dict[str, str] = {}
    left = []
    for image in images:
        parts = image.parts
        part = PARTS.get(parts[0].lower()) if len(parts) > 2 else None
        case, *inner = parts[1:] if part else parts
        if not inner:
            left.append("/".join(parts))
            continue
        key = "_".join([*inner[:-1], image.stem if inner else ""])
        if part:
            splits[case] = part
        by_case[case][_without(key, case)] = image.path
    if len(by_case) < 3:
        return None
    found = _gathered("a folder for each case, a channel for each file name", by_case, {}, left)
    if found is None or not splits:
        return found
    cases, said = _with_validation([replace(case, split=splits.get(case.patient)) for case in found.cases])
    return replace(found, cases=tuple(cases), left_out=(*found.left_out, *said))


def _by_last_word(images: Sequence[_Image]) -> FoundCases | None:
    """Files beside each other, as `p01_ct` and `p01_mask`, or `volume-0` and `segmentation-0`."""
    loose = [image for image in images if len(image.parts) == 1]
    for place, pattern in BESIDE.items():
        named = [(image, re.fullmatch(pattern, image.stem)) for image in loose]
        by_case: dict[str, dict[str, Path]] = defaultdict(dict)
        for image, match in named:
            if match:
                by_case[match["case"]][match["key"]] = image.path
        counts = Counter(key for files in by_case.values() for key in files)
        common = [key for key, count in counts.items() if count >= max(3, len(by_case) / 2)]
        if len(by_case) >= 3 and len(common) >= 2 and len(named) >= 0.9 * len(images):
            left = ["/".join(image.parts) for image, match in named if not match]
            rule = f"files of one folder: the {place} word of a name is the channel, the rest the case"
            return _gathered(rule, by_case, {}, left)
    return None


def _without(key: str, case: str) -> str:
    """Return a file's name without the name of its case, and without a last word that says nothing.

    >>> _without("BraTS_001_t1ce", "BraTS_001"), _without("PET_image", "STS_044")
    ('t1ce', 'PET')
    """
    shorter = re.sub(rf"^{re.escape(case)}[-_. ]*", "", key, flags=re.IGNORECASE)
    return re.sub(r"[-_](image|img|volume)$", "", shorter, flags=re.IGNORECASE) or key


def _gathered(
    rule: str, by_case: Mapping[str, Mapping[str, Path]], patients: Mapping[str, str], left: Iterable[str]
) -> FoundCases | None:
    """Return cases with the channels that all of them have, those that half of them have, and the mask that most have.

    What at least half of the cases have is a channel that a case may lack.
    """
    counts = Counter(key for files in by_case.values() for key in files)
    masks = [key for key in counts if MASKS.search(key.lower()) and not REGIONS.match(key.lower())]
    truth = max(masks, key=lambda key: (counts[key], -len(key)), default=None)
    images = [key for key in counts if not MASKS.search(key.lower())]
    if not images:
        return None
    most = max(counts[key] for key in images)
    channels = [key for key in images if counts[key] == most]
    whole = {case: files for case, files in by_case.items() if all(key in files for key in channels)}
    notes = [f"left out: {', '.join([*left][:SHOWN])}"] if (left := [*left]) else []
    optional = [key for key in images if key not in channels and _half_have(key, whole)]
    notes += [
        f"`{key}`, in {counts[key]} of {len(by_case)} cases, is a channel that cases may lack" for key in optional
    ]
    for key in counts:
        if key not in (*channels, *optional, truth):
            notes.append(f"`{key}`, in {counts[key]} of {len(by_case)} cases, {_left_over(key)}")
    lacking = {case: [key for key in channels if key not in files] for case, files in by_case.items()}
    notes += [f"case {case} lacks {', '.join(keys)}" for case, keys in lacking.items() if keys][:SHOWN]
    names = _names([*channels, *optional])
    notes += [f"channel `{name}` is {key}" for key, name in names.items() if not key.isascii()]
    cases = [
        FoundCase(
            as_id(case), patients.get(case, case), {names[key]: files[key] for key in names if key in files},
            files.get(truth) if truth else None,
        )
        for case, files in whole.items()
    ]  # fmt: skip
    unknown = [case.case_id for case in cases if case.truth is None]
    if truth and unknown:
        notes.append(f"no `{truth}` in {', '.join(unknown[:SHOWN])}: write `{NO_LESIONS}` where there is no lesion")
    if not patients:
        notes.append("each case is a patient of its own: give all cases of one person the same `patient`")
    if truth is None:
        notes.append(f"no file is named as truth: fill in the column lesion_mask, `{NO_LESIONS}` without lesions")
    return FoundCases(rule, tuple(_distinct(cases)), "lesion_mask" if truth else None, tuple(notes))


def _half_have(key: str, cases: Mapping[str, Mapping[str, Path]]) -> bool:
    """Whether at least half of the cases, and one, have files of a name."""
    return 0 < len(cases) <= 2 * sum(key in files for files in cases.values())


def _left_over(key: str) -> str:
    """Return what is said of files that are neither a channel nor the truth."""
    if MASKS.search(key.lower()) and REGIONS.match(key.lower()):
        return "is named as the mask of an organ: it may be the truth (lesion_mask) or a region of interest (mask)"
    return "is neither a channel that half of them have nor the truth"


def _with_validation(cases: Sequence[FoundCase]) -> tuple[list[FoundCase], list[str]]:
    """Return cases that are in all three parts, or in none, and what was done to get there.

    Where the folder has no part for validation, every fifth normal patient of `train` validates, by a hash of the
    name, and so do all with a class: what learns from normal cases alone has no other use for them.
    """
    parts = {case.split for case in cases}
    if not {"train", "test"} <= parts <= {"train", "validation", "test"}:
        return [replace(case, split=None) for case in cases], []
    sealed = {case.patient for case in cases if case.split == "test"}
    kept = [case for case in cases if case.split == "test" or case.patient not in sealed]
    said = [f"{len(cases) - len(kept)} images of patients who stand in test as well"] if len(kept) < len(cases) else []
    if "validation" in parts:
        return kept, said
    said.append("no folder is for validation: a fifth of the patients in train is taken, and all with a class there")
    return [replace(case, split="validation") if _validates(case) else case for case in kept], said


def _validates(case: FoundCase) -> bool:
    if case.split != "train":
        return False
    chosen = int(hashlib.sha256(case.patient.encode()).hexdigest(), 16) % EVERY == 0
    return chosen or (isinstance(case.truth, str) and case.truth != NO_LESIONS)


def _names(keys: Sequence[str]) -> dict[str, str]:
    """Return names of channels that a study can have: letters, digits and `_`."""
    names = {key: re.sub(r"[^A-Za-z0-9]+", "_", key).strip("_") or "image" for key in keys}
    doubled = Counter(names.values())
    return {key: f"{name}_{place}" if doubled[name] > 1 else name for place, (key, name) in enumerate(names.items())}


def _distinct(cases: Sequence[FoundCase]) -> list[FoundCase]:
    """Return the cases with a number behind ids that would stand twice."""
    seen: Counter[str] = Counter()
    found = []
    for case in cases:
        seen[folded(case.case_id)] += 1
        number = seen[folded(case.case_id)]
        found.append(case if number == 1 else replace(case, case_id=f"{case.case_id}-{number}"))
    return found
