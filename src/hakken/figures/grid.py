"""Figure `grid`: every set of variants that held out folds, beside what guessing reaches."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hakken.core import tables
from hakken.core.errors import HakkenError
from hakken.core.names import nearest, spoken
from hakken.evaluation.caution import Caution, lines
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._words import published
from hakken.plots.grid import GridInput, LevelInput, LineInput, PanelInput, PointInput, draw_grid
from hakken.seal.freeze import read_sealed
from hakken.study import Study

INPUTS = {"sets": "variants/{variants}.json", "trainings": "variants/{variants}.csv"}
CAPTION = (
    "The objective of each variant by cross-validation on the development cases, with 95 % intervals over resampled "
    "patients, and of every fold."
)
COLUMNS = ("set", "variant", "fold", "value", "low", "high")
WIDTH = 150

Entry = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class _Set:
    """A set of variants: its name, what was found of it, and its table of trainings."""

    name: str
    found: Entry
    trainings: tables.Table
    drawn: str

    @property
    def factors(self) -> dict[str, list[str]]:
        """The levels of each factor."""
        return dict(self.found["factors"])

    def row(self, cell: Entry) -> Entry:
        """Return what is drawn of a variant; raises HakkenError where it is no row of the measurement."""
        found = next((row for row in cell["rows"] if row["name"] == self.drawn), None)
        if found is None:
            known = [row["name"] for row in cell["rows"] if not row["name"].startswith(" ")]
            hint = f"no row `{self.drawn}`, there are {', '.join(known)}{nearest(self.drawn, known)}"
            raise HakkenError(f"variants.{self.name}.drawn: {hint}")
        return dict(found)

    def folds(self, label: str) -> dict[int, float]:
        """Return what is drawn of each fold of a variant, where its training did not fail."""
        table = self.trainings
        folds, values = table.numbers("fold"), table.numbers(self.drawn, empty=True)
        chosen = np.isfinite(values) & (np.array(table.cells["variant"]) == label)
        return dict(zip(folds[chosen].astype(int).tolist(), values[chosen].tolist(), strict=True))


def draw(study: Study, files: Files) -> Drawing:
    """Draw a panel for each set: lines for its first factor, the last one along the axis, the others in more panels."""
    sets = list(_sets(study, files))
    panels = [panel for one in sets for panel in _panels(one, several=len(sets) > 1)]
    given = GridInput(
        panels=tuple(panels),
        levels=tuple(dict.fromkeys(level for one in sets for level in _levels(study, one))),
        objective=f"{_capital(sets[0].drawn)}, all folds together",
        notes=tuple(line for note in _notes(study, sets) for line in textwrap.wrap(note, WIDTH)),
        origin=files.origin,
    )
    rows = [row for one in sets for row in _rows(one)]
    several = len(sets) > 1
    warnings = [Caution(spoken(one.name) if several else "", line) for one in sets for line in one.found["warnings"]]
    words = "; ".join(map(_best, sets))
    return Drawing(draw_grid(given), Table(COLUMNS, cells(rows)), words, warnings=lines(warnings))


def _sets(study: Study, files: Files) -> Iterator[_Set]:
    """Yield the sets with folds of which a combination is complete; raises HakkenError where there is none."""
    trainings = {path.stem: path for path in files.all("trainings")}
    found = {path.stem: read_sealed(path, "delete it to compare the variants again") for path in files.all("sets")}
    shown = [name for name, one in study.variants.items() if one.folds is not None and found[name]["cells"]]
    if not shown:
        raise HakkenError("no set of `variants` with `folds` has a combination that is complete; see logs/trial/")
    for name in shown:
        drawn = study.variants[name].drawn or str(found[name]["cells"][0]["objective"]["name"])
        yield _Set(name, found[name], tables.read_table(trainings[name]), drawn)


def _panels(one: _Set, *, several: bool) -> Iterator[PanelInput]:
    """Yield the panels of a set, the first with what its factors matter."""
    (*others, last), levels = one.factors, one.factors
    first, middle = (others[0], others[1:]) if others else (None, [])
    words = tuple(_words(one.found["anova"]))
    for chosen in itertools.product(*(levels[factor] for factor in middle)):
        fixed = dict(zip(middle, chosen, strict=True))
        titles = [spoken(one.name)] if several else []
        titles += [f"{spoken(factor)} {level}" for factor, level in fixed.items()]
        lines = [
            LineInput(name or spoken(one.name), tuple(_points(one, fixed | ({first: name} if first else {}), last)))
            for name in (levels[first] if first else [""])
        ]
        shown = tuple(line for line in lines if line.points)
        yield PanelInput(", ".join(titles), _capital(spoken(last)), tuple(levels[last]), shown, words)
        words = ()


def _points(one: _Set, fixed: Entry, last: str) -> Iterator[PointInput]:
    """Yield the complete combinations with the ``fixed`` levels, along the ``last`` factor."""
    for level in one.factors[last]:
        wanted = dict(fixed) | {last: level}
        for cell in one.found["cells"]:
            if cell["levels"] == wanted and one.row(cell)["value"] is not None:
                ends = one.row(cell)
                folds = tuple(one.folds(cell["label"]).values())
                yield PointInput(level, ends["value"], ends["low"], ends["high"], folds)


def _words(tests: Sequence[Entry]) -> Iterator[str]:
    """Yield the p of each effect on the objective, or why there is none."""
    for test in tests[:1]:
        if test["reason"]:
            yield from textwrap.wrap(f"no analysis of variance: {test['reason']}", 40)
            return
        for effect in test["type_ii"]:
            name = " \N{MULTIPLICATION SIGN} ".join(map(spoken, effect["effect"].split(":")))
            yield f"{name}: {_p(effect['p'])}"


def _p(value: float | None) -> str:
    if value is None:
        return "p undefined"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _levels(study: Study, one: _Set) -> Iterator[LevelInput]:
    """Yield what stands beside the combinations: guessing, variants beside the factors, what was published."""
    rows = one.found["cells"][0]["rows"]
    below = next(place for place, row in enumerate(rows) if row["name"] == one.drawn) + 1
    for row in itertools.takewhile(lambda row: row["name"].startswith(" "), rows[below:]):
        if row["value"] is not None:
            yield LevelInput(f"{one.drawn} {row['name'].strip()}", row["value"])
    for cell in one.found["cells"]:
        if not cell["levels"] and one.row(cell)["value"] is not None:
            yield LevelInput(spoken(cell["label"]), one.row(cell)["value"])
    for who, value in study.variants[one.name].published.items():
        yield LevelInput(who, value, published=True)


def _notes(study: Study, sets: Sequence[_Set]) -> Iterator[str]:
    """Yield what was measured, and what the publication says."""
    folds = " and ".join(sorted({f"{study.variants[one.name].folds}-fold" for one in sets}))
    assumed = [spoken(one.name) for one in sets if study.variants[one.name].provenance == "reconstruction"]
    which = f" of {' and '.join(assumed)}" if len(assumed) < len(sets) else ""
    levels = f" The levels{which} are a reconstruction." if assumed else ""
    yield (
        f"Points: {folds} cross-validation by patient on the development cases, 95 % intervals over resampled "
        f"patients; dots: folds. p: analysis of variance of the folds, Type II.{levels}"
    )
    yield from published(study)


def _rows(one: _Set) -> Iterator[tuple[Any, ...]]:
    """Yield what is drawn of each variant, of all its folds together and of each."""
    for cell in one.found["cells"]:
        whole = one.row(cell)
        yield one.name, cell["label"], None, whole["value"], whole["low"], whole["high"]
        yield from ((one.name, cell["label"], *fold, None, None) for fold in one.folds(cell["label"]).items())


def _best(one: _Set) -> str:
    """Return the best combination of a set in a few words."""
    known = {cell["label"]: one.row(cell)["value"] for cell in one.found["cells"] if one.row(cell)["value"] is not None}
    if not known:
        return f"{one.name}: nothing measured"
    best = max(known, key=lambda label: known[label])
    return f"{one.name}: best {best}, {one.drawn} {known[best]:.3f}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
