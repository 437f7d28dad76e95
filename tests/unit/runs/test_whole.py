"""Whether data are still what was written, byte by byte; and the command that looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.cli import main
from hakken.core.errors import HakkenError
from hakken.runs.layout_pool import made_up_patches
from hakken.runs.whole import data_folders, require_as_written, require_whole

from ..miniature import lose_a_byte, prepare_case, study


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Prepared cases and patches below a folder of results."""
    prepare_case(tmp_path / "results" / "s" / "tiny" / "prepared" / "train-000", "a", [(8, 9, 10)])
    made_up_patches(study(), tmp_path / "results" / "s" / "tiny" / "patches" / "train")
    return tmp_path / "results"


def test_what_is_whole_is_counted(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [path.name for path in data_folders(results)] == ["train", "train-000"]
    assert main(["verify", str(results)]) == 0
    assert "2 folders, 0.00 GB, every byte as it was written" in capsys.readouterr().out


def test_a_byte_that_was_lost_is_found_by_reading_all(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = results / "s" / "tiny" / "patches" / "train" / "shard-000.npy"
    image = results / "s" / "tiny" / "prepared" / "train-000" / "a.npy"
    for path in (shard, image):
        lose_a_byte(path)
    with pytest.raises(HakkenError, match=r"shard-000\.npy: is corrupt"):
        require_whole(shard.parent)
    with pytest.raises(HakkenError, match=r"a\.npy: has changed since the case was prepared"):
        require_whole(image.parent)
    assert main(["verify", str(results)]) == 2
    shown = capsys.readouterr().err
    assert f"{results}: 2 folders not as written:" in shown
    assert f"  {shard}: is corrupt (its SHA-256 has changed); delete {shard.parent} and cut the patches again" in shown
    assert f"  {image}: has changed since the case was prepared; delete {image.parent} and prepare again" in shown


def test_what_no_case_stands_in_is_not_read(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_as_written([])
    assert main(["verify", str(results / "s" / "tiny" / "patches" / "none")]) == 2
    assert "no prepared images, patches or predictions below it; name another" in capsys.readouterr().err
