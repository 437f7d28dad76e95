"""A classical baseline of detection: connected components beyond a threshold on one channel, ranked by their extreme.

Channel, side and threshold (a quantile of the voxels within the masks of the validation cases) have the highest
objective on validation. `brightest_components` is the same on the channel that a study predicts from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.components import components
from hakken.outcomes import Part, in_order
from hakken.outcomes.candidates import objective
from hakken.study import Study

OUTCOMES = ("candidates", "case_scores")
CASES = "images"
SHARES = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
"""The quantiles that are tried, of the channel, or of its negative where findings are dark."""

SAMPLE = 100_000
"""Voxels of a case that the quantiles are taken of at most, evenly spaced."""

MOST = 100
"""Most candidates of a case where the method of the study names no number."""


def fit(cases: Sequence[Case], study: Study) -> dict[str, Any]:
    """Return channel, side and threshold with the highest objective, the first of equals, and what all have reached."""
    part = Part(study, in_order(cases), study.outcomes["candidates"])
    rules: list[dict[str, Any]] = []
    for channel in part.images[0].complete:
        for dark in (False, True):
            values = np.concatenate([_sampled(case, channel, dark) for case in part.images])
            levels = dict.fromkeys(map(float, np.quantile(values, SHARES)))
            rules += [{"channel": channel, "dark": dark, "level": level} for level in levels]
    reached = [objective({case.case_id: beyond(rule, case, study) for case in part.images}, part) for rule in rules]
    tried = {_words(rule): value for rule, value in zip(rules, reached, strict=True)}
    return {**rules[int(np.argmax(reached))], "tried": tried}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the components of a case, and the most extreme value among them as its score."""
    found = beyond(values, image(case), study)
    return {"candidates": found, "case_scores": found.highest}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"components of {_words(values)}, ranked by their {'minimum' if values['dark'] else 'maximum'}"


def beyond(rule: Mapping[str, Any], case: PreparedCase, study: Study) -> Candidates:
    """Return the components of a case by a rule, the best first."""
    values = _signed(case, rule["channel"], rule["dark"])
    most = int(getattr(study.inference, "maximum_candidates", MOST))
    return components(values, case.geometry, case.mask(), threshold=rule["level"], maximum=most)


def _signed(case: PreparedCase, channel: str, dark: bool) -> NDArray[np.float32]:
    values = np.asarray(case.image()[case.channels.index(channel)], np.float32)
    return -values if dark else values


def _sampled(case: PreparedCase, channel: str, dark: bool) -> NDArray[np.float32]:
    inside = _signed(case, channel, dark)[case.mask() > 0]
    return inside[:: max(1, -(-len(inside) // SAMPLE))]


def _words(rule: Mapping[str, Any]) -> str:
    """Return a rule in a few words; the level is on the scale of the channel.

    >>> _words({"channel": "CT", "dark": True, "level": -0.25})
    'CT <= 0.25'
    """
    return f"{rule['channel']} {'<=' if rule['dark'] else '>='} {-rule['level'] if rule['dark'] else rule['level']:.3g}"
