"""The text of a CSV file to its heading and cells, with the row of the file that each stands in; nothing is guessed.

What a spreadsheet may have done to it is named: another separator, encoding or kind of file, a quote left open, a
heading that stands there twice, an error in a cell.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.core.errors import HakkenError
from hakken.core.names import counted, nearest
from hakken.core.texts import read_text

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t")
FOREIGN = {"|": "`|`", "\uff0c": "wide commas", "\u3001": "Japanese commas", "\uff1b": "wide semicolons"}
FOREIGN |= {":": "`:`", "^": "`^`", "~": "`~`", " ": "blanks"}
SEPARATED = {",": "commas", ";": "semicolons", "\t": "tabs"}
EXCEL_ERRORS = re.compile(r"#(REF!|VALUE!|N/A|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|####*)")
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"  # no blanks to Python, and nothing to the eye
SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?[ \t,;]*", re.IGNORECASE)
REMEDY = "in a spreadsheet, save it as `CSV UTF-8`"


def parsed(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the heading, and the other rows as text, numbered as in the file; blank rows are left out.

    Raises HakkenError, naming the file and the row, for what is no such table.
    """
    import pandas as pd

    text, above = _begun(_text(path), 1)
    first, _, rest = text.partition("\n")
    separator = _separator(first)
    if said := SEPARATOR_LINE.fullmatch(first):
        separator, (text, above) = said[1], _begun(rest, above + 1)
    if not text.strip():
        return [], pd.DataFrame()
    _check_separated(path, text, separator)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
            engine="python",  # the other one fills up short rows without a word
        )
    except pd.errors.ParserError as error:
        raise HakkenError(f"{path}{_place(str(error), above, text, separator)}") from None
    frame = frame.apply(lambda column: column.str.strip().str.strip(INVISIBLE).str.strip())
    frame.index = pd.RangeIndex(above, above + len(frame))
    frame = frame[(frame.notna() & (frame != "")).any(axis=1)]
    lacking = frame.index[frame.isna().any(axis=1)]
    if len(lacking):
        row = int(lacking[0])
        count = int(frame.loc[row].notna().sum())
        raise HakkenError(f"{path}{_ragged(row, count, frame.shape[1], ''.join(frame.loc[row].dropna()), separator)}")
    if len(frame) == 0:
        return [], frame
    _check_cells(path, frame, separator)
    return frame.iloc[0].tolist(), frame.iloc[1:]


def _separator(line: str) -> str:
    """Return what the cells of a heading are separated by: the commonest of the known ones outside of quotes."""
    outside = re.sub(r"\"[^\"]*\"", "", line)
    return max(SEPARATORS, key=outside.count)


def _check_separated(path: Path, text: str, separator: str) -> None:
    """Raise HakkenError where a heading of one column and the row below hold the same other separator."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    if separator in lines[0] or len(lines) < 2:
        return
    for other, words in FOREIGN.items():
        if other in lines[0].strip() and lines[0].strip().count(other) == lines[1].strip().count(other):
            raise HakkenError(f"{path}: cells are separated by {words}; separate them by commas, semicolons or tabs")


def _check_cells(path: Path, frame: pd.DataFrame, separator: str) -> None:
    """Raise HakkenError for rows that an open quote swallowed, a second heading and errors of a spreadsheet."""
    heading = frame.iloc[0].tolist()
    for row in frame.index[frame.apply(lambda column: column.str.contains("\n", regex=False)).any(axis=1)]:
        if _swallowed(separator.join(frame.loc[row]), separator, len(heading)):
            reason = "a quoted cell holds a line break, and on both sides of it stands a whole row"
            raise HakkenError(f"{path}, row {row}: {reason}; close its quote where the cell ends")
    for place in frame:
        column = frame[place]
        errors = column[column.str.fullmatch(EXCEL_ERRORS)]
        if len(errors):
            said = f"column {heading[place] or place + 1}: `{errors.iloc[0]}` is an error of the spreadsheet"
            raise HakkenError(f"{path}, row {errors.index[0]}, {said}; mend the cell and export the table again")
    again = frame.index[1:][(frame.iloc[1:] == frame.iloc[0]).all(axis=1)]
    if len(again) and any(heading):
        raise HakkenError(f"{path}, row {again[0]}: the heading stands there again; keep the first one alone")


def _swallowed(entry: str, separator: str, width: int) -> bool:
    """Whether each line of an entry has the cells of a whole row: a quote was opened in one and closed in another.

    Of two columns too many sentences with a comma look so.
    """
    return width > 2 and all(line.count(separator) == width - 1 for line in entry.split("\n"))


def _begun(text: str, row: int) -> tuple[str, int]:
    """Return a text that begins at a ``row`` without the blank lines above its first, and the row of that one."""
    blank = text[: len(text) - len(text.lstrip())]
    cut = blank.rfind("\n") + 1
    return text[cut:], row + blank.count("\n")


def _text(path: Path) -> str:
    """Return the text of a file without a byte-order mark."""
    try:
        return read_text(path, REMEDY)
    except FileNotFoundError:
        known = [file.name for file in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        raise HakkenError(f"{path}: no such file{nearest(path.name, known)}") from None
    except OSError as error:
        raise HakkenError(f"{path}: the table cannot be read ({error.strerror}); check the path") from None


def _place(reason: str, above: int, text: str, separator: str) -> str:
    """Return what is wrong with a file, in words, from what the parser says of it."""
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", reason):
        wanted, row, count = map(int, found.groups())
        return _ragged(row + above - 1, count, wanted, "", separator)
    if "field limit" in reason:
        return f": not valid CSV ({reason}): a quote may be open; export it again"
    return (
        f": not valid CSV ({reason[0].lower()}{reason[1:]}): a quote is open or stands within a cell; export it again"
    )


def _ragged(row: int, count: int, wanted: int, cells: str, separator: str) -> str:
    """Return what is wrong with a row of ``count`` cells below a heading of ``wanted``; ``cells`` are all its text."""
    said = f", row {row}: {counted(count, 'cell')}, the heading has {wanted}"
    other = next((one for one in SEPARATORS if one != separator and cells.count(one) == wanted - 1 > 0), None)
    if count == 1 and other:
        return f"{said}; its cells are separated by {SEPARATED[other]}, those of the heading are not: use one separator"
    if wanted == 1:
        return f"{said}; the first line must name the columns"
    return f"{said}; quote cells that hold the separator (a decimal comma, say), and fill every column"
