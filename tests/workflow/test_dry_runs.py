"""Every study at every scale with every profile: the plan of jobs stands, and GPUs go to the GPU rules alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from workflow_project import ROOT, Project, new_project

from hakken.runs.plan import Plan
from hakken.runs.table import main_runs, variant_runs
from hakken.study import Study
from hakken.study.reading import load_study

STUDIES = sorted((ROOT / "config" / "studies").glob("*.yaml"))
PUBLISHED = ROOT / "config" / "published.yaml"
OVERVIEW = "results/overview.md"
SCALING = "scaling: {processes: [1, 2]}\n"
PROFILES = sorted(path.name for path in (ROOT / "profiles").iterdir())
SCALES = {path.stem: tuple(yaml.safe_load(path.read_text())["scales"]) for path in STUDIES}
COMBINATIONS = [
    # Scales decide how many jobs there are, profiles what they ask for: not all pairs say something new.
    pytest.param(scale, profile, marks=[] if profile == "default" or scale == "tiny" else pytest.mark.slow)
    for scale in sorted({scale for scales in SCALES.values() for scale in scales})
    for profile in PROFILES
]


def write_stand_in_table(study: Path, folder: Path) -> None:
    """Where a study needs images that are not here, a table of files that only have to exist."""
    content = yaml.safe_load(study.read_text())
    table = content["cohort"].get("table")
    if not table:
        return
    path = folder / table
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [*content["channels"], content["cohort"].get("truth", "lesion_mask")]
    for name in columns:
        (path.parent / f"{name}.nii.gz").touch()
    cells = ",".join(f"{name}.nii.gz" for name in columns)
    rows = [f"case{part},patient{part},{part},{cells}" for part in ("train", "validation", "test")]
    path.write_text("\n".join([f"case_id,patient,split,{','.join(columns)}", *rows]) + "\n")


@pytest.mark.parametrize(("scale", "profile"), COMBINATIONS)
def test_dry_run_of_every_study(scale: str, profile: str, tmp_path: Path) -> None:
    names = [name for name, scales in SCALES.items() if scale in scales]
    config = "".join(f"  {name}: {scale}\n" for name in names)
    project = new_project(tmp_path / "project", f"studies:\n{config}cases_per_job: 50\n")
    for name in names:
        write_stand_in_table(ROOT / "config" / "studies" / f"{name}.yaml", project.folder)
    run = project.snakemake("--dry-run", "--profile", f"profiles/{profile}", "--quiet", "host")
    assert run.returncode == 0, run.stdout[-3000:]
    blocks = re.findall(r"^rule (\w+):\n((?: +.*\n)+)", run.stdout, flags=re.MULTILINE)
    for name in names:
        chosen = load_study(ROOT / "config" / "studies" / f"{name}.yaml", scale)
        jobs = [(rule, text) for rule, text in blocks if f" results/{name}/{scale}/" in text]
        plan, runs = Plan(chosen, None), (*main_runs(chosen), *variant_runs(chosen))
        own = [run for run in runs if plan.asks_in(run) == run]
        assert sum(rule == "trial" for rule, _ in jobs) == sum(run.trials for run in own), name
        assert sum(rule == "shared" for rule, _ in jobs) == len(runs) - len(own), name
        with_gpu = {rule for rule, text in jobs if re.search(r"\bgpu=[1-9]", text)}
        assert with_gpu == gpu_rules(chosen) | ({"shared"} if len(own) < len(runs) else set()), name


def gpu_rules(study: Study) -> set[str]:
    """The rules of a study that ask for a GPU."""
    own = {"unet": {"unet_costs"}, "glow": {"glow_memory"}}
    return {"trial", "predict"} | own.get(str(study.method), set())


def test_lint(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    shutil.rmtree(project.path("profiles"))
    run = project.snakemake("--lint")
    assert "Congratulations" in run.stdout, run.stdout[-3000:]


@pytest.mark.parametrize(
    ("profile", "key", "value"),
    [("cluster", "slurm_partition", "long"), ("pbs", "gpu_queue", "a100"), ("pjm", "project", "gz00")],
)
def test_the_names_of_a_site_reach_its_scheduler(profile: str, key: str, value: str, tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    path = project.path(f"profiles/{profile}/profile.v9+.yaml")
    text, count = re.subn(rf"^  (?:# )?{key}: \S+", f"  {key}: {value}", path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)
    run = project.snakemake("--dry-run", "--profile", f"profiles/{profile}", "--quiet", "host")
    assert run.returncode == 0, run.stdout[-3000:]
    assert re.search(rf"^rule trial:\n(?: +.*\n)*? +resources: .*\b{key}={value}\b", run.stdout, flags=re.MULTILINE)


def trial_resources(project: Project, profile: str, *arguments: str) -> dict[str, str]:
    """The resources of each training of a dry run, by its output."""
    run = project.snakemake("--dry-run", "--quiet", "host", "--profile", f"profiles/{profile}", *arguments)
    assert run.returncode == 0, run.stdout[-3000:]
    blocks = re.findall(r"^rule trial:\n((?: +.*\n)+)", run.stdout, flags=re.MULTILINE)
    found = {}
    for block in blocks:
        output = re.search(r"output: (\S+)", block)
        resources = re.search(r"resources: (.*)", block)
        assert output
        assert resources
        found[output[1].removeprefix("results/smoke/tiny/sweeps/")] = resources[1]
    return found


def test_a_training_on_several_machines_asks_for_them(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    study = project.path("config/studies/smoke.yaml")
    study.write_text(study.read_text().replace("training: {", "training: {nodes: 2, gpus_per_node: 4, "))
    for resources in trial_resources(project, "cluster").values():
        for wanted in ("gpu=8", "gres=gpu:4", "nodes=2", "tasks=2", "tasks_per_gpu=0", "mpi=srun"):
            assert wanted in resources.split(", "), resources


def test_scaling_trains_with_each_number_of_processes(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    study = project.path("config/studies/smoke.yaml")
    text = study.read_text()
    assert SCALING in text
    study.write_text(text.replace(SCALING, "scaling: {processes: [1, 2, 8], per_node: 4}\n"))
    found = trial_resources(project, "cluster", "scaling")
    asked = {
        output: {word for word in resources.split(", ") if word.startswith(("gpu=", "nodes=", "mpi="))}
        for output, resources in found.items()
    }
    assert asked == {
        "processes-1/trials/0000.json": {"gpu=1", "nodes=1"},
        "processes-2/trials/0000.json": {"gpu=2", "nodes=1"},
        "processes-8/trials/0000.json": {"gpu=8", "nodes=2", "mpi=srun"},
    }
    study.write_text(text.replace(SCALING, ""))
    said = project.snakemake("--dry-run", "scaling").stdout
    assert "no figure `scaling`: give one of smoke a section scaling" in said


def test_the_published_systems_come_out_of_one_call(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project", (ROOT / "config" / "config.yaml").read_text())
    published = [name for name, scale in yaml.safe_load(PUBLISHED.read_text())["studies"].items() if scale is not None]
    run = project.snakemake("--dry-run", "--quiet", "host", "--configfile", str(PUBLISHED), "--", OVERVIEW, "all")
    assert run.returncode == 0, run.stdout[-3000:]
    reports = re.findall(r"^    output: results/(\w+)/tiny/report\.html$", run.stdout, flags=re.MULTILINE)
    assert sorted(reports) == sorted(published)
    assert len(published) == 13
    assert f"    output: {OVERVIEW}" in run.stdout


def test_every_line_for_a_site_works_and_gpu_jobs_have_their_own(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project", "studies: {smoke_segmentation: tiny}\ncases_per_job: 8\n")
    path = project.path("profiles/cluster/profile.v9+.yaml")
    text, count = re.subn(r"^( +)# (\w+: )", r"\1\2", path.read_text(), flags=re.MULTILINE)
    assert count == 10
    path.write_text(text)
    run = project.snakemake("--dry-run", "--profile", "profiles/cluster", "--quiet", "host")
    assert run.returncode == 0, run.stdout[-3000:]
    blocks = dict(re.findall(r"^rule (\w+):\n((?: +.*\n)+)", run.stdout, flags=re.MULTILINE))
    on_gpus = {rule for rule, block in blocks.items() if "slurm_partition=gpu" in block}
    assert on_gpus == {"trial", "shared", "predict", "unet_costs"}
    for rule, block in blocks.items():
        own = ("gpu_model=a100", "constraint=nvlink") if rule in on_gpus else ("partition=cpu", "skylake|icelake")
        assert all(word in block for word in ("account=my_account", "qos=normal", *own)), (rule, block)
        assert ("gpu_model" in block) == (rule in on_gpus)
