"""Phantom `aneurysm`: time-of-flight MR angiography of the head, one channel, and aneurysms.

There are 6,697 aneurysms in the 5,720 patients of UCAS Japan (Morita et al., N Engl J Med 2012;366:2474-2482), 1.17
each.
"""

from __future__ import annotations

from hakken.phantoms import Law
from hakken.phantoms._options import Sized

LAW = Law(
    images="one channel, time-of-flight MR angiography",
    lesion_free=0.35,
    lesion_counts=(0.86, 0.11, 0.03),
)


class Options(Sized):
    """Keys of this phantom."""
