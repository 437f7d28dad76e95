"""A DICOM series in a folder to a volume: sorted by position, rescaled, checked for gaps; PET becomes SUV.

Of a header only geometry, pixel layout and the identity of the series are read, and of PET what an SUV needs. The
identity is never shown: messages name files by their names alone. Positions and directions are in mm, LPS (DICOM
PS3.3, C.7.6.2). What lies in the folder and is not read is named.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from pathlib import Path
from statistics import median

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.names import counted
from hakken.core.volume import Volume
from hakken.imaging.dicom_pixels import read_plane
from hakken.imaging.dicom_slices import CT, PET, PROJECTIONS, Slice, is_dicom, read_slices
from hakken.imaging.dicom_values import read_header, tag_of, text
from hakken.imaging.limits import require_origin, require_shape, require_spacing
from hakken.imaging.reading import Reading
from hakken.imaging.suv import check_suv, early_scan, suv_factor

__all__ = ["is_dicom", "read_series", "series_files"]

STEP_TOLERANCE = 0.1
SAME_PLACE_MM = 1e-3
SAME_DIRECTION = 1e-3
"""Of direction cosines: a twentieth of a degree. Scanners and converters round."""
SAME_SIZE = 1e-3
MOST_FILES = 5000
SHOWN = 5
GAP = 3.0
"""Thicknesses of a slice; where slices are further apart most of the patient is not in the image."""
INDEX = "DICOMDIR"
TILTED = 0.5
"""Degrees of the gantry that a header does not only round."""
APART = ("KVP", "ConvolutionKernel", "EchoTime", "EchoNumbers", "DiffusionBValue", "TemporalPositionIdentifier")
"""What one stack of slices has in common."""
SUFFIXES = (".dcm", ".ima", "")


def read_series(path: Path) -> Reading:
    """Return the one series in a folder, or one DICOM file, with remarks and its modality.

    The volume is float32, rescaled to the modality's units; PET is returned as SUV by body weight. Slices are sorted
    along the normal of their plane. Remarks name the files of the folder that were left out, and what the header leaves
    open. Raises HakkenError for a folder without DICOM images, several series, slices of different shape or direction,
    two slices at one place, a missing slice, a tilted gantry and pixels without a size, and for PET that cannot be
    turned into SUV.
    """
    slices, left_out = _slices(path)
    _check_one_series(path, slices)
    remarks = [*_left_out(left_out), *_open_questions(slices)]
    if len(slices) == 1:
        volume = _volume(slices, slices[0].thickness or 1.0)
        remarks += [*_padding(slices, volume), *_siblings(path, slices[0])]
        return Reading(volume, tuple(remarks), slices[0].modality, slices[0].placed, slices[0].owner)
    for keyword, lacking in (
        ("a position", [one for one in slices if one.position is None]),
        ("an orientation", [one for one in slices if one.orientation is None]),
    ):
        if lacking:
            raise HakkenError(
                f"{path}: slices without {keyword} ({lacking[0].name}); convert the series to NIfTI where its "
                "order is known"
            )
    ordered = sorted(slices, key=lambda one: one.height)
    step = _checked_step(path, ordered)
    volume = _volume(ordered, step)
    remarks += [*_phases(path, ordered), *_mixed(ordered), *_gaps(ordered, step), *_padding(ordered, volume)]
    remarks += early_scan([one.path for one in ordered]) if ordered[0].modality == PET else []
    return Reading(volume, tuple(remarks), ordered[0].modality, identity=ordered[0].owner)


def series_files(path: Path) -> list[Path]:
    """Return the DICOM files of an image: those in a folder, or the file itself; none of an image of another format."""
    if path.is_dir():
        return _files(path)[0]
    return [path] if path.is_file() and is_dicom(path) else []


def _slices(path: Path) -> tuple[list[Slice], list[str]]:
    """Return the images of a folder and what was left out, with the reason; of a file, itself."""
    if not path.is_dir():
        if path.name.upper() == INDEX:
            raise HakkenError(f"{path}: an index of DICOM files and no image; name the folder of one series")
        found = read_slices(path)
        if isinstance(found, str):
            raise HakkenError(f"{path}: a DICOM file without an image ({found}); name one that holds pixels")
        return found, []
    files, left_out = _files(path)
    slices: list[Slice] = []
    for file in files:
        found = read_slices(file)
        if isinstance(found, str):
            left_out.append(f"{file.name} ({found})")
        else:
            slices += found
    if not slices:
        raise HakkenError(f"{path}: a folder without DICOM files; {_where(path)}")
    return slices, left_out


def _where(path: Path) -> str:
    """Return which entry of a folder without slices may be meant."""
    folders = [
        one for one in sorted(path.iterdir()) if one.is_dir() and any(map(is_dicom, sorted(one.iterdir())[:SHOWN]))
    ]
    if len(folders) == 1:
        return f"those in `{folders[0].name}` may be meant: name that folder"
    images = [one for one in sorted(path.iterdir()) if one.name == path.name]
    return "name the file in it" if images else "name the folder that holds the slices of the series"


def _files(path: Path) -> tuple[list[Path], list[str]]:
    """Return the DICOM files of a folder and the names of its other entries.

    Raises HakkenError for more files than a series has, and for one that looks like a slice and is none.
    """
    entries = sorted(path.iterdir())
    if len(entries) > MOST_FILES:
        raise HakkenError(
            f"{path}: {len(entries):,} files, more than the {MOST_FILES:,} that are read; name the folder of one series"
        )
    files = [entry for entry in entries if is_dicom(entry) and entry.name.upper() != INDEX]
    usual = median([file.stat().st_size for file in files] or [0])
    left_out = []
    for entry in entries:
        if entry in set(files) or entry.name.upper() == INDEX or entry.name.startswith("."):
            continue
        plain = entry.is_file()
        size = entry.stat().st_size if plain else 0
        ending = entry.suffix.lower()
        if files and plain and ((ending in SUFFIXES[:2]) or (ending in SUFFIXES and size * 2 >= usual)):
            raise HakkenError(
                f"{entry}: named or sized like a slice, but no DICOM file (no mark DICM); copy it anew, or move it away"
            )
        left_out.append(entry.name + ("" if plain else " (a folder)" if entry.is_dir() else " (no file)"))
    return files, left_out


def _left_out(names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"leaves {counted(len(names), 'file')} of its folder out: {', '.join(names[:SHOWN])}{more}"]


def _open_questions(slices: list[Slice]) -> list[str]:
    """Return what the headers leave open."""
    first, found = slices[0], []
    if first.at_detector:
        found.append("has pixels of the size that they have at the detector (ImagerPixelSpacing), not in the patient")
    if first.inverted:
        found.append("has dark and bright turned around, as its header asks (MONOCHROME1)")
    if first.modality == CT and not any(one.rescaled for one in slices):
        found.append("has no RescaleSlope (0028,1053): its numbers may not be Hounsfield units")
    found += dict.fromkeys(oddity for one in slices for oddity in one.oddities)
    if abs(first.tilt) > TILTED and len(slices) > 1 and abs(abs(float(first.normal[2])) - 1) < SAME_DIRECTION:
        found.append(
            f"was made with the gantry tilted by {first.tilt:g} degrees (GantryDetectorTilt "
            f"{tag_of('GantryDetectorTilt')}), and its slices are upright: their place may be wrong"
        )
    if len(slices) == 1 and first.modality not in PROJECTIONS and not first.placed:
        found.append("does not say where in the patient it lies (ImagePositionPatient, ImageOrientationPatient)")
    return found


def _check_one_series(path: Path, slices: list[Slice]) -> None:
    owners: dict[tuple[str, str], Slice] = {}
    for one in slices:
        owners.setdefault(one.owner, one)
    if len(owners) > 1:
        first, second = list(owners.values())[:2]
        raise HakkenError(
            f"{path}: slices of several patients or examinations ({first.name} and {second.name} differ in "
            "PatientID or StudyInstanceUID); move each into its own folder"
        )
    groups: dict[object, list[Slice]] = {}
    for one in slices:
        groups.setdefault((one.series, one.frame), []).append(one)
    if len(groups) > 1:
        raise HakkenError(
            f"{path}: {len(groups)} series in one folder ({_named([*groups.values()])}); move each into its own folder"
        )
    stacks: list[list[Slice]] = []
    for one in slices:
        stack = next((stack for stack in stacks if _is_of(one, stack[0])), None)
        stack.append(one) if stack is not None else stacks.append([one])
    if len(stacks) > 1:
        raise HakkenError(f"{path}: slices of different size or direction ({_named(stacks)}); keep those of one stack")
    if (rescaled := sum(one.rescaled for one in slices)) not in (0, len(slices)):
        without = next(one for one in slices if not one.rescaled)
        raise HakkenError(
            f"{path}: {len(slices) - rescaled} of {len(slices)} slices have no RescaleSlope {tag_of('RescaleSlope')} "
            f"({without.name}), so their numbers have another meaning; export the series again"
        )


def _is_of(one: Slice, other: Slice) -> bool:
    """Whether two slices have size and direction in common; directions and sizes but for what is rounded."""
    return (
        (one.rows, one.columns) == (other.rows, other.columns)
        and np.allclose(one.axes, other.axes, rtol=0, atol=SAME_DIRECTION)
        and np.allclose(one.spacing, other.spacing, rtol=SAME_SIZE, atol=0)
    )


def _named(groups: list[list[Slice]]) -> str:
    """Name groups by number of slices, size and first file; descriptions may hold personal data and are not shown."""
    return "; ".join(f"{len(group)} of {group[0].columns}x{group[0].rows} from {group[0].name}" for group in groups)


def _checked_step(path: Path, ordered: list[Slice]) -> float:
    """Return the distance of neighbouring slices in mm; HakkenError where it is not the same everywhere."""
    heights = np.array([one.height for one in ordered])
    steps = np.diff(heights)
    for (left, right), step in zip(pairwise(ordered), steps, strict=True):
        if step < SAME_PLACE_MM:
            raise HakkenError(f"{path}: {left.name} and {right.name} lie at the same place{_apart(left, right)}")
    usual = float(np.median(steps))
    for (left, right), step in zip(pairwise(ordered), steps, strict=True):
        if abs(step - usual) > STEP_TOLERANCE * usual:
            raise HakkenError(
                f"{path}: slices missing or uneven: {left.name} and {right.name} are {step:.2f} mm apart, "
                f"the others {usual:.2f} mm; export the whole series again"
            )
    step = float(heights[-1] - heights[0]) / (len(ordered) - 1)
    _check_upright(path, ordered, step)
    return step


def _apart(one: Slice, other: Slice) -> str:
    """Return what tells two images at one place apart, and what to do."""
    different = [
        f"{keyword} {tag_of(keyword)} {one.facts.get(keyword, 'none')} and {other.facts.get(keyword, 'none')}"
        for keyword in {**one.facts, **other.facts}
        if one.facts.get(keyword) != other.facts.get(keyword)
    ]
    if not different or one.instance == other.instance:
        return "; remove the duplicate"
    apart = "export each as a volume of its own" if one.path == other.path else "move each into its own folder"
    return f" and differ in {', '.join(different)}: phases, echoes or frames; {apart}"


def _phases(path: Path, ordered: list[Slice]) -> list[str]:
    """Return a remark where acquisitions alternate along the series; of CT, which has no such, raise HakkenError."""
    acquired = [one.facts.get("AcquisitionNumber", "") for one in ordered]
    distinct = len(set(acquired))
    if distinct in (1, len(acquired)) or len(list(groupby(acquired))) == distinct:
        return []
    said = f"slices of {distinct} acquisitions (AcquisitionNumber {tag_of('AcquisitionNumber')}) alternate"
    if ordered[0].modality == CT:
        raise HakkenError(f"{path}: {said}: several phases in one folder; move each into its own folder")
    return [f"has {said}: several phases may have been mixed"]


def _mixed(ordered: list[Slice]) -> list[str]:
    """Return remarks where slices of one stack were made in different ways."""
    found = []
    for keyword in APART:
        values = list(dict.fromkeys(one.facts.get(keyword, "none") for one in ordered))
        if len(values) > 1:
            shown = " and ".join(values[:2])[:60]
            found.append(f"has slices of different {keyword} {tag_of(keyword)} ({shown}) in one stack")
    return found


def _gaps(ordered: list[Slice], step: float) -> list[str]:
    """Return a remark where slices are far apart, or where only every second or third number is there."""
    found = []
    known = [one.thickness for one in ordered if one.thickness is not None]
    if known and step > GAP * median(known):
        found.append(f"has slices of {median(known):g} mm every {step:.3g} mm: most of the patient lies between them")
    numbers = sorted(one.number for one in ordered if one.number is not None)
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) == len(ordered) > 3 and len(steps) == 1 and (every := steps.pop()) > 1:
        which = {2: "second", 3: "third"}.get(every, f"{every}th")
        found.append(
            f"has every {which} number of its series alone (InstanceNumber (0020,0013)): slices may be missing"
        )
    return found


def _padding(slices: list[Slice], volume: Volume) -> list[str]:
    """Return a remark where pixels hold what stands for nothing."""
    marked = sum(
        int(np.count_nonzero(plane == np.float32(one.padding)))
        for plane, one in zip(volume.array, slices, strict=True)
        if one.padding is not None
    )
    if not marked or slices[0].modality == PET:
        return []
    share = f"{marked / volume.array.size:.0%} of its voxels"
    return [f"is padded with {slices[0].padding:g} (PixelPaddingValue (0028,0120), {share}), which counts as a number"]


def _siblings(path: Path, one: Slice) -> list[str]:
    """Return a remark where a single file that was named is one of a series."""
    if path.is_dir() or not (one.series and one.placed) or one.modality in PROJECTIONS:
        return []
    near = [file for file in sorted(path.parent.iterdir())[: 2 * SHOWN] if file != path and is_dicom(file)]
    if any(text(read_header(file, ["SeriesInstanceUID"]), "SeriesInstanceUID") == one.series for file in near[:SHOWN]):
        return ["is one file of a series: name its folder to have all slices"]
    return []


def _check_upright(path: Path, ordered: list[Slice], step: float) -> None:
    """Raise HakkenError where the slices are shifted against each other (a tilted gantry)."""
    shift = np.asarray(ordered[-1].position, float) - np.asarray(ordered[0].position, float)
    sideways = shift - ordered[0].normal * np.dot(shift, ordered[0].normal)
    if np.linalg.norm(sideways) > STEP_TOLERANCE * max(step, 1.0):
        raise HakkenError(
            f"{path}: slices shifted sideways (tilted gantry); resample the series to upright slices first"
        )


def _volume(ordered: list[Slice], step: float) -> Volume:
    first = ordered[0]
    where = first.path.parent if len(ordered) > 1 else first.path
    sizes = (first.columns, first.rows, len(ordered))
    require_shape(where, sizes)
    spacing = (first.spacing[1], first.spacing[0], step)
    require_spacing(where, spacing, sizes)
    require_origin(where, first.position or ())
    array = np.empty(sizes[::-1], np.float32)
    for plane, one in zip(array, ordered, strict=True):
        plane[:] = read_plane(one.path, one.rows, one.columns, one.pixels, one.inverted)
    if first.modality == PET:
        array *= np.float32(suv_factor([one.path for one in ordered]))
        check_suv(first.path, array, float(np.prod(spacing)))
    x, y, z = first.position or (0.0, 0.0, 0.0)
    columns = np.array([first.axes[:3], first.axes[3:], first.normal]).T
    return Volume(array=array, spacing=spacing, origin=(x, y, z), direction=tuple(columns.ravel().tolist()))
