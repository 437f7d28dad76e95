"""The runs of a study: all its trainings as one table.

Each run has a folder `results/<study>/<scale>/sweeps/<name>` with a ledger and its trials. `search` proposes over the
study's space; `default` trains the study's own parameters once. A run of `variants` trains the study with some keys
changed, once, or once for each fold; `processes-4` trains the default with four processes (`scaling`); `n4-r1` is a
search of its own with four trainings at once, repeat 1 of the comparison, and `random-r0` is random search. With
`evaluation.design: cross_validation` search and default stand there once for each fold, as `search-f0` and so on.
`confirm` trains the best trials of `search` again, with other seeds (`search.confirm`).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.runs.choice import FURTHER_SEEDS
from hakken.runs.overrides import overridden
from hakken.study import Study
from hakken.study.section import rests_on_validation

SELECTED = "selected"
SEARCH = "search"
DEFAULT = "default"
CONFIRM = "confirm"
RANDOM = "random"
SHARED = "shared"
"""The folder of the trainings that a run takes over from another, and the rule that does it."""
PROCESSES = "processes"
ALONE = "alone"
"""The slots of runs that need the machine to themselves."""


PLANNED = ("trials", "slots", "stop_after_failures", "slots_of")
"""What a run is planned with and its trainings do not depend on."""


@dataclass(frozen=True)
class Run:
    """One run: how many trials it has, how many at once, who proposes, and what differs from the study.

    ``space`` says whether it searches; one that does not trains the study's own parameters, changed by ``overrides``
    (dotted keys). ``stream`` is what its random numbers derive from. ``fold`` is held out: one of so many ``folds`` of
    the development cases, or of the whole cohort, where that is ``crossed``. ``levels`` are those of the variant, by
    factor; ``set_name`` is the set that it is of. ``confirms`` names the run whose best trials it trains again.
    ``slots_of`` names the runs that share its slots.
    """

    name: str
    trials: int = 1
    slots: int = 1
    sampler: str = RANDOM
    space: bool = False
    stop_after_failures: int = 10
    stream: str = DEFAULT
    overrides: Mapping[str, Any] = field(default_factory=dict)
    fold: int | None = None
    folds: int | None = None
    crossed: bool = False
    set_name: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)
    slots_of: str = SEARCH
    begins_with_default: bool = False
    confirms: str = ""

    @property
    def kind(self) -> str:
        """The name without its fold."""
        return self.name if self.fold is None else self.name.removesuffix(f"-f{self.fold}")

    def as_dict(self) -> dict[str, Any]:
        """Return what its trainings depend on as plain values: not how many there are, nor how many run at once."""
        left_out = PLANNED if self.confirms else (*PLANNED, "confirms")
        return {key: value for key, value in asdict(self).items() if key not in left_out}

    def study(self, study: Study, whole: bool = False) -> Study:
        """Return the study, or the part of one, as this run trains it; see `overridden`."""
        return overridden(study, self.overrides, self.name, whole)


def runs_of(study: Study) -> tuple[Run, ...]:
    """Return all runs of a study, those that only some targets need among them.

    Raises HakkenError where two have one name, or a set of variants has a name that stands for something else.
    """
    for name in study.variants:
        if name in (SEARCH, DEFAULT, SELECTED, CONFIRM, *study.baselines):
            raise HakkenError(
                f"study `{study.name}`: variants.{name}: this name stands for something else; choose another"
            )
    found = (*main_runs(study), *variant_runs(study), *scaling_runs(study), *comparison_runs(study))
    for name, count in Counter(run.name for run in found).items():
        if count > 1:
            raise HakkenError(
                f"study `{study.name}`: {count} of its runs are named `{name}`; give the set of variants or the level "
                "another name"
            )
    return found


def run_named(study: Study, name: str) -> Run:
    """Return the run ``name`` of a study; raises HakkenError naming the runs that there are."""
    known = {run.name: run for run in runs_of(study)}
    if name not in known:
        raise HakkenError(
            f"study `{study.name}` has no sweep `{name}`{nearest(name, known)}; there are {', '.join(known)} "
            "(key `search.comparison` adds those that compare numbers of slots)"
        )
    return known[name]


def main_runs(study: Study) -> tuple[Run, ...]:
    """Return the search, the untuned default and the run that confirms, of each fold where all cases are crossed."""
    return tuple(itertools.chain.from_iterable(_main(study, fold) for fold in folds_of(study)))


def folds_of(study: Study) -> tuple[int | None, ...]:
    """Return the folds of a study whose every case is predicted by a model of the others; (None,) of any other."""
    return tuple(range(study.evaluation.models)) if study.crossed else (None,)


def name_of(run: str, fold: int | None) -> str:
    """Return the name of the search or the default of a fold.

    >>> name_of("search", None), name_of("search", 2)
    ('search', 'search-f2')
    """
    return run if fold is None else f"{run}-f{fold}"


def _main(study: Study, fold: int | None) -> Iterator[Run]:
    search = study.search
    shared = {
        "slots": search.slots,
        "stop_after_failures": search.stop_after_failures,
        "fold": fold,
        "crossed": study.crossed,
    }
    yield Run(
        name_of(SEARCH, fold),
        trials=search.trials if search.space else 1,
        sampler=search.sampler if search.space else RANDOM,
        space=bool(search.space),
        stream=name_of(SEARCH, fold) if search.space else name_of(DEFAULT, fold),
        begins_with_default=search.default_first,
        **shared,  # type: ignore[arg-type]
    )
    if search.space:  # without one the search trains the default itself
        yield Run(name_of(DEFAULT, fold), stream=name_of(DEFAULT, fold), **shared)  # type: ignore[arg-type]
    if search.confirm and search.space:
        name = name_of(CONFIRM, fold)
        trials = search.confirm * FURTHER_SEEDS
        yield Run(name, trials=trials, stream=name, confirms=name_of(SEARCH, fold), **shared)  # type: ignore[arg-type]


def variant_runs(study: Study) -> tuple[Run, ...]:
    """Return the runs of all sets of variants: every combination of levels, and of each every fold."""
    return tuple(run for name in study.variants for run in runs_of_set(study, name))


def runs_of_set(study: Study, name: str) -> tuple[Run, ...]:
    """Return the runs of one set of variants.

    Raises HakkenError where a set asks for folds of its own and all cases of the study are crossed already.
    """
    chosen = study.variants[name]
    if study.crossed and chosen.folds is not None:
        raise HakkenError(
            f"study `{study.name}`: variants.{name}.folds has no effect: with `evaluation.design: cross_validation` "
            "each variant is trained in every fold of the cohort; remove it"
        )
    found: list[Run] = []
    for combination in itertools.product(*(levels.items() for levels in chosen.levels.values())):
        levels = dict(zip(chosen.levels, (level for level, _ in combination), strict=True))
        overrides = dict(chosen.common)
        for _, changed in combination:
            overrides |= changed
        found += _in_folds_of_set(study, name, "-".join([name, *levels.values()]), overrides, levels)
    for label, changed in chosen.beside.items():
        found += _in_folds_of_set(study, name, f"{name}-{label}", changed, {})
    return tuple(found)


def _in_folds_of_set(
    study: Study, name: str, label: str, overrides: Mapping[str, Any], levels: Mapping[str, str]
) -> Iterator[Run]:
    """Yield the run of one variant of a set, or its runs in all folds."""
    chosen = study.variants[name]
    for key in ("training.keep", "training.patience"):
        if chosen.folds and key in overrides:
            raise HakkenError(
                f"study `{study.name}`: variants.{name}: {key} has no effect beside `folds`: a fold that is held out "
                "decides nothing, it is measured once at the end; remove it"
            )
    for key in _of_validation(study, overrides) if chosen.folds else ():
        raise HakkenError(
            f"study `{study.name}`: variants.{name}: {key} rests on validation cases, and with `folds` there are none "
            "but those of the fold that is held out, which decides nothing; remove `folds`, or leave that key out"
        )
    shared: dict[str, Any] = {
        "slots": study.search.slots,
        "stop_after_failures": study.search.stop_after_failures,
        "overrides": {**(_without_choice(study, overrides) if chosen.folds else {}), **overrides},
        "set_name": name,
        "levels": levels,
        "crossed": study.crossed,
    }
    for fold in folds_of(study) if chosen.folds is None else range(chosen.folds):
        own = name_of(label, fold)
        yield Run(own, stream=own if chosen.folds else name_of(DEFAULT, fold), fold=fold, folds=chosen.folds, **shared)


def _of_validation(study: Study, overrides: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the parameters of a variant by which something of a model is fitted to validation cases."""
    method = str(overrides.get("method", study.method))
    section = plugins.load("methods", method).Parameters
    for name, entry in section.model_fields.items():
        own = getattr(study.parameters, name, entry.default) if method == study.method else entry.default
        if rests_on_validation(section, name) and overrides.get(f"parameters.{name}", own) != entry.default:
            yield f"parameters.{name}"


def _without_choice(study: Study, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a training that a held-out fold decides nothing about: it is measured once, at its end."""
    if not plugins.load("methods", str(overrides.get("method", study.method))).NEEDS.gradient:
        return {}
    steps = overrides.get("training.steps", study.training.steps)
    return {"training.keep": "last", "training.validate_every": steps, "training.patience": steps}


def scaling_runs(study: Study) -> tuple[Run, ...]:
    """Return the runs that time the untuned default with several numbers of processes; none without `scaling`.

    They share one slot: each is to have the machine to itself.
    """
    if study.scaling is None:
        return ()
    found = []
    for number in study.scaling.processes:
        nodes, each = study.scaling.layout(number)
        whole = {
            "training.nodes": nodes,
            "training.gpus_per_node": each,
            "training.patience": study.training.steps,
        }
        limit = study.search.stop_after_failures
        found.append(Run(f"{PROCESSES}-{number}", stop_after_failures=limit, overrides=whole, slots_of="scaling"))
    return tuple(found)


def comparison_runs(study: Study) -> tuple[Run, ...]:
    """Return all runs of `search.comparison`, those of random search last; none where the study has no such key.

    Random search has as many slots as the widest of the others: how many run at once changes nothing but its time.
    Repeat r begins with the same points and trains with the same seeds whatever the slots, so that a difference between
    numbers of slots is none between their luck.
    """
    wanted = study.search.comparison
    if wanted is None:
        return ()
    widest = max(wanted.slots)
    kinds = [(f"n{slots}", slots, study.search.sampler) for slots in wanted.slots] + [(RANDOM, widest, RANDOM)]
    return tuple(
        Run(
            f"{name}-r{repeat}",
            trials=wanted.trials,
            slots=slots,
            sampler=sampler,
            space=True,
            stop_after_failures=study.search.stop_after_failures,
            stream=f"r{repeat}",
            slots_of=f"{name}-r{repeat}",
        )
        for name, slots, sampler in kinds
        for repeat in range(wanted.repeats)
    )
