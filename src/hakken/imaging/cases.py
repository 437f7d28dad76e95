"""What a case is to all that learns, predicts and measures: a prepared image, or an item as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase

Case = PreparedCase | Item
Cases = Sequence[PreparedCase] | Sequence[Item]


def image(case: Case) -> PreparedCase:
    """Return a case that is a prepared image; raises HakkenError naming one that is none."""
    if not isinstance(case, PreparedCase):
        raise HakkenError(f"case {case.case_id}: is an item and no image, which the study's method or outcome takes")
    return case


def digest_of(case: Case) -> str:
    """Return what a case is known by, whatever it is called: the digest of its pixels, or of its files."""
    return case.pixel_digest if isinstance(case, PreparedCase) else case.digest


def item(case: Case) -> Item:
    """Return a case that is an item; raises HakkenError naming one that is none."""
    if not isinstance(case, Item):
        raise HakkenError(f"case {case.case_id}: is an image and no item, which the study's method or outcome takes")
    return case
