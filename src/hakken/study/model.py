"""The study model: every key that a study file may hold, closed, typed, bounded and described.

A study file is YAML. Its top level holds the study as published; `scales` holds, for each scale, the keys that differ.
`hakken.study.reading.load_study` merges the two and validates the result. The sections `parameters` and `inference` are
those of the study's method, `outcomes` those of its outcomes, `cohort.phantom` that of its phantom: their models stand
with the code that uses them. The reference page of all keys is generated from these classes, so a description here is
the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Self

from pydantic import Field, ModelWrapValidatorHandler, SerializeAsAny, field_validator, model_validator

from hakken import plugins
from hakken.core.names import nearest
from hakken.study.beside import default_baselines
from hakken.study.cohort import PARTS, REGIONS, Cohort, Part, Published
from hakken.study.crossing import Crossing, crossing_of
from hakken.study.evaluation import Evaluation
from hakken.study.images import REGION, Channel, Patches, Preparation, Registration, presence_of
from hakken.study.plugged import plugged, read_section
from hakken.study.scalars import BodyRegions, Scalar
from hakken.study.scaling import Scaling
from hakken.study.search import Search, check_space
from hakken.study.section import Distinct, Name, Section
from hakken.study.training import Training
from hakken.study.variants import Label, VariantSet

OWN_DATA = "own data"
ALWAYS_KEPT = ("site", "scanner", "sex", "age")
OF_CASES = {"case_id", "patient", "split", *ALWAYS_KEPT, "lesion_mask", "lesion_table", "label"}
"""Columns of a case table that are no channel."""
OF_IMAGES = ("channels", "scalars", "body_regions", "reference", "registration", "preparation", "patches")
"""Sections that a study has whose cases are images."""


class Study(Section):
    """One study at one scale."""

    name: Name = Field(description="Name of the study; its results stand in a folder of that name.")
    title: str = Field(default="", description="Title for figures and reports.")
    description: str = Field(default="", description="What is searched for, in which images, after whom.")
    scale: Name = Field(default="paper", description="Scale of this run; set by `scales`, printed on every figure.")
    data: str = Field(
        default=OWN_DATA,
        description="What the images are, printed on every figure; of a phantom it says so in any case.",
    )
    seed: int = Field(ge=0, description="All randomness of the study derives from it.")
    method: str | None = Field(default=None, description="What learns and predicts: a folder of `hakken/methods`.")
    published: Published | None = Field(default=None, description="The published system and its result.")
    cohort: Cohort = Field(description="Where the cases come from.")
    channels: dict[Name, Channel] = Field(default={}, description="Images of a case, by column of the case table.")
    scalars: dict[Name, Scalar] = Field(
        default={},
        description="Numbers and words of a case that the method sees as channels of one value, by column of the case "
        "table.",
    )
    body_regions: BodyRegions | None = Field(
        default=None, description="Named regions of the body in which candidates are told and measured apart."
    )
    reference: str = Field(
        default="", description="The channel whose space the others are registered to; the first by default."
    )
    registration: Registration = Field(default=Registration(), description="Registration to the reference channel.")
    preparation: Preparation = Field(default=Preparation(), description="Common grid and mask.")
    patches: Patches = Field(default=Patches(), description="Patches for training.")
    parameters: SerializeAsAny[Section] = Field(
        default=Section(), description="The method's parameters: the untuned default of the search."
    )
    search: Search = Field(default=Search(), description="The sweep.")
    training: Training = Field(default=Training(), description="One training.")
    scaling: Scaling | None = Field(
        default=None,
        description="One training timed with several numbers of processes: what the target `scaling` draws.",
    )
    variants: dict[Label, VariantSet] = Field(
        default={}, description="Sets of variants of the study, each trained beside it with the untuned default."
    )
    inference: SerializeAsAny[Section] = Field(
        default=Section(), description="How the method's trained model is used on a case."
    )
    outcomes: dict[str, SerializeAsAny[Section]] = Field(
        default={}, description="What is predicted and measured, by name; by default what the method gives."
    )
    baselines: Distinct[str] = Field(
        default=(),
        description="What has learnt nothing and is predicted and measured beside the models; by default what the "
        "outcome that the models are chosen by names.",
    )
    without_baseline: str = Field(
        default="",
        description="Why no baseline stands beside the models: printed in summary and report. Without a reason there "
        "is one wherever a baseline fits the outcome.",
    )
    evaluation: Evaluation = Field(default=Evaluation(), description="Measurements.")
    figures: Distinct[str] = Field(
        default=(), description="Figures to draw; by default those of the method or of its outcomes."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _by_its_method(cls, content: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Read the method's own sections by its models, and fill in what it says where the study is silent."""
        if not isinstance(content, dict):
            return read(content)
        content = {key: value for key, value in content.items() if key != "versions"}  # of a slice
        channels = content.get("channels")
        if isinstance(channels, dict) and channels and not content.get("reference"):
            content = content | {"reference": str(next(iter(channels)))}
        if content.get("method") is None:
            return read(content)
        if not isinstance(content["method"], str):
            raise ValueError("`method` must be a name")
        module = plugged("methods", content["method"])
        named = content.get("outcomes") or {name: {} for name in module.OUTCOMES}
        filled: dict[str, Any] = {
            "parameters": read_section(module.Parameters, content.get("parameters", {}), "parameters"),
            "inference": read_section(module.Inference, content.get("inference", {}), "inference"),
            "outcomes": named,
        }
        if "baselines" not in content and not content.get("without_baseline"):
            filled["baselines"] = _baselines_of(content | filled)
        return read(content | filled)

    @field_validator("outcomes", mode="before")
    @classmethod
    def _by_their_models(cls, named: Any) -> Any:
        if not isinstance(named, dict):
            return named
        return {
            name: given
            if isinstance(given, Section)
            else read_section(plugged("outcomes", str(name)).Settings, given or {}, str(name))
            for name, given in named.items()
        }

    @property
    def images(self) -> str:
        """What the images are, on every figure: that they are a phantom is a fact of the cohort, whatever is said."""
        if not self.of_phantom:
            return self.data
        said = self.data if self.data != OWN_DATA else "phantom"
        return said if said.casefold().startswith("phantom") else f"phantom ({said})"

    @property
    def case_columns(self) -> tuple[str, ...]:
        """The columns of the case table that are kept beside ids, files and truth: what the study asks for by name."""
        asked = [name for settings in self.outcomes.values() for name in getattr(settings, "case_columns", ())]
        left = self.evaluation.leave_out
        kinds = (left.column,) if left is not None else ()
        named = (*self.evaluation.strata, *kinds, *self.cohort.columns, *self.scalars, *asked)
        return tuple(dict.fromkeys((*ALWAYS_KEPT, *named)))

    @property
    def source(self) -> tuple[str, str] | None:
        """Name and scale of the study that the search starts from, None where it starts from none."""
        start = self.search.warm_start
        return None if start is None else (start.study, start.scale or self.scale)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The channels that the method sees; the others are what it is to predict."""
        return tuple(name for name, channel in self.channels.items() if not channel.target)

    @property
    def targets(self) -> tuple[str, ...]:
        """The channels that the method is to predict from the others."""
        return tuple(name for name, channel in self.channels.items() if channel.target)

    @property
    def optional(self) -> tuple[str, ...]:
        """The channels that a case may lack."""
        return tuple(name for name, channel in self.channels.items() if channel.optional)

    @property
    def layers(self) -> tuple[str, ...]:
        """What a prepared case holds: its channels, where each of the optional ones was measured, its scalars."""
        return (*self.channels, *map(presence_of, self.optional), *self.scalars)

    @property
    def seen(self) -> tuple[str, ...]:
        """What the method sees of a prepared case."""
        return (*self.inputs, *map(presence_of, self.optional), *self.scalars)

    @property
    def strata(self) -> tuple[str, ...]:
        """What is measured apart: columns of the case table, and cases with and without an optional channel."""
        return (*self.evaluation.strata, *self.optional)

    @property
    def names_classes(self) -> bool:
        """Whether the lesions of masks have classes, which a table of the lesions gives beside each mask."""
        return bool(self.cohort.classes) and self.cohort.truth == "lesion_mask" and self.cohort.kind == "images"

    @property
    def of_phantom(self) -> bool:
        """Whether the cases are drawn by the package itself."""
        return self.cohort.phantom is not None

    @property
    def crossed(self) -> bool:
        """Whether every case is predicted by a model that has not seen it: of the other folds, or of other kinds."""
        return self.evaluation.design == "cross_validation"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the cohort; its folds where every case is predicted by a model of the other folds."""
        return self.crossing.parts if self.crossed else PARTS

    @property
    def crossing(self) -> Crossing:
        """Who is tested, who chooses and who trains where every case is predicted by a model that has not seen it."""
        return crossing_of(self.evaluation)

    @property
    def objective(self) -> str:
        """The outcome whose number a training maximises on validation."""
        return self.evaluation.objective or next(iter(self.outcomes))

    @property
    def drawn(self) -> tuple[str, ...]:
        """The figures of the study, by name."""
        return self.figures or tuple(default_figures(self))

    @property
    def other_methods(self) -> tuple[str, ...]:
        """The methods that variants name beside that of the study, each once."""
        return tuple(dict.fromkeys(name for one in self.variants.values() for name in one.methods))

    def named(self) -> dict[plugins.Kind, tuple[str, ...]]:
        """Return all that the study names and other folders hold."""
        phantom = self.cohort.phantom
        return {
            "methods": (self.method,) if self.method else (),
            "phantoms": (phantom.generator,) if phantom else (),
            "outcomes": tuple(self.outcomes),
            "baselines": self.baselines,
            "figures": self.drawn if self.method else (),
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for problem in _misfits(self):
            raise ValueError(problem)
        return self


def _baselines_of(content: dict[str, Any]) -> tuple[str, ...]:
    """Return the baselines of what is read as a study and names none; nothing where it is not yet known to be one."""
    cohort, evaluation = (content.get(key) for key in ("cohort", "evaluation"))
    kind = cohort.get("kind", "images") if isinstance(cohort, dict) else getattr(cohort, "kind", "images")
    asked = evaluation.get("objective") if isinstance(evaluation, dict) else getattr(evaluation, "objective", None)
    outcome = asked or next(iter(content["outcomes"]), None) if isinstance(content["outcomes"], dict) else None
    return default_baselines(str(outcome), str(kind)) if outcome in plugins.names("outcomes") else ()


def default_figures(study: Study) -> Iterator[str]:
    """Yield the figures of a study that names none: those of its method, or of its outcomes."""
    if study.method is None:
        return
    of_method: tuple[str, ...] | None = getattr(plugged("methods", study.method), "FIGURES", None)
    if of_method is not None:
        yield from of_method
        return
    first, *more = [name for outcome in study.outcomes for name in plugged("outcomes", outcome).FIGURES] or [""]
    yield from filter(None, dict.fromkeys((first, "search", *(("learnt",) if study.search.space else ()), *more)))
    if len(study.channels) > 1 and study.registration.method != "none":
        yield "registration"


def _misfits(study: Study) -> Iterator[str]:
    """Yield what does not fit between the sections of a study, or of the part of one that a stage is given."""
    for key, name in (("reference", study.reference), ("preparation.mask_channel", study.preparation.mask_channel)):
        if name and study.channels and name not in study.channels:
            yield f"{key} `{name}` is no channel, only {', '.join(study.channels)}{nearest(name, study.channels)}"
    yield from _misnamed_columns((*study.channels, *study.cohort.files))
    if study.preparation.mask == "given" and REGION in study.channels:
        yield f"preparation.mask is `given` in the column `{REGION}`, which is a channel; call the channel otherwise"
    if study.preparation.mask == "given" and study.of_phantom:
        yield "preparation.mask is `given`, but a phantom brings no mask; name one that is found, such as `body`"
    if study.cohort.regions and REGIONS in study.channels:
        yield f"cohort.regions stand in the column `{REGIONS}`, which is a channel; call the channel otherwise"
    if study.names_classes and study.cohort.labels == "binary":
        yield (
            "cohort.labels is `binary`, but the classes of `cohort.classes` belong to lesions by their numbers in the "
            "mask; write n for lesion n and set `labels: instances`"
        )
    if study.source == (study.name, study.scale):
        yield "search.warm_start names this very study and scale; name another study or another scale"
    if study.channels and not study.inputs:
        yield "every channel is a `target`; the method needs one to see"
    yield from _misfits_of_optional(study)
    yield from _misfits_of_scalars(study)
    if study.method is not None:
        yield from _misfits_of_method(study, plugged("methods", study.method))


def _misfits_of_optional(study: Study) -> Iterator[str]:
    """Yield optional channels that something else rests on."""
    if study.reference in study.optional:
        yield (
            f"channels.{study.reference} is `optional`, but it is the reference that all others are registered to; "
            "name as `reference` a channel that every case has"
        )
    if study.preparation.mask_channel in study.optional:
        yield (
            f"channels.{study.preparation.mask_channel} is `optional`, but preparation.mask_channel finds the region "
            "of interest on it; name a channel there that every case has"
        )
    if study.inputs and set(study.inputs) <= set(study.optional):
        yield "every channel that the method sees is `optional`; it needs one that every case has"
    for name in study.optional:
        if presence_of(name) in study.channels:
            yield (
                f"channels.{presence_of(name)}: this name says where the optional channel `{name}` was measured; "
                "call the channel otherwise"
            )


def _misfits_of_scalars(study: Study) -> Iterator[str]:
    """Yield scalars that cannot be told from channels, and regions of the body that nothing shows."""
    for name in study.scalars:
        if name in (*study.channels, *map(presence_of, study.optional)):
            yield f"scalars.{name}: a channel has this name; call one of them otherwise"
        if name in OF_CASES - set(ALWAYS_KEPT):
            yield f"scalars.{name}: a column of the case table with a meaning of its own; take another name"
    regions = study.body_regions
    if regions is not None and study.channels:
        channel = study.channels.get(regions.channel)
        if channel is None:
            there = f"only {', '.join(study.channels)}{nearest(regions.channel, study.channels)}"
            yield f"body_regions.channel `{regions.channel}` is no channel, {there}"
        elif (channel.modality, channel.normalise, channel.optional) != ("ct", "window", False):
            yield (
                f"body_regions.channel `{regions.channel}`: regions are found in Hounsfield units; name a channel of "
                "`modality: ct` with `normalise: window` that every case has"
            )
    if study.patches.spread == "regions" and regions is None and study.channels:
        yield "patches.spread is `regions`, and the study names none; give it `body_regions`"


def _misnamed_columns(names: Sequence[str]) -> Iterator[str]:
    """Yield files of a case that cannot be told from other columns of a case table, or from each other on some disk."""
    for place, name in enumerate(names):
        if name.casefold() in OF_CASES:
            yield f"`{name}` is a column of the case table with a meaning of its own; take another name"
        twin = next((other for other in names[:place] if other.casefold() == name.casefold()), None)
        if twin is not None:
            yield f"`{twin}` and `{name}` differ in capitals alone, which not every disk tells apart; rename one"


def _misfits_of_method(study: Study, module: ModuleType) -> Iterator[str]:
    try:
        check_space(study.search.space, module.Parameters, str(study.method))
    except ValueError as error:
        yield f"search.space: {error}"
    if study.search.ensemble > 1 and not getattr(module, "AVERAGED", ""):
        yield f"search.ensemble: models of the method `{study.method}` cannot be averaged; remove it"
    gives = (*module.OUTCOMES, *getattr(module, "FURTHER", ()))
    for outcome in study.outcomes:
        if outcome not in gives:
            known = f"it gives {', '.join(gives)}{nearest(outcome, gives)}"
            yield f"outcomes: the method `{study.method}` gives no {outcome}; {known}"
    objective = study.evaluation.objective
    if objective is not None and objective not in study.outcomes:
        known = f"the study has {', '.join(study.outcomes)}{nearest(objective, study.outcomes)}"
        yield f"evaluation.objective: `{objective}` is no outcome of the study; {known}"
