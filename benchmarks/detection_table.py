"""The table of `benchmarks/detection.py`: what each run is worth, and how much it differs from the dense network's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import numpy as np
from detection_run import AT_OWN_COST, Run

from hakken.core.files import read_json
from hakken.evaluation.bootstrap import Estimate, estimate
from hakken.evaluation.findings import Findings
from hakken.evaluation.matching import match_findings
from hakken.evaluation.measure import PARTIAL, Measurement, Settings, differences, measure
from hakken.evaluation.strata import diameter_ranges
from hakken.outcomes.candidates import findings_of, rules_of
from hakken.runs.predictions import part_of

OWN = "dense"
RESAMPLES = 2000
COLUMNS = (
    *("set", "rotation", "method", "seed", "budget", "cpu_seconds", "steps", "partial_auc", "low", "high", "max_fp"),
    *("sensitivities", "sizes", "less", "less_low", "less_high", "memory_mb", "seconds_per_case"),
)
HEADING = (
    *("set", "rotation", "detector", "seed", "CPU-s", "steps", "partial AUC", "sensitivity at FP per case"),
    *("partial AUC by size", "dense less it", "MB", "CPU-s per case"),
)
ALIGNED = ("---",) * 3 + ("---:",) * 3 + ("---",) * 4 + ("---:",) * 2


@dataclass(frozen=True, eq=False)
class Worth:
    """A run, what it has found, and what that is worth."""

    run: Run
    findings: Findings
    found: Measurement

    @classmethod
    def of(cls, run: Run) -> Worth:
        """Measure the candidates of a run."""
        study, cases = run.rotation.images.study(), run.rotation.cases("test")
        findings = findings_of(run.candidates(), part_of(study, "candidates", cases))
        return cls(run, findings, _measure(run, findings))


def rows_of(worth: Sequence[Worth]) -> list[dict[str, Any]]:
    """Return a row for each run, compared with the dense network of its rotation and seed."""
    own = {(one.run.rotation.key, one.run.seed): one.found for one in worth if one.run.method == OWN}
    return [_row(one, own.get((one.run.rotation.key, one.run.seed))) for one in worth]


def _row(worth: Worth, own: Measurement | None) -> dict[str, Any]:
    run, found = worth.run, worth.found
    trained, used = read_json(run.trained), read_json(run.predicted)
    less = differences(own, found)[PARTIAL] if own is not None and run.method != OWN else Estimate(None)
    ends = found.partial_auc
    return {
        "set": run.rotation.images.name,
        "rotation": run.rotation.name,
        "method": run.method,
        "seed": run.seed,
        "budget": "" if run.method in AT_OWN_COST else f"{run.budget:g}",
        "cpu_seconds": trained["cpu_seconds"],
        "steps": trained["steps"],
        "partial_auc": ends.value,
        "low": ends.low,
        "high": ends.high,
        "max_fp": found.settings.maximum_fp,
        "sensitivities": ", ".join(f"{at.value:.2f} at {rate}" for rate, (at, _) in found.sensitivity_at.items()),
        "sizes": ", ".join(_by_size(worth)),
        "less": less.value,
        "less_low": less.low,
        "less_high": less.high,
        "memory_mb": max(trained["memory_mb"], used["memory_mb"]),
        "seconds_per_case": used["seconds_per_case"],
    }


def _by_size(worth: Worth) -> Iterator[str]:
    """Yield the partial AUC of the lesions of each range of diameters that has some."""
    settings: Any = worth.run.rotation.images.study().outcomes["candidates"]
    truth = worth.findings.lesions
    for size in diameter_ranges(settings.diameters_mm):
        held = size.holds(truth)
        if count := int((held & truth.included).sum()):
            value = _measure(worth.run, worth.findings.including(held)).partial_auc.value
            yield f"{size.name} ({count}) {value or 0:.3f}"


def _measure(run: Run, findings: Findings) -> Measurement:
    study = run.rotation.images.study()
    settings: Any = study.outcomes["candidates"]
    rules = rules_of(part_of(study, "candidates", ()))
    return measure(match_findings(findings, rules), Settings(settings.maximum_fp, settings.at, resamples=RESAMPLES))


def means_of(worth: Sequence[Worth]) -> Iterator[str]:
    """Yield for each set with several rotations the mean of each detector over those that all of them have run once.

    The interval of a mean difference is that of the means of the resampled differences, rotation by rotation.
    """
    for name in dict.fromkeys(one.run.rotation.images.name for one in worth):
        turned: dict[str, dict[str, Measurement]] = {}
        for one in worth:
            if one.run.rotation.images.name == name:
                turned.setdefault(one.run.method, {}).setdefault(one.run.rotation.name, one.found)
        common = [each for each in next(iter(turned.values())) if all(each in found for found in turned.values())]
        if len(common) > 1:
            yield f"{name}, mean of {', '.join(common)}:"
            for method, found in turned.items():
                less = mean_difference(
                    [turned.get(OWN, {}).get(each) for each in common], [found[each] for each in common]
                )
                value = mean(found[each].partial_auc.value or 0.0 for each in common)
                told = "" if less.value is None or method == OWN else f"; dense less it {interval(less)}"
                yield f"- {method}: {value:.3f}{told}"


def seeds_of(worth: Sequence[Worth]) -> Iterator[str]:
    """Yield for each rotation with several seeds what each detector is worth over them, and how much they differ.

    The interval of a mean difference is that of the mean over the seeds on the same resamples: of cases, not of seeds.
    """
    for key in dict.fromkeys(one.run.rotation.key for one in worth):
        by_seed: dict[str, dict[int, Measurement]] = {}
        for one in worth:
            if one.run.rotation.key == key:
                by_seed.setdefault(one.run.method, {})[one.run.seed] = one.found
        if max(map(len, by_seed.values())) > 1:
            yield f"{key}, over seeds:"
            for method, found in by_seed.items():
                yield f"- {method}: {_over_seeds(found, {} if method == OWN else by_seed.get(OWN, {}))}"


def _over_seeds(found: Mapping[int, Measurement], own: Mapping[int, Measurement]) -> str:
    """Return mean, worst and SD of the seeds of a detector, and the mean difference; one run stands beside each own."""
    values = [one.partial_auc.value or 0.0 for one in found.values()]
    told = f"mean {mean(values):.3f} of {len(values)}"
    told += f", worst {min(values):.3f}, SD {stdev(values):.3f}" if len(values) > 1 else ""
    only = next(iter(found.values())) if len(found) == 1 else None
    pairs = [(own[seed], other) for seed in own if (other := only or found.get(seed)) is not None]
    less = mean_difference([one for one, _ in pairs], [other for _, other in pairs])
    return told + (f"; dense less it {interval(less)}" if less.value is not None else "")


def mean_difference(own: Sequence[Measurement | None], other: Sequence[Measurement]) -> Estimate:
    """Return the mean of paired differences, own less other; None where the own is lacking."""
    pairs = [(one, two) for one, two in zip(own, other, strict=True) if one is not None]
    if not pairs or len(pairs) < len(other):
        return Estimate(None)
    drawn = [one.replicates[PARTIAL] - two.replicates[PARTIAL] for one, two in pairs]
    least = min(map(len, drawn))
    value = mean((one.partial_auc.value or 0.0) - (two.partial_auc.value or 0.0) for one, two in pairs)
    return estimate(value, np.mean([one[:least] for one in drawn], axis=0))


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a table for people.

    >>> line = dict.fromkeys(COLUMNS, "") | {"set": "a", "method": "dense", "partial_auc": 0.5, "low": 0.4, "high": 0.6}
    >>> print(markdown([line | {"less": None}]).splitlines()[2])
    | a |  | dense |  |  |  | 0.500 [0.400, 0.600] |  |  |  |  |  |
    """
    lines = [HEADING, ALIGNED]
    for one in rows:
        ends = Estimate(one["partial_auc"], one["low"], one["high"])
        less = Estimate(one["less"], one["less_low"], one["less_high"])
        told = [one[name] for name in ("set", "rotation", "method", "seed", "cpu_seconds", "steps")]
        more = (one["sensitivities"], one["sizes"], interval(less), one["memory_mb"], one["seconds_per_case"])
        lines.append((*told, interval(ends), *more))
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def interval(found: Estimate) -> str:
    """Return a value with its interval, nothing where there is no value.

    >>> interval(Estimate(0.1234, 0.05, 0.2)), interval(Estimate(0.5)), interval(Estimate(None))
    ('0.123 [0.050, 0.200]', '0.500', '')
    """
    if found.value is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
