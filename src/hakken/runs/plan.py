"""What the workflow asks of a study: which files its jobs need, by name. All paths are below the working folder.

A study's results stand in `results/<study>/<scale>`. The cases of a part are folders of prepared images or, where cases
are items, the files of checked batches; where every case is predicted by a model of the other folds, the parts of the
cohort are its folds, and `test` stands for all of them, `validation` for those that some model is chosen on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hakken.cohort.batches import CohortPlan
from hakken.cohort.checked import is_followed
from hakken.runs.guard import trained_alike
from hakken.runs.required import needs_of
from hakken.runs.table import (
    DEFAULT,
    SEARCH,
    SELECTED,
    SHARED,
    Run,
    comparison_runs,
    folds_of,
    name_of,
    run_named,
    runs_of,
    runs_of_set,
)
from hakken.runs.warm_start import tried_first
from hakken.study import PARTS, Study
from hakken.study.beside import takes_training

COMPARISON, SCALING = "comparison", "scaling"
RECORDS = "records"
"""The part under which a study without cases is measured."""

TOKEN = re.compile(r"[^A-Za-z0-9]")


@dataclass(frozen=True, eq=False)
class Plan:
    """A study at its scale with the batches of its cohort; ``cohort`` is None where a study has no cases."""

    study: Study
    cohort: CohortPlan | None

    @property
    def root(self) -> str:
        """The folder of all results."""
        return f"results/{self.study.name}/{self.study.scale}"

    # ---- cases -------------------------------------------------------------------------------------------------

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the cohort."""
        return tuple(self.cohort.batches) if self.cohort else ()

    @property
    def development(self) -> tuple[str, ...]:
        """The parts that may be read before the opening; none where every case is a test case of some fold."""
        return () if self.study.crossed else tuple(part for part in self.parts if part != "test")

    @property
    def measured(self) -> tuple[str, ...]:
        """The parts that models are measured on."""
        return (RECORDS,) if self.cohort is None else ("validation", "test")

    def sealed(self, part: str) -> bool:
        """Whether cases of a part wait for the opening."""
        return part not in self.development

    def of_part(self, part: str) -> tuple[str, ...]:
        """Return the parts of the cohort that ``part`` stands for."""
        return self.study.crossing.of(part) if self.study.crossed and part in PARTS else (part,)

    def each_batch(self, pattern: str, *parts: str) -> list[str]:
        """Return a path for each batch of the parts; the ``pattern`` holds {part} and {batch}."""
        assert self.cohort is not None
        return [
            f"{self.root}/{pattern.format(part=one, batch=batch)}"
            for part in parts
            for one in self.of_part(part)
            for batch in self.cohort.batches[one]
        ]

    def cases(self, *parts: str) -> list[str]:
        """Return where the cases of the parts stand, ready to be learnt from and predicted."""
        if self.cohort is None:
            return []
        images = self.study.cohort.kind == "images"
        return self.each_batch("prepared/{part}-{batch}" if images else "checked/{part}-{batch}.json", *parts)

    def batch(self, part: str, batch: str) -> list[str]:
        """Return the case ids of a batch."""
        assert self.cohort is not None
        return list(self.cohort.batches[part][batch])

    def images(self, part: str, batch: str) -> list[str] | str:
        """Return the files of a batch: the folder of a phantom's batch, which the workflow draws, or the user's own.

        Those with braces in their names are left out, since the workflow engine would take them for wildcards: what
        was checked of them is compared at every start (`hakken.runs.sealed`).
        """
        assert self.cohort is not None
        if self.study.of_phantom:
            return f"{self.root}/cohort/{part}-{batch}"
        return [path.as_posix() for path in self.cohort.files(part, batch) if is_followed(path)]

    # ---- runs --------------------------------------------------------------------------------------------------

    @cached_property
    def runs(self) -> dict[str, Run]:
        """All runs by name."""
        return {run.name: run for run in runs_of(self.study)}

    def run(self, sweep: str) -> Run:
        """Return the run of a name; raises HakkenError naming the runs that there are."""
        return self.runs.get(sweep) or run_named(self.study, sweep)

    def study_of(self, run: Run) -> Study:
        """Return the study as a run trains it."""
        if run.name not in self._studies:
            self._studies[run.name] = run.study(self.study)
        return self._studies[run.name]

    @cached_property
    def _studies(self) -> dict[str, Study]:
        return {}

    def asks_in(self, run: Run) -> Run:
        """Return the run whose first training is that of a ``run``; the run itself where it has a training of its own.

        The untuned default is the search's first training, where that tries it. A variant that is trained as the study
        is, and differs in the use of its model alone, takes the training of the untuned default.
        """
        if run.name not in self._asked:
            self._asked[run.name] = self._first_of(run)
        return self._asked[run.name]

    def _first_of(self, run: Run) -> Run:
        default = run.kind == DEFAULT
        if not default and not (run.set_name and run.folds is None and trained_alike(self.study_of(run), self.study)):
            return run
        if not self.study.search.space or tried_first(self.study, say=str) is not None:
            return self.run(name_of(SEARCH, run.fold))
        return self.run(name_of(DEFAULT, run.fold))

    @cached_property
    def _asked(self) -> dict[str, Run]:
        return {}

    def trials(self, sweep: str) -> list[str]:
        """Return the files of the trainings of a run: its trials, or the one that it takes over from another run."""
        run = self.run(sweep)
        folder = "trials" if self.asks_in(run) == run else SHARED
        return [f"{self.root}/sweeps/{sweep}/{folder}/{number:04d}.json" for number in range(run.trials)]

    def confirming(self, sweep: str) -> str | None:
        """Return the run that trains the best trials of a run again; None where there is none."""
        return next((run.name for run in self.runs.values() if run.confirms == sweep), None)

    def averages(self, sweep: str) -> str | None:
        """Return the folder of the averages of the best trials of a run; None where there are none."""
        run, search = self.runs.get(sweep), self.study.search
        averaged = run is not None and run.kind == SEARCH and bool(search.space) and search.ensemble > 1
        return f"{self.root}/sweeps/{sweep}/averages" if averaged else None

    def train_cases(self, run: Run) -> list[str]:
        """Return the cases that a run learns from, and those that it holds out where they are folds of one set.

        None where all patches of the store are learnt from: who those are of, the store knows.
        """
        if run.fold is None:
            return [] if self.takes_patches(run) else self.cases("train")
        if not run.crossed:
            return self.cases(*self.development)
        return self._cases_beside(run.fold)

    def validation_cases(self, run: Run) -> list[str]:
        """Return the cases that a run is measured on while it trains; none where a fold is held out of the others."""
        if run.fold is None:
            return self.cases("validation")
        return self.cases(*self.study.crossing.choosing[run.fold]) if run.crossed else []

    def baseline_training(self, name: str, fold: int | None) -> list[str]:
        """Return the training cases of a baseline; none where it is chosen on validation alone."""
        if not takes_training(name):
            return []
        return self.cases("train") if fold is None else self._cases_beside(fold)

    def _cases_beside(self, fold: int) -> list[str]:
        """Return the cases that are neither in a fold nor among those on which the fold's model is chosen."""
        return self.cases(*self.study.crossing.learning(fold))

    def takes_patches(self, run: Run) -> bool:
        """Whether the method of a run learns from stored patches."""
        return bool(needs_of(self.study_of(run)).patches)

    def store(self, run: Run) -> str | None:
        """Return the folder of patches that a run takes; None where its method takes none."""
        return f"{self.root}/patches/{self.data(run)}" if self.takes_patches(run) else None

    def data(self, run: Run) -> str:
        """Return the name of the patches that a run takes: of the part, of the development cases, of all."""
        if run.fold is None:
            return "train"
        return "all" if run.crossed else "development"

    def cut_from(self, data: str) -> list[str]:
        """Return the cases whose patches stand under a name."""
        parts = {"train": ("train",), "development": self.development, "all": self.parts}[data]
        return self.cases(*parts)

    def slots(self, run: Run) -> str:
        """Return the resource of which each training of a run takes one."""
        name = f"slots_{self.study.name}"
        return name if run.slots_of == SEARCH else f"{name}_{TOKEN.sub('_', run.slots_of)}"

    def all_slots(self) -> dict[str, int]:
        """Return how many of each such resource there are."""
        return {self.slots(run): run.slots for run in self.runs.values()}

    def earlier(self, sweep: str) -> list[str]:
        """Return the trials that a run waits for.

        Of the comparison those of the run before: one at a time has the machine to itself. One that takes its training
        over waits for the first of the run that trains it, which is the one wanted where that job asks first.
        """
        if (asked := self.asks_in(self.run(sweep))).name != sweep:
            return self.trials(asked.name)[:1]
        names = [run.name for run in comparison_runs(self.study)]
        names.sort(key=lambda name: int(name.rpartition("r")[2]))  # all first repeats first
        place = names.index(sweep) if sweep in names else 0
        return self.trials(names[place - 1]) if place else []

    # ---- models ------------------------------------------------------------------------------------------------

    @property
    def trained(self) -> tuple[str, ...]:
        """The models that are measured: the selected one, the untuned default where there was a search, variants."""
        of_search = (SELECTED, DEFAULT) if self.study.search.space else (SELECTED,)
        return (*of_search, *(model for name in self.study.variants for model in self.models_of(name)))

    @property
    def models(self) -> tuple[str, ...]:
        """The same and the baselines."""
        return (*self.trained, *self.study.baselines)

    def measured_on(self, model: str) -> tuple[str, ...]:
        """Return the parts that a model is measured on."""
        own = next((name for name in self.study.variants if model in self.models_of(name)), None)
        return self.measured if own is None else self._measured_of_set(own)

    def _measured_of_set(self, name: str) -> tuple[str, ...]:
        """Return the parts that the models of a set are measured on: validation alone, unless it asks for more."""
        alone = self.cohort is not None and self.study.variants[name].part == "validation"
        return ("validation",) if alone else self.measured

    @property
    def frozen(self) -> tuple[str, ...]:
        """The models that the freeze names: those that are measured on the test set."""
        return tuple(model for model in self.models if "test" in self.measured_on(model))

    def run_of(self, model: str) -> str:
        """Return the run that a model comes from.

        Of a study whose cases are crossed, `selected-f1` comes from `search-f1`.
        """
        head, _, fold = model.partition("-f")
        if head in (SELECTED, DEFAULT):
            return name_of(SEARCH if head == SELECTED else DEFAULT, int(fold) if fold else None)
        return model

    def stems(self, model: str) -> list[str]:
        """Return the names of a model's files: its own, or one for each fold of a study whose cases are crossed."""
        return [name_of(model, fold) for fold in folds_of(self.study)]

    def fold_of(self, model: str) -> int | None:
        """Return the fold of a model's file by its name; None where there are no folds."""
        return int(model.rpartition("-f")[2]) if self.study.crossed else None

    def files_of(self, model: str) -> list[str]:
        """Return the files of a model."""
        return [f"{self.root}/models/{name}.pt" for name in self.stems(model)]

    @property
    def chosen_among_trials(self) -> bool:
        """Whether the selected model is the best of many on one validation set."""
        return bool(self.study.search.space) and not self.study.crossed and self.cohort is not None

    def whose(self, part: str) -> list[list[str]] | None:
        """Return the cases of a part that each file of a model predicts; None where one file predicts all.

        Where the cases are crossed, each model chooses on cases of its own and is tested on those of its fold.
        """
        if not self.study.crossed or self.cohort is None:
            return None
        crossing, batches = self.study.crossing, self.cohort.batches
        by_fold = crossing.choosing if part == "validation" else crossing.tested
        return [[case for one in parts for batch in batches[one].values() for case in batch] for parts in by_fold]

    def predictions(self, part: str, model: str) -> str:
        """Return the folder of what a model says of a part."""
        return f"{self.root}/predictions/{part}/{model}"

    def measurement(self, part: str, model: str) -> str:
        """Return the folder of what was measured of a model on a part."""
        return f"{self.root}/measurements/{part}/{model}"

    def measurements(self) -> list[str]:
        """Return the folders of all that is measured and shown in summary and report."""
        return [self.measurement(part, model) for model in self.models for part in self.measured_on(model)]

    # ---- variants ----------------------------------------------------------------------------------------------

    def models_of(self, name: str) -> tuple[str, ...]:
        """Return the models of a set of variants; none of a set whose runs hold out folds of the development cases."""
        if self.study.variants[name].folds is not None:
            return ()
        return tuple(dict.fromkeys(run.kind for run in runs_of_set(self.study, name)))

    def set_runs(self, name: str) -> list[Run]:
        """Return the runs of a set of variants."""
        return list(runs_of_set(self.study, name))

    def set_trials(self, name: str) -> list[str]:
        """Return the trials of a set whose runs hold out a fold each; none of any other."""
        if self.study.variants[name].folds is None:
            return []
        return [path for run in self.set_runs(name) for path in self.trials(run.name)]

    def set_predictions(self, name: str) -> list[str]:
        """Return what the models of a set say of its part; none where folds are held out."""
        part = self._compared_on(name)
        return [self.predictions(part, model) for model in self.models_of(name)]

    def set_cases(self, name: str) -> list[str]:
        """Return the cases that a set is compared on."""
        return self.cases(
            *self.development if self.study.variants[name].folds is not None else (self._compared_on(name),)
        )

    def _compared_on(self, name: str) -> str:
        """Return the part that the models of a set are compared on."""
        return RECORDS if self.cohort is None else self.study.variants[name].part


def folds_param(plan: Plan, part: str) -> dict[str, Any] | None:
    """Return which fold each case of a part belongs to, by case id; None where there are no folds."""
    whose = plan.whose(part)
    return None if whose is None else {case: fold for fold, cases in enumerate(whose) for case in cases}
