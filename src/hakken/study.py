"""The study model: every key that a study file may hold, closed, typed, bounded and described.

A study file is YAML. Its top level holds the study as published; `scales` holds, for each scale, the keys that differ.
`hakken.studyfile.load_study` merges the two and validates the result. The JSON schema and the reference page of all
keys are generated from these classes, so a description here is the documentation.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from hakken.names import nearest
from hakken.study_cohort import (
    PARTS,
    Channel,
    Cohort,
    Part,
    PartFractions,
    PartSizes,
    Phantom,
    Published,
    Spacing,
)
from hakken.study_grid import Grid, Misregistration, Weights
from hakken.study_scaling import Scaling
from hakken.study_search import Comparison, Hyperparameters, Parameter, Search, WarmStart
from hakken.study_section import Name, Positive, Section
from hakken.study_sizes import Sizes
from hakken.study_tasks import (
    FIGURES,
    OBJECTIVES,
    OF_CASES,
    OF_MASKS,
    Figure,
    NetworkName,
    Task,
)
from hakken.study_training import Training

__all__ = [
    "PARTS",
    "Channel",
    "Cohort",
    "Comparison",
    "Evaluation",
    "Figure",
    "Grid",
    "Hyperparameters",
    "Inference",
    "Misregistration",
    "NetworkName",
    "Parameter",
    "Part",
    "PartFractions",
    "PartSizes",
    "Patches",
    "Phantom",
    "Preparation",
    "Published",
    "Registration",
    "Scaling",
    "Search",
    "Section",
    "Sizes",
    "Spacing",
    "Study",
    "Task",
    "Training",
    "WarmStart",
    "Weights",
]

Shrink = Annotated[int, Field(ge=1, le=64)]
HITS = r"distance|distance-inclusive|inside|fixed:(?=.*[1-9])(\d+\.?\d*|\.\d+)"
OPERATING = r"youden|(sensitivity|specificity):(0?\.\d*[1-9]\d*|1(\.0*)?)"


class Registration(Section):
    """How every channel is brought onto the reference channel."""

    method: Literal["none", "rigid", "affine", "bspline"] = Field(default="rigid", description="Transform model.")
    metric: Literal["mutual_information", "correlation", "mean_squares"] = Field(
        default="mutual_information", description="Similarity; Mattes mutual information across contrasts."
    )
    sampling: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Fraction of voxels that the metric looks at: at least 20,000 and at most 100,000 a level.",
    )
    shrink: tuple[Shrink, ...] = Field(
        default=(4, 2, 1), min_length=1, description="Shrink factor of each resolution level."
    )
    iterations: int = Field(default=100, ge=1, le=2000, description="Most iterations of each level.")
    mesh: int = Field(default=4, ge=1, le=32, description="B-spline mesh elements along each axis.")
    use_mask: bool = Field(default=False, description="Measure similarity inside the head or body mask only.")


class Preparation(Section):
    """The common grid and the mask in which patches are taken and candidates may lie."""

    spacing_mm: Spacing = Field(default=(1.0, 1.0, 1.0), description="Voxel size x, y, z of the common grid in mm.")
    mask: Literal["brain", "body", "nonzero", "none"] = Field(
        default="brain", description="Region of interest, found on the reference channel or on that of `mask_channel`."
    )
    mask_channel: Name | None = Field(
        default=None, description="The channel on which the region of interest is found (default: the reference)."
    )
    rim_mm: float = Field(
        default=0.0,
        ge=0,
        le=20,
        description="Rim of the mask that is left out again, at least one voxel along each axis: its voxels "
        "are partly bone or air. 0 keeps it.",
    )
    margin_mm: float = Field(default=4.0, ge=0, le=50, description="Margin around the mask kept when cropping.")


class Patches(Section):
    """Which patches are cut out and kept in the shards."""

    axes: Literal[2, 3] = Field(
        default=3, description="Axes of a patch: 3, or 2 for flat images and for axial slices of volumes."
    )
    size_voxel: int = Field(default=24, ge=4, le=512, description="Largest patch edge that a network may ask for.")
    margin_voxel: int = Field(default=4, ge=0, le=64, description="Extra border for augmentation, on each side.")
    positives_per_lesion: int = Field(default=8, ge=1, le=1000, description="Patches centred in each lesion.")
    jitter_voxel: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Positives are moved by up to so many voxels along each axis, so that a lesion may lie anywhere in "
        "its patch: for the task `segmentation`, where the middle of a patch must not give the lesion away.",
    )
    easy_negatives_per_case: int = Field(default=60, ge=0, le=100_000, description="Anywhere in the mask.")
    hard_negatives_per_case: int = Field(default=60, ge=0, le=100_000, description="On bright structures.")
    clearance_mm: float = Field(default=2.0, ge=0, le=50, description="Negatives keep this distance from lesions.")
    shard_mb: int = Field(default=256, ge=1, le=16_384, description="Size of one shard file.")


class Inference(Section):
    """How a trained network turns a case into candidates."""

    stride_voxel: int = Field(default=2, ge=1, le=16, description="Distance of the score map's points in voxels.")
    threshold: float = Field(
        default=0.1,
        gt=0,
        le=100,
        description="Scores below it are background: a probability, or z of `expectation_unet`; errors of "
        "reconstruction (`conv_autoencoder`) have none. Task `segmentation`: the probability from which on a voxel "
        "belongs to a lesion.",
    )
    samples: int = Field(
        default=8, ge=1, le=1000, description="Passes with dropout from which `expectation_unet` learns its own doubt."
    )
    least_inside: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of a patch that must lie inside the mask for its error to be judged (`conv_autoencoder`); 1 "
        "takes patches that lie wholly inside, and where a patch is as large as the image, the image as a whole.",
    )
    suppression_mm: float = Field(default=4.0, ge=0, le=100, description="Weaker candidates this near are dropped.")
    maximum_candidates: int = Field(default=100, ge=1, le=10_000, description="Most candidates of a case.")
    memory_mb: int = Field(default=1024, ge=64, le=65_536, description="Most memory of one forward pass.")


class Evaluation(Section):
    """What is measured on the candidates."""

    objective: Literal["froc", "roc"] | None = Field(
        default=None,
        description="What a training maximises on validation: `froc`, the partial AUC over lesions, or `roc`, the AUC "
        "of the cases. Default: `froc` for the task `detection`, `roc` for `anomaly`; other tasks have their own.",
    )
    hit: str = Field(
        default="distance",
        description="When a candidate hits a lesion: `distance` to its centre below its radius, `distance-inclusive` "
        "(or equal), `fixed:MM` (a fixed radius), or `inside` its mask.",
        json_schema_extra={"pattern": f"^({HITS})$"},
    )
    maximum_fp: float = Field(default=10.0, gt=0, description="Partial AUC up to so many false positives per case.")
    at: tuple[Positive, ...] = Field(default=(1.0, 3.0, 8.4), description="False positives per case to report at.")
    operating_point: float = Field(
        default=8.4, gt=0, description="False positives per case that choose the threshold on validation."
    )
    operating_rule: str = Field(
        default="youden",
        description="How the task `anomaly` chooses its threshold on the validation cases: `youden` (the highest "
        "Youden index), `sensitivity:0.9` (the highest threshold that reaches it) or `specificity:0.9` (the lowest "
        "that keeps it).",
        json_schema_extra={"pattern": f"^({OPERATING})$"},
    )
    bootstrap: int = Field(default=1000, ge=100, le=100_000, description="Resamples of the patients.")
    diameters_mm: tuple[Positive, ...] = Field(default=(5.0, 10.0), description="Borders of the diameter strata.")
    strata: tuple[Name, ...] = Field(default=("scanner",), description="Columns of the case table to stratify by.")

    @field_validator("hit")
    @classmethod
    def _known_rule(cls, hit: str) -> str:
        if not re.fullmatch(HITS, hit):
            known = ("distance", "distance-inclusive", "inside", "fixed:5")
            raise ValueError(f"use distance, distance-inclusive, inside or fixed:MM{nearest(hit, known)}")
        return hit

    @field_validator("operating_rule")
    @classmethod
    def _known_choice(cls, rule: str) -> str:
        if not re.fullmatch(OPERATING, rule):
            known = ("youden", "sensitivity:0.9", "specificity:0.9")
            raise ValueError(f"use youden, sensitivity:S or specificity:S with 0 < S <= 1{nearest(rule, known)}")
        return rule


class Study(Section):
    """One study at one scale."""

    name: Name = Field(description="Name of the study; its results stand in a folder of that name.")
    title: str = Field(default="", description="Title for figures and reports.")
    description: str = Field(default="", description="What is searched for, in which images, after whom.")
    scale: Name = Field(default="paper", description="Scale of this run; set by `scales`, printed on every figure.")
    data: str = Field(default="own data", description="What the images are, printed on every figure.")
    seed: int = Field(ge=0, description="All randomness of the study derives from it.")
    task: Task = Field(
        default="detection",
        description="What is asked of the images: `detection`, where lesions are, learnt from lesions; `anomaly`, "
        "whether a case is abnormal and where, learnt from lesion-free cases alone; `segmentation`, which voxels "
        "belong to lesions; `classification`, of which class a lesion or a case is.",
    )
    published: Published | None = Field(default=None, description="The published system and its result.")
    cohort: Cohort = Field(description="Where the cases come from.")
    channels: dict[Name, Channel] = Field(min_length=1, description="Images of a case, by column of the case table.")
    reference: Name = Field(description="The channel whose space the others are registered to.")
    registration: Registration = Field(default=Registration(), description="Registration to the reference channel.")
    preparation: Preparation = Field(default=Preparation(), description="Common grid and mask.")
    patches: Patches = Field(default=Patches(), description="Patches for training.")
    parameters: Hyperparameters = Field(default=Hyperparameters(), description="Defaults of all hyper-parameters.")
    search: Search = Field(default=Search(), description="The sweep.")
    training: Training = Field(default=Training(), description="One training.")
    scaling: Scaling | None = Field(
        default=None,
        description="One training timed with several numbers of processes: what the target `scaling` draws.",
    )
    inference: Inference = Field(default=Inference(), description="From network to candidates.")
    grid: Grid | None = Field(
        default=None, description="Networks compared under deliberate misregistration (task `classification`)."
    )
    evaluation: Evaluation = Field(default=Evaluation(), description="Measurements.")
    figures: tuple[Figure, ...] = Field(
        default_factory=lambda known: FIGURES[known.get("task", "detection")],
        description="Figures to draw. Default: froc, search, learnt, strata, overlays and registration of a detection "
        "study; roc, search, learnt and anomalies of an anomaly study; confusion, search, learnt and registration of a "
        "classification study.",
    )

    @property
    def source(self) -> tuple[str, str] | None:
        """Name and scale of the study that the search starts from, None where it starts from none."""
        start = self.search.warm_start
        return None if start is None else (start.study, start.scale or self.scale)

    @property
    def of_cases(self) -> bool:
        """Whether the ROC of the cases is what counts, and not the FROC of their lesions."""
        default = "roc" if self.task == "anomaly" else "froc"
        return (self.evaluation.objective or default) == "roc"

    @property
    def expects(self) -> bool:
        """Whether the network predicts one channel and its deviation from the others."""
        return self.training.network == "expectation_unet"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The channels that the network sees; the others are what it is to predict."""
        return tuple(name for name, channel in self.channels.items() if not channel.target)

    @property
    def objective(self) -> str:
        """What a training maximises on validation, in a few words."""
        if self.task in OBJECTIVES:
            return OBJECTIVES[self.task]
        return "AUC of the cases" if self.of_cases else "partial AUC"

    @property
    def objective_in_full(self) -> str:
        """The same with its limit, for the axis of a figure."""
        limited = self.task not in OBJECTIVES and not self.of_cases
        return f"{self.objective} up to {self.evaluation.maximum_fp:g} FP/case" if limited else self.objective

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.reference not in self.channels:
            known = f"only {', '.join(self.channels)}{nearest(self.reference, self.channels)}"
            raise ValueError(f"reference `{self.reference}` is no channel, {known}")
        masked = self.preparation.mask_channel
        if masked is not None and masked not in self.channels:
            known = f"only {', '.join(self.channels)}{nearest(masked, self.channels)}"
            raise ValueError(f"preparation.mask_channel `{masked}` is no channel, {known}")
        if self.source == (self.name, self.scale):
            raise ValueError("search.warm_start names this very study and scale; name another study or another scale")
        lacking = [figure for figure in self.figures if figure in OF_CASES and self.task != "anomaly"]
        if lacking:
            raise ValueError(f"the figure `{lacking[0]}` is one of the task `anomaly`; remove it from `figures`")
        foreign = [figure for figure in self.figures if figure in OF_MASKS and self.task != "segmentation"]
        if foreign:
            raise ValueError(f"the figure `{foreign[0]}` is one of the task `segmentation`; remove it from `figures`")
        if "confusion" in self.figures and self.task != "classification":
            raise ValueError("the figure `confusion` is one of the task `classification`; remove it from `figures`")
        if "grid" in self.figures and self.grid is None:
            raise ValueError("the figure `grid` needs the section `grid`; add it, or remove the figure")
        if self.grid is not None and self.task != "classification":
            raise ValueError("the section `grid` is one of the task `classification`; remove it")
        if not self.inputs:
            raise ValueError("every channel is a `target`; the network needs one to see")
        if self.patches.jitter_voxel and self.task != "segmentation":
            raise ValueError(
                "`patches.jitter_voxel` is for the task `segmentation`; elsewhere the centre is what counts"
            )
        self._check_sizes()
        return self

    def _check_sizes(self) -> None:
        levels, most = self.training.sizes.levels, self.parameters.poolings + 1
        if levels and max(levels) != most:
            raise ValueError(
                f"training.sizes.levels ends at {max(levels)}, but parameters.poolings {most - 1} gives {most} levels; "
                "the largest size is the whole network"
            )
        if levels and "poolings" in self.search.space:
            raise ValueError("training.sizes.levels says how deep the network is; do not search `poolings` as well")
