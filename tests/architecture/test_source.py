"""The rules of the architecture that can be read off the package's source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hakken import plugins

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "hakken"
MODULES = sorted(PACKAGE.rglob("*.py"))
# A package may import from those further up and from itself; the lower ones of this list know nothing of each other's
# insides. docs/concepts/architecture.md says what each is for.
ORDER = [
    "core",
    "plugins",
    "study",
    "cohort",
    "imaging",
    "patches",
    "search",
    "seal",
    "evaluation",
    "anatomy",
    "phantoms",
    "networks",
    "inference",
    "training",
    "outcomes",
    "methods",
    "baselines",
    "runs",
    "plots",
    "report",
    "figures",
    "cluster",
    "stages",
    "commands",
    "cli",
]
CONTRACTS = {"hakken.phantoms", "hakken.methods", "hakken.outcomes", "hakken.figures"}
"""Modules that say what a plug-in of their kind must hold; who loads plug-ins may import them."""


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "hakken"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in NAMES else node.module)
    return frozenset(found)


def roots(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imports(path)}


def in_packages(*packages: str) -> list[Path]:
    return [path for path in MODULES if package_of(name_of(path)) in packages]


def body_of(node: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function behind its docstring."""
    return node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body


def test_modules_and_functions_are_short() -> None:
    long = [f"{name_of(path)}: a module" for path in MODULES if len(path.read_text().splitlines()) > 400]
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - body_of(node)[0].lineno >= 55:
                long.append(f"{name_of(path)}: {node.name}")
    assert long == []


def test_every_package_stands_in_the_order_and_on_the_page() -> None:
    found = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    found |= {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert found == set(ORDER)
    page = (ROOT / "docs/concepts/architecture.md").read_text()
    assert [name for name in ORDER if f"`{name}`" not in page] == []


def test_imports_point_one_way() -> None:
    place = {name: number for number, name in enumerate(ORDER)}
    wrong = [
        f"{name} imports {module}"
        for name, path in NAMES.items()
        for module in imports(path)
        if module.startswith("hakken.") and module not in CONTRACTS and name != "hakken"
        if place[package_of(module)] > place[package_of(name)]
    ]
    assert wrong == []


def test_no_import_cycle() -> None:
    graph = {
        name: {found for found in imports(path) if found in NAMES and found != name} for name, path in NAMES.items()
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


def named_plugins(path: Path) -> Iterator[str]:
    """Names of plug-ins that a module imports, or writes as a text of their own."""
    own = package_of(name_of(path))
    for kind in plugins.KINDS:
        if own == kind:
            continue
        for name in plugins.names(kind):
            module = f"hakken.{kind}.{name}"
            if any(found == module or found.startswith(f"{module}.") for found in imports(path)):
                yield module


SYSTEMS_OWN = {"hakken.stages.unet_costs", "hakken.stages.glow_memory"}
"""Stages of a system's own rules, which know their system."""


def test_nothing_but_plug_ins_knows_a_plug_in_by_name() -> None:
    common = ("core", "study", "cohort", "imaging", "patches", "search", "training", "runs", "stages", "cluster")
    wrong = {
        name_of(path): found
        for path in in_packages(*common)
        if name_of(path) not in SYSTEMS_OWN and (found := list(named_plugins(path)))
    }
    assert wrong == {}


def test_the_package_knows_nothing_of_the_workflow_engine() -> None:
    # What jobs ask for is merged from rules, profile and study by the engine alone: its dry run is asked, not imported.
    spoken = {"hakken.commands.doctor", "hakken.commands.profile", "hakken.cluster.requests", "hakken.runs.beside"}
    spoken |= {"hakken.commands.plan"}
    assert [name for name, path in NAMES.items() if "snakemake" in roots(path)] == []
    assert {name for name, path in NAMES.items() if "snakemake" in path.read_text().lower()} <= spoken


def test_only_plots_import_matplotlib() -> None:
    using = {package_of(name_of(path)) for path in MODULES if "matplotlib" in roots(path) and not typing_alone(path)}
    assert using == {"plots"}


def typing_alone(path: Path) -> bool:
    """Whether matplotlib is imported for annotations alone."""
    blocks = [
        node for node in tree_of(path).body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    inside = {id(node) for block in blocks for node in ast.walk(block)}
    found = [
        node
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "matplotlib"
    ]
    return all(id(node) in inside for node in found)


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("evaluation", {"torch", "matplotlib", "pathlib", "pandas", "csv", "json", "os", "SimpleITK", "nibabel"}),
        ("plots", {"torch", "pandas", "json", "SimpleITK", "nibabel"}),
        ("study", {"torch", "numpy", "pandas", "matplotlib", "SimpleITK", "nibabel"}),
        ("outcomes", {"torch", "matplotlib"}),
    ],
)
def test_what_a_package_does_without(package: str, forbidden: set[str]) -> None:
    assert {name_of(path): found for path in in_packages(package) if (found := forbidden & roots(path))} == {}


def test_in_the_search_only_the_ledger_touches_files() -> None:
    files = {"pathlib", "os", "tempfile", "shutil", "hakken.core.files"}
    touching = {path.stem for path in in_packages("search") if files & imports(path)}
    assert touching == {"ledger", "lease"}


def test_networks_are_torch_modules_and_nothing_else() -> None:
    allowed = {"torch", "hakken", "__future__", "math", "dataclasses", "collections", "typing", "itertools"}
    assert {name_of(path): found for path in in_packages("networks") if (found := roots(path) - allowed)} == {}


def test_torch_files_are_read_without_running_code() -> None:
    calls = [
        (path, node)
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert calls
    for path, node in calls:
        chosen = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert chosen.get("weights_only") == "True", f"{path}:{node.lineno}"


def test_nothing_is_fetched() -> None:
    clients = {"urllib", "http", "ftplib", "smtplib", "xmlrpc", "requests", "urllib3", "httpx", "aiohttp"}
    fetching = ("torch.hub", "model_zoo", "load_state_dict_from_url", '"curl"', '"wget"')
    for path in MODULES:
        assert not clients & roots(path), path
        assert [word for word in fetching if word in path.read_text()] == [], path


CODE = [*MODULES, *(ROOT / "workflow").rglob("*.py")]
OPENERS = ("open", "read_text", "write_text", "fdopen")
NO_TEXT = ("gzip", "Image", "PatchStore")
"""Whose `open` gives bytes, or no file."""


def without_encoding(tree: ast.AST) -> Iterator[str]:
    """Yield the calls that read or write text in whatever encoding the user's locale names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (_opens_as_text(node) or _reads_another_as_text(node)):
            yield f"line {node.lineno}: {ast.unparse(node)[:60]}"


def _opens_as_text(node: ast.Call) -> bool:
    owner = getattr(getattr(node.func, "value", None), "id", "")
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
    given = [*node.args, *(one.value for one in node.keywords)]
    words = [word.value for word in given if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    binary = any("b" in word and len(word) < 4 for word in words)
    own = (
        owner in NO_TEXT
        or (owner, name) == ("os", "open")
        or (name in ("read_text", "write_text") and isinstance(node.func, ast.Name))
    )
    return name in OPENERS and not binary and not own and "encoding" not in {one.arg for one in node.keywords}


def _reads_another_as_text(node: ast.Call) -> bool:
    starts = getattr(node.func, "attr", "") in ("run", "Popen", "check_output")
    return starts and bool({"text", "universal_newlines"} & {one.arg for one in node.keywords})


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("path.read_text()", True),
        ("path.open()", True),
        ("open(path, 'w')", True),
        ("subprocess.run(command, text=True)", True),
        ("path.write_text(said)", True),
        ("(folder / name).write_text(said)", True),
        ("path.write_text(said, encoding='utf-8')", False),
        ("path.open('rb')", False),
        ("os.open(path, os.O_RDONLY)", False),
        ("write_text(path, said)", False),
    ],
)
def test_a_missing_encoding_is_seen(source: str, wrong: bool) -> None:
    assert bool([*without_encoding(ast.parse(source))]) == wrong


def test_text_has_an_encoding_whatever_the_locale() -> None:
    assert [f"{path.name}, {where}" for path in CODE for where in without_encoding(tree_of(path))] == []


def test_permissions_are_left_to_the_user_s_umask() -> None:
    """`tempfile` makes files that the group cannot read; a mode that is set makes some that others can."""
    words = re.compile(r"mkstemp|mkdtemp|NamedTemporaryFile|os\.umask|chmod\(|0o(?!666)[0-7]{3}")
    found = {name for name, path in NAMES.items() if words.search(path.read_text(encoding="utf-8"))}
    assert found == {"hakken.cluster.requests"}  # a command of its own, in a folder that goes again


def test_no_global_random_state() -> None:
    wrong = [path for path in MODULES if "np.random.seed" in path.read_text() or "import random\n" in path.read_text()]
    assert wrong == []


def test_tests_stand_where_their_modules_stand() -> None:
    folders = {
        path.name for path in (ROOT / "tests" / "unit").iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders <= set(ORDER)
