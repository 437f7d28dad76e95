"""Phantom `head_ct`: emergency head CT without contrast agent, one channel; training cases have no lesions.

Of 38 test cases 16 are normal, as in Sato et al., Proc. SPIE 10575 (2018).
"""

from __future__ import annotations

from hakken.phantoms import Law
from hakken.phantoms._options import Sized

LAW = Law(
    images="one channel, head CT without contrast agent",
    lesion_free=0.42,
    lesion_counts=(0.75, 0.18, 0.07),
    normal_training=True,
)


class Options(Sized):
    """Keys of this phantom."""
