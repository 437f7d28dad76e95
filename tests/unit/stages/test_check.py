import json

import numpy as np
import pytest

from hakken.imaging.files import write_volume
from hakken.stages.check import check
from hakken.study.reading import parse_study
from hakken.core.volume import Volume


@pytest.fixture
def study():
    return parse_study(
        {
            "name": "small",
            "title": "Small",
            "seed": 1,
            "cohort": {"table": "cases.csv", "labels": "binary"},
            "channels": {"A": {"modality": "mr"}},
            "reference": "A",
            "search": {"space": {}},
        }
    )


@pytest.fixture
def table(tmp_path):
    """Three cases; the third has the pixels of the first."""
    random = np.random.default_rng(0)
    pixels = [random.normal(size=(4, 5, 6)).astype(np.float32) for _ in range(2)]
    for number, array in enumerate([*pixels, pixels[0]], start=1):
        write_volume(tmp_path / f"a{number}.nii.gz", Volume(array))
        write_volume(tmp_path / f"m{number}.nii.gz", Volume((array > 2).astype(np.uint8)))
    lines = ["case_id,patient,split,A,lesion_mask"]
    lines += [
        f"P{number},S{number},{part},a{number}.nii.gz,m{number}.nii.gz"
        for number, part in enumerate(("train", "validation", "test"), start=1)
    ]
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_digests_of_the_batch_are_written(table, study, tmp_path, capsys):
    output = tmp_path / "checked" / "batch.json"
    check(study=study, table=str(table), cases=["P1", "P3"], output=str(output))
    digests = json.loads(output.read_text())
    assert list(digests) == ["P1", "P3"]
    assert digests["P1"] == digests["P3"]
    assert "[check] case 2/2 P3: good" in capsys.readouterr().err


def test_every_problem_of_the_batch_is_told_and_nothing_is_written(table, study, tmp_path, capsys):
    array = np.zeros((4, 5, 6), np.float32)
    array[0, 0, 0] = np.nan
    write_volume(tmp_path / "a1.nii.gz", Volume(array))
    write_volume(tmp_path / "m2.nii.gz", Volume(np.full((4, 5, 6), 2, np.uint8)))
    output = tmp_path / "batch.json"
    with pytest.raises(SystemExit) as exit_:
        check(study=study, table=table, cases=["P1", "P2", "P3"], output=output)
    assert exit_.value.code == 2
    assert not output.exists()
    said = capsys.readouterr().err
    assert f"error: {table}: 2 problems\n" in said
    assert "  row 2, column A: 1 of 120 pixels are NaN or infinite; replace them or export the image again\n" in said
    assert "  row 3, column lesion_mask: label values that the study does not know: 2 (" in said
