"""One seed per study; every other seed derives from it, a role and indices."""

import hashlib


def derive_seed(seed: int, role: str, *indices: int | str) -> int:
    """Return a seed in [0, 2**32) that depends on the study's ``seed``, the ``role`` and the ``indices`` alone."""
    text = "/".join([str(seed), role, *map(str, indices)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
