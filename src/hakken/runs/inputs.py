"""Which files the jobs of the workflow need: functions of a study's plan and of a job's wildcards.

What a job has no use for is an empty list: the workflow engine then passes nothing on. ``wildcards`` maps the names of
a rule's wildcards to their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hakken.runs import drawn_from
from hakken.runs.jobs import baseline_name, source, sweep_of
from hakken.runs.plan import Plan
from hakken.runs.table import SEARCH

Wildcards = Mapping[str, str]
Plans = Mapping[str, Plan]

OPENING = "test/opening.json"


def table(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the case table, the user's own or the phantom's; nothing where a study has no cases."""
    return plan.cohort.table.as_posix() if plan.cohort else []


def images(plan: Plan, wildcards: Wildcards) -> list[str] | str:
    """Return the files of a batch."""
    return plan.images(wildcards["part"], wildcards["batch"])


def freeze_first(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the freeze for cases that are sealed, since nothing reads them before; others wait for nothing."""
    return f"{plan.root}/freeze.json" if plan.sealed(wildcards["part"]) else []


def opening(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the opening for what is made of sealed cases; nothing else waits for it."""
    return f"{plan.root}/{OPENING}" if _is_sealed(plan, wildcards["part"]) else []


def sealed_checks(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return what was checked of the cases that an opening opens."""
    return plan.each_batch("checked/{part}-{batch}.json", *(part for part in plan.parts if plan.sealed(part)))


def all_separated(plan: Plan, wildcards: Wildcards) -> str:
    """Return the file that says that no image stands in two parts, of all cases."""
    return f"{plan.root}/checked/test.json"


def digests(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the digests to compare: of the development cases, and once the test set is open, of all."""
    parts = plan.parts if wildcards["scope"] == "test" else plan.development
    return plan.each_batch("checked/{part}-{batch}.json", *parts)


def ready(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return what says that cases may be used.

    Of development cases that none of their images stands in two parts; of sealed ones, whose images are compared
    before, the opening.
    """
    if plan.cohort is None:
        return []
    opened = plan.study.crossed or any(plan.sealed(part) for part in _parts(plan, wildcards))
    return f"{plan.root}/{OPENING}" if opened else f"{plan.root}/checked/development.json"


def _parts(plan: Plan, wildcards: Wildcards) -> tuple[str, ...]:
    return plan.of_part(wildcards["part"]) if "part" in wildcards else ()


def _is_sealed(plan: Plan, part: str) -> bool:
    return plan.cohort is not None and (plan.study.crossed or plan.sealed(part))


def cut_from(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the cases whose patches are cut."""
    return plan.cut_from(wildcards["data"])


def trials(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the trials of a sweep; of the one that a model is chosen from."""
    return plan.trials(wildcards["sweep"] if "sweep" in wildcards else plan.run_of(wildcards["model"]))


def confirmations(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the trainings that confirm the best of these; none where nothing is trained again."""
    name = plan.confirming(sweep_of(plan, wildcards))
    return plan.trials(name) if name else []


def averages(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the folder of the averages of the best of these trials; nothing where none are averaged."""
    return plan.averages(sweep_of(plan, wildcards)) or []


def confirmed(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the trials of the search whose best a run trains again; a grown search is asked anew."""
    run = plan.run(wildcards["sweep"])
    return plan.trials(run.confirms) if run.confirms else []


def searched_trials(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the trials of the search."""
    return plan.trials(SEARCH)


def earlier(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the trials that a compared run waits for."""
    return plan.earlier(wildcards["sweep"])


def store(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the patches that a run learns from; nothing where its method takes none."""
    return plan.store(plan.run(wildcards["sweep"])) or []


def train_cases(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the cases that a run learns from."""
    return plan.train_cases(plan.run(wildcards["sweep"]))


def validation_cases(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the cases that a run is measured on while it trains."""
    return plan.validation_cases(plan.run(wildcards["sweep"]))


def source_made_here(plan: Plan, wildcards: Wildcards, plans: Plans) -> str | list[str]:
    """Return the same where this run makes it; otherwise it is there already, and nothing of this run may redo it."""
    made = plan.study.source in [(name, other.study.scale) for name, other in plans.items()]
    return (source(plan, wildcards) if made else None) or []


def frozen_models(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the files of the models that are frozen; the plan alone is, where each fold has models of its own."""
    return [] if plan.study.crossed else [path for model in plan.frozen for path in plan.files_of(model)]


def frozen_records(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the records of those that were trained."""
    found = [path for path in frozen_models(plan, wildcards) if Path(path).stem in plan.trained]
    return [f"{path.removesuffix('.pt')}.json" for path in found]


def frozen_measurements(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return what was measured of them on validation."""
    return [] if plan.study.crossed else [plan.measurement("validation", model) for model in plan.frozen]


def frozen_data(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the patches and the prepared cases that those which were trained were made from and chosen on."""
    if plan.study.cohort.kind != "images":
        return []
    trained = [Path(path).stem for path in frozen_records(plan, wildcards)]
    runs = [plan.run(plan.run_of(model)) for model in trained]
    found = [path for run in runs for path in (plan.store(run), *plan.train_cases(run), *plan.validation_cases(run))]
    return list(dict.fromkeys(path for path in found if path))


def frozen_cases(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the digests of the development cases."""
    return f"{plan.root}/checked/development.json" if plan.development else []


def baseline_cases(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the cases that a baseline is chosen on."""
    fold = plan.fold_of(wildcards["model"])
    return plan.cases("validation") if fold is None else plan.cases(*plan.study.crossing.choosing[fold])


def baseline_training(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the training cases of a baseline that counts or averages those; no other reads them."""
    model = wildcards["model"]
    return plan.baseline_training(baseline_name(plan, wildcards), plan.fold_of(model))


def model_files(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the files of a model."""
    return plan.files_of(wildcards["model"])


def part_cases(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the cases of a part."""
    return plan.cases(wildcards["part"])


def validation_part(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the validation cases."""
    return plan.cases("validation")


def freeze(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the freeze for what is sealed, nothing else waits for it."""
    return f"{plan.root}/freeze.json" if _is_sealed(plan, wildcards["part"]) else []


def points(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return where the operating points of the test set stand; on validation they are chosen."""
    if wildcards["part"] != "test":
        return []
    return plan.measurement("validation", wildcards["model"]) if plan.study.crossed else f"{plan.root}/freeze.json"


def set_trials(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the trials of a set that hold out a fold each."""
    return plan.set_trials(wildcards["set"])


def set_predictions(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return what the models of a set say of the part that they are measured on."""
    return plan.set_predictions(wildcards["set"])


def set_cases(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the cases that a set is compared on."""
    return plan.set_cases(wildcards["set"])


def figure_files(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return all files of a figure."""
    return [path for paths in drawn_from.figure_inputs(plan, wildcards["figure"]).values() for path in paths]


def figure_opening(plan: Plan, wildcards: Wildcards) -> str | list[str]:
    """Return the opening, which the study's figures wait for; one that is asked for beside them opens nothing."""
    return f"{plan.root}/{OPENING}" if drawn_from.is_of_test(plan, wildcards["figure"]) else []


def figures_of(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the files that say what each figure of a study was made from."""
    return [f"{plan.root}/figures/{figure}.json" for figure in plan.study.drawn]


def measured(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return all that summary and report print."""
    found = [*plan.measurements(), *(f"{plan.root}/variants/{name}.json" for name in plan.study.variants)]
    found += [f"{plan.root}/models/{name}.json" for model in plan.trained for name in plan.stems(model)]
    if plan.chosen_among_trials:
        found.append(f"{plan.root}/optimism.json")
    if plan.cohort is not None:
        found += [f"{plan.root}/freeze.json", f"{plan.root}/{OPENING}"]
    return found
