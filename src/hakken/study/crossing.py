"""Who is tested, who chooses and who trains where every case is predicted by a model that has not learnt from it.

Either by folds: the model of fold k is tested on it, chosen on the next one and trained on the others. Or by kinds: the
model of kind k is tested on all cases of that kind, and trained and chosen on those of the other kinds. Of each of
these some patients choose: a part `a_without_b` holds the patients of kind `a` on whom the model is chosen that does
without `b`; the models that do without any other kind learn from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hakken.study.cohort import Part
from hakken.study.evaluation import WITHOUT, Evaluation


@dataclass(frozen=True)
class Crossing:
    """The parts of a cohort, and of each fold those that its model is ``tested`` and chosen on (``choosing``)."""

    parts: tuple[Part, ...]
    tested: tuple[tuple[Part, ...], ...]
    choosing: tuple[tuple[Part, ...], ...]

    def learning(self, fold: int) -> tuple[Part, ...]:
        """Return the parts that the model of a fold learns from."""
        held_out = {*self.tested[fold], *self.choosing[fold]}
        return tuple(part for part in self.parts if part not in held_out)

    def of(self, part: str) -> tuple[Part, ...]:
        """Return the parts that `validation` stands for, those that choose some model; `train` and `test` are all."""
        chosen = {one for parts in self.choosing for one in parts}
        return tuple(one for one in self.parts if part != "validation" or one in chosen)


def crossing_of(evaluation: Evaluation) -> Crossing:
    """Return the folds of an evaluation.

    >>> from hakken.study.evaluation import LeaveOut
    >>> left = crossing_of(Evaluation(design="cross_validation", leave_out=LeaveOut(column="kind", values=("a", "b"))))
    >>> left.parts
    ('a', 'a_without_b', 'b', 'b_without_a')
    >>> left.tested[0], left.choosing[0], left.learning(0)
    (('a', 'a_without_b'), ('b_without_a',), ('b',))
    """
    if evaluation.leave_out is None:
        parts = tuple(f"fold{number}" for number in range(evaluation.folds))
        each = tuple((part,) for part in parts)
        return Crossing(parts, each, (*each[1:], each[0]))
    kinds = evaluation.leave_out.values
    own = {kind: (kind, *(chooser(kind, other) for other in kinds if other != kind)) for kind in kinds}
    return Crossing(
        parts=tuple(part for kind in kinds for part in own[kind]),
        tested=tuple(own[kind] for kind in kinds),
        choosing=tuple(tuple(chooser(kind, other) for kind in kinds if kind != other) for other in kinds),
    )


def chooser(kind: str, other: str) -> Part:
    """Return the part of patients of a ``kind`` who choose the model that does without the ``other`` kind."""
    return f"{kind}{WITHOUT}{other}"


def kind_of(part: Part) -> str:
    """Return the kind of the cases of a part.

    >>> kind_of("sarcoma"), kind_of("sarcoma_without_ms")
    ('sarcoma', 'sarcoma')
    """
    return part.partition(WITHOUT)[0]
