"""Methods: what learns and predicts, each a folder.

The folder's own module loads no torch, for it is read whenever a study is. It holds

- ``Parameters``: the closed model of all that a search may vary, and of what the method is told besides;
- ``Inference``: the closed model of how a trained model is used on a case;
- ``NEEDS``: what the method learns from (`Needs`);
- ``OUTCOMES``: the outcomes that it predicts unless the study says otherwise; a training maximises the first;
- and where there is something to say: ``FURTHER`` (outcomes that it gives when asked), ``FIGURES`` (drawn unless the
  study says otherwise), ``AVERAGED`` (what several of its models are averaged in, where they can be: its learner is
  then a `hakken.training.method.Averaged` too) and ``problems(study)``, which yields what does not fit in a study of
  this method.

Its module ``learn`` holds the class ``Learner``, a `hakken.training.method.Method` or, without gradients, a `Fitted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Needs:
    """What a method learns from.

    ``cases``: the kinds of cohort that it knows. ``patches``: whether patches are cut for it beforehand, with ``maps``
    of the lesions beside the images. ``learns_from``: the training cases that it takes, the ``normal`` ones alone, or
    ``any``, of which some must have ``lesions``, or ``nothing`` where it draws what it learns from. ``targets``: how
    many channels it predicts from the others.
    ``optional``: whether it may be given channels that some cases lack.
    ``gradient``: whether it learns step by step, so that the section `training` means something. ``clicks``: whether it
    must be told where the lesions of a new case are.
    """

    cases: tuple[Literal["images", "items", "none"], ...] = ("images",)
    patches: bool = False
    maps: bool = False
    learns_from: Literal["lesions", "normal", "any", "nothing"] = "any"
    targets: int = 0
    optional: bool = True
    gradient: bool = True
    clicks: bool = False
