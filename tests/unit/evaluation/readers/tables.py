"""Small reader studies as tables, and simulated ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hakken.core.tables import FIRST_ROW, Table
from hakken.evaluation.readers.ratings import (
    FROC_COLUMNS,
    LESION_COLUMNS,
    ROC_COLUMNS,
    RatingTable,
    ReaderStudy,
    froc_table,
    roc_table,
)


def columns(name: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    texts = [[str(cell) for cell in row] for row in rows]
    cells = {column: [row[place] for row in texts] for place, column in enumerate(heading)}
    return Table(Path(name), cells, list(range(FIRST_ROW, FIRST_ROW + len(texts))))


def roc(rows: Iterable[Sequence[Any]]) -> RatingTable:
    return roc_table(columns("ratings.csv", ROC_COLUMNS, rows))


def froc(marks: Iterable[Sequence[Any]], lesions: Iterable[Sequence[Any]], cases: Iterable[str]) -> RatingTable:
    truth = list(lesions)
    heading = (*LESION_COLUMNS, "weight") if truth and len(truth[0]) == 3 else LESION_COLUMNS
    return froc_table(
        columns("marks.csv", FROC_COLUMNS, marks),
        columns("lesions.csv", heading, truth),
        columns("cases.csv", ("case_id",), [(case,) for case in cases]),
    )


# Two normal cases (n1, n2), two diseased ones (d1, d2); ratings in this order.
BY_HAND = {
    ("without", "A"): (1, 2, 2, 3),
    ("without", "B"): (1, 3, 2, 2),
    ("with", "A"): (1, 2, 3, 4),
    ("with", "B"): (1, 2, 2, 2),
}


def by_hand() -> list[tuple[Any, ...]]:
    cases = (("n1", 0), ("n2", 0), ("d1", 1), ("d2", 1))
    return [
        (modality, reader, case, diseased, rating)
        for (modality, reader), ratings in BY_HAND.items()
        for (case, diseased), rating in zip(cases, ratings, strict=True)
    ]


def roc_rows(ratings: np.ndarray, diseased: np.ndarray) -> list[tuple[Any, ...]]:
    """Rows of ratings (I, J, K)."""
    return [
        (f"m{i}", f"r{j}", f"c{k:03}", int(diseased[k]), float(ratings[i, j, k]))
        for i, j, k in np.ndindex(ratings.shape)
    ]


def roc_study(ratings: np.ndarray, diseased: np.ndarray, patient: np.ndarray | None = None) -> ReaderStudy:
    """The study of ratings (I, J, K) without the detour over a table."""
    lesion_case = np.flatnonzero(diseased)
    return ReaderStudy(
        "roc",
        tuple(f"m{i}" for i in range(ratings.shape[0])),
        tuple(f"r{j}" for j in range(ratings.shape[1])),
        tuple(f"c{k:03}" for k in range(ratings.shape[2])),
        diseased,
        lesion_case,
        np.ones(len(lesion_case)),
        np.where(diseased, -np.inf, ratings),
        ratings[..., lesion_case],
        np.where(diseased, 0, np.ones(ratings.shape, np.int64)),
        np.arange(ratings.shape[2]) if patient is None else patient,
    )


def roe_metz(
    rng: np.random.Generator, readers: int, normal: int, diseased: int, *, separation: Sequence[float] = (1.5, 1.5)
) -> tuple[np.ndarray, np.ndarray]:
    """Ratings (2, readers, normal + diseased) of Roe and Metz, Acad Radiol 1997;4:298-303, and which are diseased.

    Variances: reader and reader x modality 0.0055, case 0.3, case x modality 0.3, case x reader 0.2, rest 0.2; case
    variances add up to 1. ``separation`` is the mean of diseased cases in each modality.
    """
    parts = []
    for truth, cases in ((0, normal), (1, diseased)):
        value = np.zeros((2, readers, cases)) + truth * np.array(separation)[:, None, None]
        for variance, shape in (
            (0.0055, (1, readers, 1)),
            (0.0055, (2, readers, 1)),
            (0.3, (1, 1, cases)),
            (0.3, (2, 1, cases)),
            (0.2, (1, readers, cases)),
            (0.2, (2, readers, cases)),
        ):
            value = value + np.sqrt(variance) * rng.standard_normal(shape)
        parts.append(value)
    return np.concatenate(parts, axis=2), np.repeat([False, True], [normal, diseased])
