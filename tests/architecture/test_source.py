"""The rules of the house that can be read off the package's source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "hakken"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Rooms may import from rooms further left or from their own; lower rooms know nothing of higher ones.
ORDER = [
    {"errors", "names", "seeds", "files", "columns", "problems", "console", "volume", "study", "studyfile"},
    {"imaging"},
    {"cohort", "search", "evaluation", "patches"},
    {"networks"},
    {"inference"},
    {"tasks"},
    {"training"},
    {"figures", "report"},
    {"cluster"},
    {"stages"},
    {"commands"},
    {"cli"},
]
NAMES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in MODULES}
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "hakken"


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in NAMES else node.module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_and_modules_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    here = room_of(name_of(path))
    for module in imports(path):
        if module.startswith("hakken.") and here in LEVEL:
            there = room_of(module)
            if there in LEVEL:
                assert LEVEL[there] < LEVEL[here] or there == here or LEVEL[here] == 0, f"{here} imports {module}"


def test_no_import_cycle() -> None:
    known = {name_of(path): path for path in MODULES}
    graph = {
        name: {found for found in imports(path) if found in known and found != name} for name, path in known.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_package_knows_nothing_of_the_workflow_engine(path: Path) -> None:
    of_the_installation = path.name in ("doctor.py", "profile.py")
    # What jobs ask for is merged from rules, profile and study by the engine alone: its dry run is asked, not imported.
    asks_the_engine = name_of(path) == "hakken.cluster.requests"
    assert of_the_installation or asks_the_engine or "snakemake" not in path.read_text().lower()
    assert not any(module.split(".")[0] == "snakemake" for module in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_figures_import_matplotlib(path: Path) -> None:
    uses = any(module.split(".")[0] == "matplotlib" for module in imports(path))
    assert not uses or room_of(name_of(path)) == "figures"


@pytest.mark.parametrize("path", sorted((PACKAGE / "evaluation").rglob("*.py")), ids=name_of)
def test_evaluation_is_numbers_in_numbers_out(path: Path) -> None:
    forbidden = {"torch", "matplotlib", "pathlib", "pandas", "csv", "json", "os", "SimpleITK", "nibabel"}
    assert not forbidden & {module.split(".")[0] for module in imports(path)}
    assert "hakken.core.files" not in imports(path)


@pytest.mark.parametrize("path", sorted((PACKAGE / "search").glob("*.py")), ids=name_of)
def test_in_the_search_only_the_ledger_touches_files(path: Path) -> None:
    touches = {"pathlib", "os", "tempfile", "shutil", "hakken.core.files"} & imports(path)
    assert not touches or path.stem in {"ledger", "lease", "publish"}, f"{path.stem} imports {touches}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "networks").rglob("*.py")), ids=name_of)
def test_networks_are_torch_modules_and_nothing_else(path: Path) -> None:
    allowed = {"torch", "hakken", "__future__", "math", "dataclasses", "collections", "typing", "itertools"}
    assert {module.split(".")[0] for module in imports(path)} <= allowed


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_torch_files_are_read_without_running_code(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            chosen = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert chosen.get("weights_only") == "True", f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_fetched(path: Path) -> None:
    clients = {"urllib", "http", "ftplib", "smtplib", "xmlrpc", "requests", "urllib3", "httpx", "aiohttp"}
    assert not clients & {module.split(".")[0] for module in imports(path)}
    fetching = ("torch.hub", "model_zoo", "load_state_dict_from_url", '"curl"', '"wget"')
    assert [word for word in fetching if word in path.read_text()] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_global_random_state(path: Path) -> None:
    text = path.read_text()
    assert "np.random.seed" not in text
    assert "import random\n" not in text
