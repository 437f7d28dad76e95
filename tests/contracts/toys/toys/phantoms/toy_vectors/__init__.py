"""Vectors of eight numbers, those of abnormal cases moved."""

from pydantic import Field

from hakken.phantoms import Law
from hakken.study import Phantom

LENGTH = 8
LAW = Law(images="no image", lesion_free=0.5, draws="items")


class Options(Phantom):
    """Keys of this phantom."""

    moved: float = Field(default=2.0, ge=0, description="By how much abnormal vectors are moved.")
