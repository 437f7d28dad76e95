"""Stage `grid_crops`: the crops of all lesions of the development cases, and the folds of their patients."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hakken.cohort.folds import assign_folds
from hakken.console import progress
from hakken.errors import HakkenError
from hakken.imaging.prepared import prepared_cases
from hakken.patches.crop_store import CropStore
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Study
from hakken.tasks.classification import classified_lesions


@stage
def grid_crops(*, study: Study, prepared: list[Path], output: Path) -> None:
    """Cut crops with room for misregistration and augmentation from the folders ``prepared``, and assign folds."""
    assert study.grid is not None
    classes = study.cohort.classes
    cases = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    lesions = [(case, lesion) for case in cases for lesion in classified_lesions(case, classes)]
    if not lesions:
        raise HakkenError(f"none of the {len(cases)} development cases has a lesion; the grid has nothing to learn")
    by_patient: dict[str, list[str]] = {}
    for case, lesion in lesions:
        by_patient.setdefault(case.patient or case.case_id, []).append(lesion.lesion_class or "")
    folds = assign_folds(by_patient, study.grid.folds, derive_seed(study.seed, "folds"))
    edge = study.patches.size_voxel + 2 * study.patches.margin_voxel
    store = CropStore.cut(lesions, classes, folds, edge)
    store.save(output)
    sizes = Counter(store.fold.tolist())
    spread = ", ".join(str(sizes[fold]) for fold in range(study.grid.folds))
    progress(f"{len(store.crops)} crops of {len(lesions)} lesions, {len(by_patient)} patients; folds of {spread}")
