"""Cut the patches of one part of the cohort into shards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken import plugins
from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_json
from hakken.core.seeds import derive_seed
from hakken.imaging.body_regions import slice_levels
from hakken.imaging.outside import require_inside
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.imaging.whole import whole_image
from hakken.patches.preview import write_preview
from hakken.patches.sampling import Centres, Kind, sample_centres
from hakken.patches.shards import CutCase, Layout, PatchStore, write_shards
from hakken.stages import stage
from hakken.study import Study
from hakken.study.slices import study_slice

SECONDS_BETWEEN_LINES = 5.0
SECTIONS = ("preparation", "patches")


@stage
def patches(*, study: Study, prepared: list[Path], output: Path) -> None:
    """Cut the patches of all prepared cases into shards in the folder ``output``.

    ``prepared`` are the folders of prepared cases. A method that learns from normal cases alone leaves the others out;
    one that marks every voxel gets the lesions' mask beside the image. Raises HakkenError when no case has a lesion, or
    none is free of lesions, to learn from, when too many lesions lie outside of the mask, or when patches of three axes
    are asked of flat images.
    """
    method = plugins.load("methods", str(study.method))
    cases = [case for folder in prepared for case in prepared_cases(folder)]
    if method.NEEDS.learns_from == "normal":
        cases, study = _normal(cases, output.name), _without_positives(study)
    elif method.NEEDS.learns_from == "lesions" and not _labelled(study):
        _check_lesions(cases, output.name)
    part = output.name
    _check_axes(cases, study.patches.axes)
    _check_optional(cases, study, part)
    require_inside(cases, study.evaluation.accept_outside, part, study.preparation.mask)
    targets = [*study.targets, *_drawn_targets(study)]
    layout = Layout(
        size_voxel=study.patches.size_voxel,
        margin_voxel=study.patches.margin_voxel,
        channels=(*study.seen, *targets),
        spacing_mm=study.preparation.spacing_mm,
        sampled_study=sha256_json(study_slice(study, SECTIONS)),
        axes=study.patches.axes,
        targets=len(targets),
        optional=study.optional,
        scalars=len(study.scalars),
    )
    start = time.monotonic()
    write_shards(output, _cut_all(cases, study, part), layout, study.patches.shard_mb)
    store = PatchStore.open(output)
    shown = study.reference if study.reference in study.inputs else study.inputs[0]
    write_preview(store, layout.channels.index(shown), output / "preview.png")
    progress(f"{part}: {_summary(store)} from {len(cases)} cases in {time.monotonic() - start:.1f} s")
    for name in study.optional:
        lacking = sum(name in case.missing for case in cases)
        progress(f"{part}: {lacking} of {len(cases)} cases lack {name}")


@dataclass
class _Pace:
    """When the last line was shown, and how many patches have been chosen since the start."""

    start: float
    shown: float
    patches: int = 0

    def line(self, done: int, total: int, part: str) -> None:
        now = time.monotonic()
        if now - self.shown >= SECONDS_BETWEEN_LINES:
            self.shown = now
            rate = self.patches / max(now - self.start, 1e-3)
            progress(f"{part}: case {done} of {total}, {self.patches} patches, {rate:.0f} patches/s")


def _cut_all(cases: list[PreparedCase], study: Study, part: str) -> Iterator[CutCase]:
    """Yield every case with its centres, and say from time to time how far it is."""
    now = time.monotonic()
    pace = _Pace(now, now)
    for number, case in enumerate(cases, start=1):
        cut = _cut(case, study)
        yield cut
        pace.patches += len(cut.centres)
        log(f"{case.case_id}: {_counts(cut.centres)}")
        pace.line(number, len(cases), part)


def _labelled(study: Study) -> bool:
    """Whether classes of whole images are learnt, so that each gives one patch, in its middle."""
    learns: str = plugins.load("methods", str(study.method)).NEEDS.learns_from
    return study.cohort.truth == "label" and learns == "lesions"


def _cut_whole(case: PreparedCase) -> CutCase:
    """Return a labelled case with its middle alone."""
    whole = whole_image(case)
    voxel = np.rint(case.geometry.to_voxel(whole.centre)).astype(np.int32)
    centres = Centres(voxel, np.array([Kind.POSITIVE], np.int8), np.array([whole.lesion], np.int32))
    points, classes = case.geometry.to_world(voxel), {whole.lesion: str(whole.lesion_class)}
    return CutCase(case.case_id, case.image(), centres, points, classes, case.pixel_digest)


def _cut(case: PreparedCase, study: Study) -> CutCase:
    """Choose the centres of one case."""
    if _labelled(study):
        return _cut_whole(case)
    image = case.image()
    labels = case.labels() if case.has_truth else np.zeros(case.geometry.shape_zyx, np.int16)
    centres = sample_centres(
        labels,
        _where(case, study),
        np.asarray(image[list(study.channels).index(study.reference)]),
        spacing=case.geometry.spacing,
        settings=study.patches,
        seed=derive_seed(study.seed, "patches", case.pixel_digest),
        excluded={lesion.lesion for lesion in case.lesions if lesion.kind == "excluded"},
        groups=_groups(case, study),
    )
    names = list(study.layers)
    parts = [image[names.index(name)] for name in (*study.seen, *study.targets)]
    if _drawn_targets(study):
        parts.append((labels > 0).astype(np.float16))
    whole = image if len(parts) == len(names) and names == list(study.seen) else np.stack(parts)
    classes = {lesion.lesion: lesion.lesion_class or "" for lesion in case.lesions}
    points = case.geometry.to_world(centres.voxels)
    return CutCase(case.case_id, whole, centres, points, classes, case.pixel_digest)


def _where(case: PreparedCase, study: Study) -> NDArray[Any]:
    """Return where patches are taken (z, y, x): in the mask, or where the method says."""
    mask = case.mask()
    places = getattr(plugins.load("methods", str(study.method)), "places", None)
    return mask if places is None else np.asarray(places(study, mask))


def _groups(case: PreparedCase, study: Study) -> NDArray[np.integer[Any]] | None:
    """Return the number (z,) of the group of slices that patches are drawn from alike; None where voxels are alike."""
    if study.patches.spread == "voxels":
        return None
    if study.patches.spread == "slices":
        return np.arange(case.geometry.shape_zyx[0])
    return slice_levels(case.body_regions())


def _drawn_targets(study: Study) -> tuple[str, ...]:
    """Return the target channels that are no channel of the study: the lesions' mask."""
    return ("lesions",) if plugins.load("methods", str(study.method)).NEEDS.maps else ()


def _check_axes(cases: list[PreparedCase], axes: int) -> None:
    flat = next((case for case in cases if case.geometry.shape_zyx[0] == 1), None)
    if flat is not None and axes == 3:
        raise HakkenError(f"case {flat.case_id}: is a flat image; give the study `patches: {{axes: 2}}`")


def _check_optional(cases: list[PreparedCase], study: Study, part: str) -> None:
    """Raise HakkenError where no case has an optional channel: a network cannot learn what it never sees."""
    for name in study.optional:
        if all(name in case.missing for case in cases):
            raise HakkenError(
                f"the split `{part}`: none of its {len(cases)} cases has the channel {name}; move patients who have it "
                f"into this part, or remove `channels.{name}` from the study"
            )


def _check_lesions(cases: list[PreparedCase], part: str) -> None:
    if not any(lesion.kind == "included" for case in cases for lesion in case.lesions):
        raise HakkenError(
            f"the split `{part}` has no lesions: none of its {len(cases)} cases has one that counts; move patients"
            " with lesions into it (column `split` of the case table, or cohort.fractions)"
        )


def _normal(cases: list[PreparedCase], part: str) -> list[PreparedCase]:
    """Return the cases without any lesion, excluded findings among them."""
    normal = [case for case in cases if not case.lesions]
    if not normal:
        raise HakkenError(
            f"the split `{part}` has no normal case: each of its {len(cases)} cases has lesions, and the network "
            "learns from cases without; move patients without lesions into it (column `split` of the case table, or "
            "cohort.fractions)"
        )
    if left := [case.case_id for case in cases if case.lesions]:
        log(f"{part}: {len(left)} of {len(cases)} cases have lesions and are left out: {', '.join(left)}")
    return normal


def _without_positives(study: Study) -> Study:
    """Return the study with patches from anywhere in the mask alone."""
    return study.model_copy(update={"patches": study.patches.model_copy(update={"hard_negatives_per_case": 0})})


def _counts(centres: Centres) -> str:
    return ", ".join(f"{centres.count(kind)} {kind.name.lower()}" for kind in Kind)


def _summary(store: PatchStore) -> str:
    kinds = ", ".join(f"{count} {name}" for name, count in store.contents.kinds.items())
    files = len(store.contents.shards)
    size = len(store) * store.layout.patch_bytes / 2**20
    return f"{len(store)} patches ({kinds}), {size:.0f} MB in {files} shard{'' if files == 1 else 's'},"
