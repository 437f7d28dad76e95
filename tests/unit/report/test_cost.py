"""Costs are read from benchmark files, whatever a killed run left of them."""

from __future__ import annotations

from pathlib import Path

from hakken.report.cost import StageCost, read_costs

HEADING = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def write(folder: Path, job: str, seconds: str, rss: str, cpu: str) -> None:
    path = folder / f"{job}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADING}{seconds}\t0:00:01\t{rss}\t0\t0\t0\t0\t0\t0\t{cpu}\n")


def test_jobs_of_a_stage_are_gathered(tmp_path: Path) -> None:
    write(tmp_path, "trial/search-0000", "10", "900.5", "18")
    write(tmp_path, "trial/search-0001", "30", "700", "50")
    write(tmp_path, "trial/search-0002", "20", "800", "22")
    write(tmp_path, "check/train-000", "1.5", "100", "1.25")
    check, trial = read_costs(tmp_path)
    assert check == StageCost("check", (1.5,), (1.25,), 100.0)
    assert (trial.stage, trial.jobs, trial.peak_mb) == ("trial", 3, 900.5)
    assert (trial.typical_seconds, trial.typical_cpu_seconds) == (20.0, 22.0)


def test_what_could_not_be_measured_is_nothing(tmp_path: Path) -> None:
    write(tmp_path, "freeze/freeze", "0.2", "-", "NA")
    (cost,) = read_costs(tmp_path)
    assert (cost.seconds, cost.cpu_seconds, cost.peak_mb) == ((0.2,), (0.0,), 0.0)


def test_files_of_a_killed_run_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "trial/a", "10", "1", "1")
    (tmp_path / "trial" / "b.tsv").write_text("")
    (tmp_path / "trial" / "c.tsv").write_text(HEADING)
    (tmp_path / "empty").mkdir()
    (cost,) = read_costs(tmp_path)
    assert cost.jobs == 1


def test_without_benchmarks_there_are_no_costs(tmp_path: Path) -> None:
    assert read_costs(tmp_path / "nowhere") == ()
