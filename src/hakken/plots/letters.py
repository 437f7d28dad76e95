"""What a figure writes: names as they are typed, in letters that some font of this machine has.

Nothing that a user has typed is taken for mathematics. What is no letter (control characters, marks that turn the
direction of reading, halves of characters) is replaced, and a name as long as a page is cut. Letters that the house
font lacks are taken from a font for Japanese, Chinese, Korean or symbols, where one is installed; otherwise one
sentence says which letters are boxes.
"""

from __future__ import annotations

import functools
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import font_manager
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter, FuncFormatter

from hakken.core.console import progress

HOUSE = "DejaVu Sans"
"""Comes with matplotlib, so a figure looks the same everywhere."""

OTHERS = (
    *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "IPAexGothic", "IPAGothic", "TakaoPGothic"),
    *("VL PGothic", "Yu Gothic", "Hiragino Sans", "Hiragino Kaku Gothic ProN", "Meiryo", "MS Gothic"),
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", "SimHei", "PingFang SC"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Noto Sans CJK TC", "Noto Sans CJK KR", "Malgun Gothic"),
    *("NanumGothic", "Apple SD Gothic Neo", "Droid Sans Fallback", "Arial Unicode MS", "Noto Sans Symbols2"),
    *("Noto Emoji", "Symbola", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Bengali", "Noto Sans Tamil"),
    *("Noto Sans Ethiopic", "Unifont"),
)
"""Fonts that are asked for letters which the house font lacks, in this order; Japanese forms come before Chinese."""

NO_LETTER = {"Cc", "Cs", "Co", "Cn"}
UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Mn"}
TURNS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
LONGEST = 200
"""Letters of a line; a figure of two columns holds fewer even in its smallest size."""

NAMED = 12


def shown(text: str, longest: int = LONGEST) -> str:
    """Return a text as a figure can hold it: each line of letters alone, and with its middle left out where too long.

    >>> shown("a" * 9 + "b" * 9, 7), shown("one" + chr(0) + "two")
    ('aaa…bbb', 'one\ufffdtwo')
    """
    if text.isascii() and text.isprintable() and len(text) <= longest:
        return text
    lines = "".join(map(_letter, text.replace("\r\n", "\n"))).split("\n")
    return "\n".join(_cut(line, longest) for line in lines)


def fitted(name: str, width: int) -> str:
    """Return a name in the width of so many narrow letters, its middle left out where it is longer.

    Japanese and other wide letters take two places. Names of one cohort mostly differ at their ends.

    >>> fitted("1.3.6.1.4.1.14519", 9), fitted("症例 01 右乳房", 9), fitted("case", 9)
    ('1.3.…4519', '症例…乳房', 'case')
    """
    if sum(map(_width, name)) <= width:
        return name
    head, tail = "", ""
    for place in range(len(name)):
        further = name[place // 2] if place % 2 == 0 else name[-1 - place // 2]
        if sum(map(_width, head + further + tail)) > width - 1:
            break
        head, tail = (head + further, tail) if place % 2 == 0 else (head, further + tail)
    return f"{head}…{tail}"


def labelled(name: str) -> str:
    """Return a name as a label that a legend shows; matplotlib hides those that begin with `_`."""
    return f"\u200b{name}" if name.startswith("_") else name


def families() -> list[str]:
    """Return the fonts of a text: the house font, and those for letters that it lacks."""
    return [HOUSE, *_installed()]


@contextmanager
def in_words() -> Iterator[None]:
    """Within the block matplotlib says nothing of letters that it lacks; `prepare` does."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def prepare(figure: Figure) -> None:
    """Make the texts of a figure ones that can be drawn, and say in a sentence which letters no font here has."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _prepare_ticks(axis)
    texts = figure.findobj(Text)
    for text in texts:
        assert isinstance(text, Text)
        if text.get_text() != (clean := shown(text.get_text())):
            text.set_text(clean)
    lacking = lacking_letters("".join(text.get_text() for text in texts if isinstance(text, Text)))
    if lacking:
        more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
        progress(
            f"no font on this machine has {' '.join(lacking[:NAMED])}{more}: the figure shows boxes in their place; "
            f"install a font that has them{_remedy(lacking)} and draw the figure again"
        )


def lacking_letters(text: str) -> list[str]:
    """Return the letters of a text that none of the fonts has, each once, in the order of the text."""
    known = set().union(*map(_letters_of, families()))
    return [
        letter
        for letter in dict.fromkeys(text)
        if ord(letter) not in known and unicodedata.category(letter) not in UNSEEN
    ]


def _letter(letter: str) -> str:
    if letter == "\n":
        return letter
    if ord(letter) in TURNS:
        return ""
    if letter == "\t":
        return " "
    return "\ufffd" if unicodedata.category(letter) in NO_LETTER else letter


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _cut(line: str, longest: int) -> str:
    if len(line) <= longest:
        return line
    head = longest // 2
    return f"{line[:head]}…{line[len(line) - (longest - 1 - head) :]}"


def _prepare_ticks(axis: Axis) -> None:
    """Clean the labels of an axis where they need it; they are written anew whenever it is drawn."""
    labels = [label.get_text() for label in (*axis.get_majorticklabels(), *axis.get_minorticklabels())]
    if any(shown(label) != label for label in labels):
        axis.set_major_formatter(FuncFormatter(functools.partial(_cleaned, axis.get_major_formatter())))


def _cleaned(formatter: Formatter, value: float, place: int | None = None) -> str:
    return shown(formatter(value, place))


@functools.cache
def _installed() -> tuple[str, ...]:
    """Return those of `OTHERS` that this machine has; a list of fonts that is older than them is brought up to date."""
    if not (found := _known()):
        listed = {entry.fname for entry in font_manager.fontManager.ttflist}
        for path in sorted({*font_manager.findSystemFonts()} - listed):
            try:
                font_manager.fontManager.addfont(path)
            except (OSError, RuntimeError, ValueError):  # a font that cannot be read is none
                continue
        found = _known()
    return found


def _known() -> tuple[str, ...]:
    names = {entry.name for entry in font_manager.fontManager.ttflist}
    return tuple(name for name in OTHERS if name in names)


@functools.cache
def _letters_of(family: str) -> frozenset[int]:
    """Return the code points that a font has."""
    return frozenset(font_manager.get_font(font_manager.findfont(family)).get_charmap())


def _remedy(letters: list[str]) -> str:
    names = [unicodedata.name(letter, "") for letter in letters]
    if any(name.startswith(("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH")) for name in names):
        return " (for Japanese and Chinese, Noto Sans CJK or IPAex Gothic)"
    return " (for Korean, Noto Sans CJK)" if any(name.startswith("HANGUL") for name in names) else ""
