"""Method `imagenet_classifier`: of which class a lesion or an image is, by a network of the ImageNet years, fine-tuned.

Yamada et al., Dynamic contrast-enhanced computed tomography diagnosis of primary liver cancers using transfer learning
of pretrained convolutional neural networks, IJCARS 2019;14:1281-1290: three registered phases are the colours of one
crop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from hakken.methods import Needs
from hakken.study import Section, Study
from hakken.study.parameters import Optimised, Patched

NetworkName = Literal[
    "alexnet", "vgg16", "vgg19", "googlenet", "inception_v3", "resnet50", "resnet101", "efficientnet_lite0"
]
NEEDS = Needs(patches=True, learns_from="lesions", optional=False)  # pictures of three colours
OUTCOMES = ("classes",)
AVERAGED = "the probability of each class"


class Weights(Section):
    """A file of weights that a training starts from, and the SHA-256 that it must have."""

    path: str = Field(
        description="The file: a state dict as torchvision publishes them. Relative to the working folder, or where "
        "that has none, to the folder of installed packages."
    )
    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$", description="SHA-256 of the file, 64 hexadecimal digits.")


class Misregistration(Section):
    """How far the channels of a crop are moved against each other on purpose; which way depends on the case."""

    kind: Literal["shift", "rotation", "skew"] = Field(description="Shift in voxels, rotation or skew in degrees.")
    amount: float = Field(gt=0, le=45, description="How far, in voxels or degrees.")


class Parameters(Optimised, Patched):
    """What a search may vary, the network itself among it."""

    network: NetworkName = Field(default="resnet50", description="The network.")
    input_size: int = Field(
        default=224, ge=15, le=1024, description="Edge in pixels to which the network has crops resized."
    )
    weights: dict[NetworkName, Weights] = Field(
        default={}, description="Files of weights that these networks start from; the others start at random."
    )
    misregistration: Misregistration | None = Field(
        default=None, description="Deliberate misregistration, in training and afterwards; none by default."
    )


class Inference(Section):
    """How the classifier is used on a case: there is nothing to set."""


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit: classes, lesions or images that have one, and a composite of three channels."""
    labelled = study.cohort.truth == "label"
    remedies = {
        "cohort.classes: name two classes or more": len(study.cohort.classes) > 1,
        "cohort.truth: use `lesion_table`, whose column `class` says of which class a lesion is, or `label`, which "
        "says it of an image": labelled or study.cohort.truth == "lesion_table",
        "preparation.matrix: give columns and rows, so that every image is seen whole": not labelled
        or study.preparation.matrix is not None,
        "patches.axes: use 2, for crops are axial slices": study.patches.axes == 2,
        f"channels: give three for red, green and blue, not {len(study.inputs)}": len(study.inputs) == 3,
    }
    for remedy, kept in remedies.items():
        if not kept:
            yield f"the method `imagenet_classifier` does not fit {remedy}"
