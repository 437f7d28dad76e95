"""Method `expectation`: predict one channel from the others, and find where it shows more than predicted.

Nakao et al., Anomaly detection in chest 18F-FDG PET/CT by Bayesian deep learning, Jpn J Radiol 2022;40:730-739: a U-Net
learns from cases without disease alone to predict mean and standard deviation of the uptake from a CT slice. What lies
too many standard deviations above the mean is a candidate. Cases with disease are needed for validation only.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator

from hakken.methods import Needs
from hakken.study import Section, Study
from hakken.study.parameters import Convolutional, Optimised, Patched
from hakken.study.section import OF_VALIDATION

NEEDS = Needs(patches=True, learns_from="normal", targets=1)
OUTCOMES = ("candidates", "expectations")
FURTHER = ("case_scores",)
AVERAGED = "the expected distribution of each voxel, as a mixture"
FIGURES = ("froc", "calibration", "expectations", "search", "learnt")
WITH_SHARES = ("window", "percentile")
"""How a channel is normalised where 0 and 1 are the ends of a window."""


class Parameters(Optimised, Patched, Convolutional):
    """What a search may vary: a U-Net of `poolings` + 1 levels of `convolutions` each."""

    beta: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Each voxel's loss counts sigma^(2 beta) times (beta-NLL, Seitzer et al. 2022): 0 is the "
        "likelihood itself, under which a wide deviation, once predicted, keeps the mean from being learnt; "
        "0.5 is what they advise.",
    )
    windows: tuple[tuple[float, float], ...] = Field(
        default=(),
        description="Further windows of the first channel that is seen, in shares of its own: each, [low, high], is a "
        "channel more. Of CT from -1000 to 1000 HU, [0.425, 0.625] is that of soft tissue, -150 to 250 HU.",
    )
    recalibrate: Literal["none", "regions", "deviation"] = Field(
        default="none",
        description="Whether z is made standard normal on the validation cases without lesions, frozen with the model: "
        "in each of the study's `body_regions`, or as a function of the predicted standard `deviation`. The "
        "uncorrected calibration is measured beside it.",
        json_schema_extra=OF_VALIDATION,
    )

    @field_validator("windows")
    @classmethod
    def _low_and_high(cls, windows: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        for low, high in windows:
            if not 0 <= low < high <= 1:
                raise ValueError(f"[{low:g}, {high:g}] is no window; give [low, high] with 0 <= low < high <= 1")
        return windows


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit in a study of this method."""
    if getattr(study.parameters, "recalibrate", "none") == "regions" and study.body_regions is None:
        yield "parameters.recalibrate is `regions`, and the study has no `body_regions`; name them, or use `deviation`"
    first = next(iter(study.inputs), None)
    if getattr(study.parameters, "windows", ()) and first and study.channels[first].normalise not in WITH_SHARES:
        yield (
            f"parameters.windows: are shares of the window of the channel {first}, which has none with `normalise: "
            f"{study.channels[first].normalise}`; use `window` or `percentile` there, or leave them out"
        )


class Inference(Section):
    """How what is expected is used on a case."""

    threshold: float = Field(
        default=3.0, gt=0, le=100, description="Least z, in standard deviations, of a candidate; see `tolerance`."
    )
    tolerance: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="A standard deviation, in shares of the target's window, that candidates are allowed besides the "
        "predicted one: they are scored and cut at `threshold` by (y - mean) / sqrt(sigma^2 + tolerance^2) instead of "
        "z, so that what is much above in deviations and hardly in uptake stands back. Calibration is that of z.",
    )
    frame: bool = Field(
        default=False,
        description="Whether a slice that is smaller than a patch is seen in an empty frame as large as one. Maps are "
        "normalised over all that is seen, and the network has learnt from patches, which hold more emptiness around "
        "a body than a slice that is cropped to it: without the frame the mean of z may be biased.",
    )
    samples: int = Field(
        default=8, ge=1, le=1000, description="Passes with dropout; their spread is the uncertainty of the network."
    )
    maximum_candidates: int = Field(default=100, ge=1, le=10_000, description="Most candidates of a case.")
    memory_mb: int = Field(default=1024, ge=64, le=65_536, description="Most memory of one forward pass.")
