"""CVC-ClinicDB as a case table: 612 frames of colonoscopy with the masks of their polyps, in 29 sequences.

The folder holds ``Original`` and ``Ground Truth``, each with a picture for every frame, named by its number. A frame is
a case, its sequence the patient, so that the frames of one sequence never stand on both sides of a split. Which frames
make a sequence is in no file of the data set; `ENDS` is what its page documents, as two public transcriptions agree on.
At each of its ends the frames before and after show another scene; the videos were not at hand. Another table may be
given; nothing is guessed.

Source: Bernal et al., WM-DOVA maps for accurate polyp highlighting in colonoscopy: validation vs. saliency maps from
physicians, Comput Med Imaging Graph 2015;43:99-111; https://polyp.grand-challenge.org/CVCClinicDB/.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.table import write_table
from hakken.core.errors import HakkenError
from hakken.core.tables import read_table

IMAGES, MASKS = "Original", "Ground Truth"
PICTURES = (".tif", ".tiff", ".png", ".bmp")
COLOURS = ("red", "green", "blue")
ENDS = (
    *(25, 50, 67, 78, 103, 126, 151, 177, 199, 205, 227, 252, 277, 297, 317, 342, 363, 383, 408, 428, 447, 466, 478),
    *(503, 528, 546, 571, 591, 612),
)
"""The last frame of each of the 29 sequences, which follow each other; the first frame of all is 1."""


def sequence_of(frame: int) -> int:
    """Return the number of the sequence, 1 to 29, that a frame belongs to, as the data set's page documents it.

    Raises HakkenError for a frame that it does not know.

    >>> sequence_of(25), sequence_of(26), sequence_of(612)
    (1, 2, 29)
    """
    if not 1 <= frame <= ENDS[-1]:
        raise HakkenError(f"frame {frame}: CVC-ClinicDB has the frames 1 to {ENDS[-1]}; give a table of sequences")
    return bisect_left(ENDS, frame) + 1


def read_sequences(path: Path) -> dict[int, str]:
    """Return the sequence of each frame from a table ``first, last, sequence``, both ends included.

    Raises HakkenError naming the row of a range that ends before it begins, or that holds a frame of another range.
    """
    table = read_table(path, ("first", "last", "sequence"))
    found: dict[int, str] = {}
    rows = zip(table.numbers("first"), table.numbers("last"), table.text("sequence"), strict=True)
    for row, (first, last, sequence) in enumerate(rows):
        frames = range(int(first), int(last) + 1)
        if not frames or first != int(first) or last != int(last):
            raise table.error(row, "last", f"no range of frames: {first:g} to {last:g}; write whole numbers, in order")
        if twice := next((frame for frame in frames if frame in found), None):
            raise table.error(row, "first", f"frame {twice} stands in two sequences; keep it in one")
        found |= dict.fromkeys(frames, sequence)
    return found


def write_case_table(source: Path, output: Path, sequences: Mapping[int, str] | None = None) -> CaseTable:
    """Write the case table of the data set in ``source`` to ``output`` and return it.

    ``sequences`` maps frames to sequences, those of `sequence_of` by default. Raises HakkenError for a folder of
    another layout, a frame without mask, a mask without frame, and a frame whose sequence is not known.
    """
    images, masks = (_pictures(source / name) for name in (IMAGES, MASKS))
    for there, others, name in ((images, masks, MASKS), (masks, images, IMAGES)):
        if lacking := sorted(there.keys() - others.keys()):
            files = [there[frame].name for frame in lacking]
            raise HakkenError(f"{source / name}: lacks {_some(files)}; fetch these files again")
    unknown = [frame for frame in sorted(images) if sequences is not None and frame not in sequences]
    if unknown:
        raise HakkenError(f"no sequence is given for frame {_some(unknown)}; add a row to the table of sequences")
    cases = tuple(_case(frame, images[frame], masks[frame], sequences) for frame in sorted(images))
    table = CaseTable(cases, output)
    write_table(output, table)
    return table


def _case(frame: int, image: Path, mask: Path, sequences: Mapping[int, str] | None) -> Case:
    sequence = f"{sequence_of(frame):02d}" if sequences is None else sequences[frame]
    return Case(
        case_id=f"frame{frame:03d}",
        patient=f"sequence{sequence}",
        split=None,
        channels=dict.fromkeys(COLOURS, image),
        lesion_mask=mask,
    )


def _pictures(folder: Path) -> dict[int, Path]:
    """Return the pictures of a folder by the number that is their name."""
    if not folder.is_dir():
        raise HakkenError(f"{folder}: no such folder; CVC-ClinicDB has the folders {IMAGES} and {MASKS}")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if odd := [path.name for path in paths if not path.stem.isdecimal()]:
        raise HakkenError(f"{folder}: {_some(odd)} is not named by a frame's number; is this CVC-ClinicDB?")
    found: dict[int, Path] = {}
    for path in paths:
        if (frame := int(path.stem)) in found:
            raise HakkenError(f"{folder}: {found[frame].name} and {path.name} are the same frame; keep one")
        found[frame] = path
    if not found:
        raise HakkenError(f"{folder}: holds no picture ({', '.join(PICTURES)}); is this CVC-ClinicDB?")
    return found


def _some(things: Sequence[object]) -> str:
    """Return the first three of some things and how many more there are."""
    more = f" and {len(things) - 3} more" if len(things) > 3 else ""
    return ", ".join(map(str, things[:3])) + more
