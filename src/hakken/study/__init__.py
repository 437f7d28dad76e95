"""The closed study model, one file a section; how a study file is read, cut into parts, and documented."""

from hakken.study.cohort import PARTS, REGIONS, Cohort, Part, PartFractions, PartSizes, Phantom, Published
from hakken.study.evaluation import Evaluation
from hakken.study.images import REGION, Channel, Patches, Preparation, Registration, presence_of
from hakken.study.model import Study
from hakken.study.scalars import BODY_REGIONS, BodyRegions, Scalar
from hakken.study.scaling import Scaling
from hakken.study.search import Comparison, Parameter, Search, WarmStart
from hakken.study.section import Distinct, Name, Positive, Section, Spacing, Value, only_with
from hakken.study.training import Training
from hakken.study.variants import VariantSet

__all__ = [
    "BODY_REGIONS",
    "PARTS",
    "REGION",
    "REGIONS",
    "BodyRegions",
    "Channel",
    "Cohort",
    "Comparison",
    "Distinct",
    "Evaluation",
    "Name",
    "Parameter",
    "Part",
    "PartFractions",
    "PartSizes",
    "Patches",
    "Phantom",
    "Positive",
    "Preparation",
    "Published",
    "Registration",
    "Scalar",
    "Scaling",
    "Search",
    "Section",
    "Spacing",
    "Study",
    "Training",
    "Value",
    "VariantSet",
    "WarmStart",
    "only_with",
    "presence_of",
]
