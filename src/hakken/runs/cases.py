"""Cases from where they stand: folders of prepared images, or the files of checked items."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hakken.cohort.items import Item, read_items
from hakken.imaging.cases import Case
from hakken.imaging.prepared import prepared_cases

NO_CASE = Item("drawn", "drawn")
"""What a study without cases is measured on: data that its method draws."""


def read_cases(places: Iterable[Path]) -> list[Case]:
    """Return all cases of some batches, in the order of the batches and of the ids within each."""
    found: list[Case] = []
    for place in places:
        found += prepared_cases(place) if place.is_dir() else read_items([place])
    return found
