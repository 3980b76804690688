"""Imports go down only; each rule is a function over a source tree, and has a tree that breaks it."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "probes"

RANKS = (
    {"errors", "progress", "seed", "types", "metric", "planted"},
    {"config"},
    {"cache", "result"},
    {"corpus", "encoder", "task", "fit", "track", "report"},
    {"method"},
    {"study"},
    {"cli"},
    {"__init__"},  # the public names, lazily: the only module that may see them all
)
RANK = {module: rank for rank, modules in enumerate(RANKS) for module in modules}
SIBLINGS = {
    ("types", "errors"),
    ("metric", "errors"),
    ("metric", "seed"),
    ("metric", "types"),
    ("planted", "errors"),
    ("planted", "seed"),
}
ONLY_IN = {
    "pytorch_lightning": {"fit/stack.py", "encoder/predict.py"},
    "lightning": set(),  # the same library under a name that had malicious releases
    "wandb": {"track.py"},
    "typer": {"cli/app.py", "cli/cache.py", "cli/command.py", "cli/look.py"},
}
HEAVY = ("torch", "sklearn", "pytorch_lightning", "datasets", "wandb", "matplotlib")
IMPORT_ALL = """
import importlib, json, pkgutil, sys
for name in sys.argv[1].split(","):
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []) if "." in name else [], name + "."):
        importlib.import_module(found.name)
print(json.dumps([name for name in sys.argv[2].split(",") if name in sys.modules]))
"""


def sources(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def top_level(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def imports(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of every import of a file, also of those inside functions."""
    parents = (package.name, *path.relative_to(package).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if function in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def find_unranked(package: Path) -> list[str]:
    return sorted({top_level(path, package) for path in sources(package)} - RANK.keys())


def find_upward_imports(package: Path) -> list[str]:
    """Imports of a module of the same or a higher rank; a name of the package itself has the highest."""
    found = []
    for path in sources(package):
        importer = top_level(path, package)
        for line, name in imports(path, package):
            root, _, rest = name.partition(".")
            imported = rest.partition(".")[0]
            if root != package.name or imported == importer or (importer, imported) in SIBLINGS:
                continue
            if RANK.get(imported, RANK["__init__"]) >= RANK.get(importer, 0):
                found.append(f"{path.relative_to(package).as_posix()}:{line} imports {name}")
    return found


def find_confined_imports(package: Path) -> list[str]:
    found = []
    for path in sources(package):
        place = path.relative_to(package).as_posix()
        for line, name in imports(path, package):
            if place not in ONLY_IN.get(name.partition(".")[0], {place}):
                found.append(f"{place}:{line} imports {name}")
    return found


def find_long_files(package: Path) -> list[str]:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(package)}
    return [f"{path.relative_to(package).as_posix()} has {n} lines" for path, n in sizes.items() if n > 300]


def find_utils(package: Path) -> list[str]:
    return [path.relative_to(package).as_posix() for path in sources(package) if path.stem == "utils"]


def find_prints(package: Path) -> list[str]:
    found = []
    for path in sources(package):
        place = path.relative_to(package).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print" and not place.startswith("cli/"):
                found.append(f"{place}:{node.lineno} prints")
    return found


def find_loaded(names: Sequence[str], banned: Sequence[str], where: Path) -> list[str]:
    """Which of the banned modules a fresh interpreter holds after importing `names` with all their parts."""
    command = [sys.executable, "-c", IMPORT_ALL, ",".join(names), ",".join(banned)]
    run = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


RULES = (find_unranked, find_upward_imports, find_confined_imports, find_long_files, find_utils, find_prints)


def tree(tmp_path: Path, place: str, source: str) -> Path:
    """A package of one file."""
    path = tmp_path / "probes" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return tmp_path / "probes"


@pytest.mark.parametrize("rule", RULES)
def test_package_keeps_the_rule(rule):
    assert sources(PACKAGE)
    assert rule(PACKAGE) == []


@pytest.mark.parametrize(
    ("rule", "place", "source", "line", "name"),
    [
        (find_upward_imports, "metric/score.py", "import probes.cache", 1, "probes.cache"),
        (find_upward_imports, "fit/mlp.py", "from probes.task import word", 1, "probes.task.word"),
        (find_upward_imports, "task/word.py", "def f():\n    from ..fit import mlp", 2, "probes.fit.mlp"),
        (find_upward_imports, "study/plan.py", "from probes import cli", 1, "probes.cli"),
        (find_upward_imports, "study.py", "from probes import run", 1, "probes.run"),
        (find_upward_imports, "seed.py", "from . import errors", 1, "probes.errors"),
        (find_upward_imports, "types.py", "import probes.seed", 1, "probes.seed"),
        (find_upward_imports, "errors.py", "import probes", 1, "probes"),
        (find_upward_imports, "config/fit.py", "import_module('probes.fit')", 1, "probes.fit"),
        (find_confined_imports, "fit/bank.py", "import pytorch_lightning as pl", 1, "pytorch_lightning"),
        (find_confined_imports, "fit/stack.py", "import lightning.pytorch", 1, "lightning.pytorch"),
        (find_confined_imports, "cli.py", "from wandb import init", 1, "wandb.init"),
        (find_confined_imports, "study.py", "if x:\n    import typer", 2, "typer"),
    ],
)
def test_rule_finds_the_import_that_breaks_it(rule, place, source, line, name, tmp_path):
    assert rule(tree(tmp_path, place, source)) == [f"{place}:{line} imports {name}"]


@pytest.mark.parametrize(
    ("rule", "place", "source", "found"),
    [
        (find_unranked, "helper.py", "", "helper"),
        (find_unranked, "helper/inner.py", "", "helper"),
        (find_long_files, "cli.py", "\n" * 301, "cli.py has 301 lines"),
        (find_utils, "fit/utils.py", "", "fit/utils.py"),
        (find_prints, "study.py", "def f():\n    print(1)", "study.py:2 prints"),
    ],
)
def test_rule_finds_the_file_that_breaks_it(rule, place, source, found, tmp_path):
    assert rule(tree(tmp_path, place, source)) == [found]


@pytest.mark.parametrize(
    ("place", "source"),
    [
        (
            "fit/stack.py",
            "import pytorch_lightning\nfrom probes.fit import linear\nfrom probes.cache import store",
        ),
        ("metric/score.py", "from probes import errors, seed, types\nfrom .interval import bootstrap"),
        ("cli/command.py", "import typer\nfrom probes import study\nprint('probes.cli is imported')"),
        ("__init__.py", "from probes.cli import main\nfrom probes import study"),
    ],
)
def test_rules_pass_a_tree_that_keeps_them(place, source, tmp_path):
    assert [rule(tree(tmp_path, place, source)) for rule in RULES] == [[]] * len(RULES)


@pytest.mark.parametrize("module", ["metric", "types", "result", "report"])
def test_module_runs_without_torch(module):
    assert any(top_level(path, PACKAGE) == module for path in sources(PACKAGE)), "an empty folder imports too"
    assert find_loaded([f"probes.{module}"], ["torch"], CHECKOUT) == []


def test_importing_probes_loads_nothing_heavy():
    assert find_loaded(["probes"], HEAVY, CHECKOUT) == []


def test_loaded_modules_are_found_in_every_part(tmp_path):
    tree(tmp_path, "metric/score.py", "import torch")
    for place in ("probes/__init__.py", "probes/metric/__init__.py", "torch.py"):
        (tmp_path / place).touch()
    assert find_loaded(["probes.metric"], ["torch", "wandb"], tmp_path) == ["torch"]
