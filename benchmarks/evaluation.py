"""How long does `hakken froc` take, beside others, and do its intervals hold what they promise?

    python benchmarks/evaluation.py --output evaluation.md

- **Speed**: CPU seconds of the whole command, from three CSV files to JSON, for 1,000 cases with 200 candidates each
  and 1,000 resamples of the patients. Beside it what others need for the resamples alone, on candidates that were
  matched for them beforehand: picai_eval's own bootstrap of AUROC and average precision, and scikit-learn's weighted
  ROC curve of the same candidates once a resample. These run for `--peer-resamples` and are scaled to 1,000.
- **Loads**: CPU seconds and memory of 20,000 cases, and of 100,000 candidates in one case.
- **Readers**: CPU seconds of an analysis of 2 modalities, 9 readers and 92 cases.
- **Coverage**: how many of 300 simulated cohorts of 60 patients have a 95 % interval that holds the true value.

The peers come with `pip install '.[benchmark]'`; one that is missing is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from hakken.core.tables import read_table
from hakken.evaluation import delong
from hakken.evaluation.bootstrap import draw, estimate
from hakken.evaluation.findings import Candidates, Cases, Lesions
from hakken.evaluation.froc import froc, partial_auc
from hakken.evaluation.matching import Matching, match
from hakken.evaluation.measure import Settings, measure
from hakken.evaluation.readers import merit, obuchowski_rockette, ratings

Floats = NDArray[np.float64]
RESAMPLES = 1000
COHORTS, PATIENTS = 300, 60
MAX_FP = 3.0


def cohort(
    rng: np.random.Generator, cases: int, marks: float, lesions: float = 1.5
) -> tuple[Cases, Lesions, Candidates]:
    """Return a cohort whose cases differ: lesions, their visibility and the false marks of a case vary together."""
    ease = rng.normal(0, 0.5, cases)
    lesion_case = np.repeat(np.arange(cases), rng.poisson(lesions, cases))
    centres = rng.uniform(0, 300, (len(lesion_case), 3))
    found = rng.random(len(lesion_case)) < 0.85
    hit_score = rng.normal(1.5 + ease[lesion_case][found], 1)
    false_case = np.repeat(np.arange(cases), rng.poisson(marks * np.exp(rng.normal(0, 0.4, cases) - 0.08)))
    near = centres[found] + rng.normal(0, 0.5, (int(found.sum()), 3))
    far = rng.uniform(400, 900, (len(false_case), 3))
    return (
        Cases.of([f"c{number}" for number in range(cases)]),
        Lesions.of(lesion_case, centres, rng.uniform(5, 20, len(lesion_case))),
        Candidates.of(
            np.concatenate([lesion_case[found], false_case]),
            np.concatenate([near, far]),
            np.concatenate([hit_score, rng.normal(0, 1, len(false_case))]),
        ),
    )


def write(folder: Path, cases: Cases, lesions: Lesions, candidates: Candidates) -> list[str]:
    """Write the three tables; return the options that name them."""
    rows = {
        "cases": ["case_id,patient", *(f"{name},{name}" for name in cases.case_id)],
        "lesions": ["case_id,lesion_id,x,y,z,diameter_mm,kind"],
        "candidates": ["case_id,x,y,z,score"],
    }
    for number, (case, (x, y, z), size) in enumerate(zip(lesions.case, lesions.xyz, lesions.diameter_mm, strict=True)):
        rows["lesions"].append(f"c{case},{number},{x:.3f},{y:.3f},{z:.3f},{size:.2f},included")
    for case, (x, y, z), score in zip(candidates.case, candidates.xyz, candidates.score, strict=True):
        rows["candidates"].append(f"c{case},{x:.3f},{y:.3f},{z:.3f},{score:.6f}")
    options = []
    for name, lines in rows.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        options += [f"--{name}", str(folder / f"{name}.csv")]
    return options


def command(*made: object) -> tuple[float, float]:
    """Return CPU seconds and peak memory in MB of the whole command on a cohort."""
    script = "import resource, sys; from hakken.cli import main; main(sys.argv[1:]); "
    script += "used = resource.getrusage(resource.RUSAGE_SELF); "
    script += "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)"
    with tempfile.TemporaryDirectory() as name:
        options = write(Path(name), *made)  # type: ignore[arg-type]
        line = [sys.executable, "-c", script, "froc", *options, "--output", f"{name}/out.json"]
        run = subprocess.run(line, capture_output=True, text=True, check=True)
    seconds, memory = run.stderr.splitlines()[-1].split()
    return float(seconds), float(memory)


def picai(matching: Matching, resamples: int) -> float:
    """Return the CPU seconds of picai_eval's bootstrap."""
    from picai_eval.metrics import Metrics

    rows: dict[str, list[tuple[int, float, float]]] = {name: [] for name in matching.cases.case_id}
    names = matching.cases.case_id
    for lesion, case in enumerate(matching.lesions.case.tolist()):
        score = float(matching.lesion_score[lesion])
        rows[names[case]].append((1, 1 / (1 + np.exp(-score)), 1.0) if np.isfinite(score) else (1, 0.0, 0.0))
    for case, score in zip(
        matching.candidates.case[matching.false], matching.candidates.score[matching.false], strict=True
    ):
        rows[names[case]].append((0, float(1 / (1 + np.exp(-score))), 0.0))
    metrics = Metrics(lesion_results=rows)
    return _cpu(lambda: metrics.bootstrap_score_ci(n_bootstraps=resamples, seed=0))


def sklearn_curves(matching: Matching, resamples: int) -> float:
    """Return the CPU seconds of a weighted ROC curve a resample."""
    from sklearn.metrics import roc_curve

    found = matching.lesion_mark >= 0
    case = np.concatenate([matching.lesions.case[found], matching.candidates.case[matching.false]])
    score = np.concatenate([matching.lesion_score[found], matching.candidates.score[matching.false]])
    label = np.arange(len(case)) < found.sum()
    counts = draw(len(matching.cases), resamples, 0)
    return _cpu(lambda: [roc_curve(label, score, sample_weight=row[case]) for row in counts])


def speed(peer_resamples: int) -> Iterator[str]:
    """Yield the rows of the table of speed and of loads."""
    made = cohort(np.random.default_rng(0), 1000, 200)
    matching = match(*made)
    ours, memory = command(*made)
    yield "| what | CPU-seconds | memory, MB | ratio |"
    yield "| --- | ---: | ---: | ---: |"
    candidates = f"{len(made[2]):,} candidates in 1,000 cases"
    yield f"| hakken froc, {candidates}, {RESAMPLES} resamples, CSV to JSON | {ours:.2f} | {memory:.0f} | 1 |"
    peers: dict[str, Callable[[Matching, int], float]] = {"picai_eval": picai, "sklearn": sklearn_curves}
    for module, peer in peers.items():
        if find_spec(module) is None:
            continue
        name = {"picai_eval": "picai-eval", "sklearn": "scikit-learn"}[module]
        seconds = peer(matching, peer_resamples) * RESAMPLES / peer_resamples
        what = f"{name} {version(name)}, the resamples alone (scaled from {peer_resamples})"
        yield f"| {what} | {seconds:.0f} | | {seconds / ours:.0f} |"
    many, one = cohort(np.random.default_rng(1), 20_000, 20), cohort(np.random.default_rng(2), 1, 150_000, 30)
    for what, load in (("20,000 cases", many), ("one case", one)):
        seconds, memory = command(*load)
        yield f"| hakken froc, {len(load[2]):,} candidates in {what} | {seconds:.2f} | {memory:.0f} | |"
    yield f"| hakken readers, 2 modalities, 9 readers, 92 cases, jackknife | {reader_study():.3f} | | |"


def reader_study() -> float:
    """Return the CPU seconds of the analysis of a reader study, without reading its table."""
    rng = np.random.default_rng(0)
    diseased = np.arange(92) < 46
    rows = ["modality,reader,case_id,diseased,rating"]
    for modality in ("without", "with"):
        for reader in range(9):
            values = rng.normal(1.2 * diseased, 1)
            rows += [
                f"{modality},r{reader},c{case},{int(diseased[case])},{value:.4f}" for case, value in enumerate(values)
            ]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ratings.csv"
        path.write_text("\n".join(rows) + "\n")
        table = ratings.roc_table(read_table(path, ("modality", "reader", "case_id", "diseased", "rating")))
    study = table.study()

    def analyse() -> None:
        obuchowski_rockette.analyse(merit.merit(study, "wilcoxon"), study.modality, study.reader)

    analyse()
    return _cpu(analyse)


def coverage() -> Iterator[str]:
    """Yield the rows of the table of coverage."""
    truth = float(partial_auc(froc(match(*cohort(np.random.default_rng(10), 20_000, 6))), MAX_FP) or 0.0)
    area = float(_scores(np.random.default_rng(11), 400_000)[2])
    names = ("partial AUC to 3, bootstrap over patients", "AUC, DeLong", "AUC, DeLong on log odds", "AUC, bootstrap")
    held = dict.fromkeys(names, 0)
    for number in range(COHORTS):
        rng = np.random.default_rng([20, number])
        found = measure(match(*cohort(rng, PATIENTS, 6)), Settings(MAX_FP, (1.0,), resamples=RESAMPLES, seed=number))
        held[names[0]] += _holds(found.partial_auc.low, truth, found.partial_auc.high)
        label, score, value = _scores(rng, PATIENTS)
        areas = delong.areas(label, score[None])
        spread = delong.spread(float(areas.auc[0]), float(areas.covariance[0, 0]))
        held["AUC, DeLong"] += _holds(spread.wald.low, area, spread.wald.high)
        held["AUC, DeLong on log odds"] += _holds(spread.logit.low, area, spread.logit.high)
        ends = estimate(value, _resampled_auc(label, score, number))
        held["AUC, bootstrap"] += _holds(ends.low, area, ends.high)
    yield f"| 95 % interval | held the true value in {COHORTS} cohorts of {PATIENTS} patients |"
    yield "| --- | ---: |"
    for name, count in held.items():
        yield f"| {name} | {100 * count / COHORTS:.1f} % |"


def _scores(rng: np.random.Generator, cases: int) -> tuple[NDArray[np.bool_], Floats, float]:
    """Return labels, binormal scores of unequal variance and their AUC."""
    label = np.arange(cases) < cases // 3
    score = rng.normal(1.3 * label, 1 + 0.3 * label)
    return label, score, _auc(label, score, np.ones((1, cases)))[0]


def _resampled_auc(label: NDArray[np.bool_], score: Floats, seed: int) -> Floats:
    areas = _auc(label, score, draw(len(label), RESAMPLES, seed).astype(float))
    return areas[np.isfinite(areas)]


def _auc(label: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Return the AUC (r,) of cases without ties under weights (r, n)."""
    ordered, right = weights[:, np.argsort(score)], label[np.argsort(score)]
    below = np.cumsum(ordered * ~right, axis=1)
    with np.errstate(invalid="ignore"):
        return (below * ordered * right).sum(axis=1) / (below[:, -1] * (ordered * right).sum(axis=1))


def _holds(low: float | None, value: float, high: float | None) -> bool:
    return low is not None and high is not None and low <= value <= high


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measure, then print or write the tables."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--peer-resamples", type=int, default=10, help="of the peers, whose time is scaled")
    line.add_argument("--only", choices=("speed", "coverage"), help="one of the two tables")
    line.add_argument("--output", type=Path, help="Markdown file; else it is printed")
    options = line.parse_args()
    parts = []
    if options.only != "coverage":
        parts.append("\n".join(speed(options.peer_resamples)))
    if options.only != "speed":
        parts.append("\n".join(coverage()))
    text = "\n\n".join(parts)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
