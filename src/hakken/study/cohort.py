"""The part of a study that says where its cases come from: publication, case table, phantom."""

from __future__ import annotations

import math
import unicodedata
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, SerializeAsAny, field_validator, model_validator

from hakken.study.plugged import plugged
from hakken.study.section import Distinct, Name, Positive, Section, only_with

Part = str
"""A part of the cohort: one of `PARTS`, or a fold, `fold0` and so on."""
PARTS: tuple[Part, ...] = ("train", "validation", "test")
REGIONS = "regions"
"""The column of the case table that holds the regions of a case."""


OF_TABLE = ("columns", "openings", "reuse_opened", "distinct")
"""Keys without effect where cases come from no table."""
Question = Literal[
    "burnt_in",
    "enclosed",
    "far_pieces",
    "grey_rims",
    "ignore_label",
    "inverted",
    "large_lesions",
    "many_lesions",
    "outlines",
    "outside_content",
    "specks",
    "tiny_lesions",
    "twice",
    "voxel_indices",
]
"""What a truth may be asked about; see `hakken.imaging.truth_questions` and `table_questions`."""


def _composed_name(name: str) -> str:
    return unicodedata.normalize("NFC", name)


class Published(Section):
    """What the publication reports, to stand beside what was measured here."""

    citation: str = Field(description="Authors, title, year.")
    system: str = Field(description="The published system in one sentence.")
    result: str = Field(description="The published result, quoted.")
    unclear: str = Field(default="", description="What the publication leaves open about this result.")


class PartSizes(Section):
    """How many cases each part holds."""

    train: int = Field(ge=0, description="Training cases; 0 for methods that draw what they learn from.")
    validation: int = Field(ge=1, description="Validation cases.")
    test: int = Field(ge=1, description="Test cases, read only after the freeze.")


class PartFractions(Section):
    """Which fraction of the patients each part receives where the case table has no `split` column."""

    train: float = Field(default=0.6, gt=0, lt=1, description="Fraction of patients for training.")
    validation: float = Field(default=0.2, gt=0, lt=1, description="Fraction of patients for validation.")
    test: float = Field(default=0.2, gt=0, lt=1, description="Fraction of patients for the sealed test set.")

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if not math.isclose(self.train + self.validation + self.test, 1, abs_tol=1e-6):
            raise ValueError("train + validation + test must be 1")
        return self


class Phantom(Section):
    """A cohort that the package itself draws; further keys are those of its generator."""

    generator: str = Field(description="Which phantom draws the cases: a folder of `hakken/phantoms`.")
    cases: PartSizes = Field(description="Cases of each part.")

    @model_validator(mode="wrap")
    @classmethod
    def _as_its_generator_says(cls, content: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Read the keys by the model of the generator, which alone knows them."""
        if cls is not Phantom or not isinstance(content, dict) or not isinstance(content.get("generator"), str):
            return read(content)
        options: Self = plugged("phantoms", content["generator"]).Options.model_validate(content)
        return options

    @property
    def frames_of_a_patient(self) -> int:
        """How many cases in a row are the frames of one sequence, that is of one patient."""
        return 1

    @property
    def frequencies(self) -> dict[str, float] | None:
        """How frequent each class of lesion is, in any unit; None: as the generator's."""
        return None


class Cohort(Section):
    """Where the cases come from: a case table of your own, a phantom, or nowhere."""

    kind: Literal["images", "items", "none"] = Field(
        default="images",
        description="What a case is: `images`, which are registered and prepared; `items`, one or more files as they "
        "are, in the columns of `files`; `none`, a study without cases, whose method draws what it learns from.",
    )
    table: str | None = Field(default=None, description="Case table (CSV), relative to the working folder.")
    phantom: SerializeAsAny[Phantom] | None = Field(default=None, description="A phantom instead of a case table.")
    files: Distinct[Name] = Field(
        default=(), description="Columns of the case table that hold a file of each case, where cases are `items`."
    )
    truth: Literal["lesion_mask", "lesion_table", "label"] = Field(
        default="lesion_mask",
        description="The column of the case table that holds the truth: `lesion_mask` or `lesion_table`, a file of "
        "each case; or `label`, its class in a word, `none` where it is normal; where the lesions are is then unknown.",
    )
    classes: Distinct[str] = Field(
        default=(), description="The classes that lesions or cases are told apart by, as the truth spells them."
    )
    regions: Distinct[str] = Field(
        default=(),
        max_length=255,
        description="Organs or other regions of every case by name, as `[trunk, liver]`: a second truth, in the column "
        "`regions` of the case table. Region n of this list is n in the label image of a case, on the reference "
        "channel's grid; 0 is none of them.",
    )
    structures: Distinct[str] = Field(
        default=(),
        description="Which segments of a DICOM SEG or structures of an RTSTRUCT are the truth, by name, without regard "
        "to case; `*` stands for any letters (default: all).",
    )
    labels: Literal["instances", "binary"] = Field(
        default="instances",
        description="Lesion masks hold 0 and n for lesion n (`instances`), or 0 and 1, and 26-connected components "
        "(in flat images 8-connected) are the lesions (`binary`).",
    )
    mask_threshold: float | None = Field(
        default=None,
        gt=0,
        description="Voxels of a lesion mask from this value on are lesion: for masks saved as pictures whose rims are "
        "grey (128 of 255, say). Without it a mask of grey values is refused.",
        json_schema_extra=only_with(labels="binary"),
    )
    minimum_lesion_mm3: float = Field(
        default=0.0, ge=0, description="Lesions of a smaller volume count as excluded findings."
    )
    minimum_lesion_mm2: float = Field(
        default=0.0, ge=0, description="In flat images: lesions of a smaller area count as excluded findings."
    )
    minimum_lesion_px2: float = Field(
        default=0.0,
        ge=0,
        description="In pictures whose pixels have no known size: lesions of fewer pixels count as excluded findings.",
    )
    pixel_mm: Positive | Literal["file"] | None = Field(
        default=None,
        description="How large a pixel of a picture (PNG, JPEG, TIFF, BMP) is in mm, or `file` "
        "for what each file says. Without it lengths are in pixels, whatever the files say, and wherever a key of a "
        "study says mm it is px. DICOM, NIfTI and MetaImage files have sizes of their own.",
    )
    accept: Distinct[Question] = Field(
        default=(),
        description="Questions about the truth that have been looked into and are not asked again, by the names that "
        "`hakken check` gives them.",
    )
    fractions: PartFractions = Field(
        default=PartFractions(), description="Split by patient where the table has no `split` column."
    )
    columns: Distinct[str] = Field(
        default=(),
        description="Further columns of the case table that are kept, beside `site`, `scanner`, `sex`, `age` and those "
        "of `evaluation.strata`; no other is read, since it may hold personal data.",
    )
    openings: str | None = Field(
        default=None,
        description="Folder of the ledger of test openings and of the parts that were written down, relative to the "
        "working folder; `openings` beside the case table by default. All who work with these cases should share it.",
    )
    reuse_opened: str = Field(
        default="",
        description="The reason why cases that were once opened as test cases may train here, such as another task on "
        "the same cohort; every figure prints it. Without one it is an error.",
    )
    distinct: tuple[tuple[str, str], ...] = Field(
        default=(), description="Pairs of cases that look alike and are no duplicates: `[[c07, c19]]`."
    )

    @property
    def minimum_sizes(self) -> dict[str, float]:
        """The least size of a lesion that counts, by the unit that it is given in."""
        return {
            "mm3": self.minimum_lesion_mm3,
            "mm2": self.minimum_lesion_mm2,
            "px2": self.minimum_lesion_px2,
        }

    @field_validator("table")
    @classmethod
    def _plain_path(cls, table: str | None) -> str | None:
        if table is not None and set("{}") & set(table):
            raise ValueError(f"`{table}` holds signs with a meaning of their own in paths; rename it without {{ and }}")
        return table

    @field_validator("classes", "regions", "columns", "distinct")
    @classmethod
    def _composed(cls, names: Any) -> Any:
        """Return names as tables are read: composed letters (NFC), whichever way the study spells them."""
        return tuple(_composed_name(one) if isinstance(one, str) else tuple(map(_composed_name, one)) for one in names)

    @model_validator(mode="after")
    def _one_minimum(self) -> Self:
        given = [f"minimum_lesion_{unit}" for unit, value in self.minimum_sizes.items() if value]
        if len(given) > 1:
            raise ValueError(f"give one of {' and '.join(given)}: the cases are volumes or flat images, not both")
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = (self.table is not None) + (self.phantom is not None)
        if self.kind == "none":
            if sources or self.files:
                raise ValueError("`kind: none` has no cases; remove `table`, `phantom` and `files`")
        elif sources != 1:
            raise ValueError("give either `table` or `phantom`, not both and not neither")
        if self.table is None and (unused := [key for key in OF_TABLE if getattr(self, key)]):
            raise ValueError(f"`{unused[0]}` is of a case table, and this study has none; remove it")
        if self.regions and self.kind != "images":
            raise ValueError("`regions` are those of images; remove it")
        if (self.kind == "items") != bool(self.files):
            raise ValueError("`files` names the columns of cases that are `items`; give it with `kind: items` alone")
        return self
