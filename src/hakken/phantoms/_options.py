"""Keys of a study that several phantoms have."""

from __future__ import annotations

from pydantic import Field

from hakken.study import Phantom, Spacing


class Sized(Phantom):
    """A phantom with an extent and a voxel size."""

    shape_mm: Spacing = Field(default=(150.0, 180.0, 130.0), description="Size of head, chest or frame x, y, z in mm.")
    spacing_mm: float = Field(default=1.0, ge=0.5, le=4, description="In-plane voxel size of the images in mm.")


class Moved(Sized):
    """A phantom whose channels lie apart, so that registration has something to find."""

    displacement_mm: float = Field(default=6.0, ge=0, le=20, description="Largest shift between channels in mm.")
    displacement_degrees: float = Field(default=5.0, ge=0, le=20, description="Largest rotation between channels.")
