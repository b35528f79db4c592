"""The rules of the house: who may import whom, what a file may be, and what must stay quick."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up: a floor may import itself and what stands before it.
FLOORS = ("foundation", "data", "training", "pretrain", "tasks", "results", "bench")
PACKAGES = (*FLOORS, "stats")

MAX_LINES = 400
# Files that may be longer, each with the reason why it is still one room.
LONG_FILES: dict[str, str] = {}

NAMELESS = {"utils", "util", "helpers", "helper", "misc", "common"}

# What takes seconds to import and is not needed to say what there is.
HEAVY = (
    *("torch", "torchvision", "lightning_fabric", "timm", "lightly"),
    *("pandas", "albumentations", "cv2", "sklearn", "matplotlib"),
)

TEXT = {".py", ".toml", ".md", ".txt", ".yml", ".yaml", ".cff", ".csv", ".json", ""}
MACHINE_PATH = re.compile(r"(?<![\w.:/<>-])/(?:work|tmp|root|home|Users|mnt|scratch)/")
NEIGHBOUR = re.compile(r"\.\./+shared\b")
MAY_NAME_NEIGHBOUR = ".ci/run"


def sources() -> list[Path]:
    """All Python files of the packages, relative to the root."""
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def code() -> list[Path]:
    """All Python files of the repository, relative to the root."""
    own = [path.relative_to(ROOT) for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    return sorted([*sources(), *own, Path("setup.py")])


def texts() -> list[Path]:
    """All text files of the repository, relative to the root."""
    folders = (*PACKAGES, "tests", "benchmarks", "docs", ".ci", ".github")
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files = [path for path in (*ROOT.iterdir(), *inside) if path.is_file() and path.suffix in TEXT]
    return sorted(path.relative_to(ROOT) for path in files if path.name != ".git")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name (cxrbench.data.splits) of everything `path` imports, relative imports resolved."""
    package = ["cxrbench", *path.parent.parts]
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def floor_of(name: str) -> str | None:
    """The package of ours that a full module name lies in."""
    parts = name.split(".")
    return parts[1] if parts[0] == "cxrbench" and len(parts) > 1 else None


def may_import(importer: str, target: str) -> bool:
    if importer == target:
        return True
    if importer == "stats" or target not in PACKAGES:
        return False
    return target == "stats" or FLOORS.index(target) < FLOORS.index(importer)


@pytest.mark.parametrize(
    ("importer", "target", "allowed"),
    [
        ("bench", "foundation", True),
        ("tasks", "pretrain", True),
        ("results", "stats", True),
        ("data", "data", True),
        ("pretrain", "tasks", False),
        ("training", "pretrain", False),
        ("foundation", "stats", True),
        ("stats", "foundation", False),
    ],
)
def test_rule_of_floors_is_what_the_design_says(importer: str, target: str, allowed: bool) -> None:
    assert may_import(importer, target) is allowed


def test_relative_imports_are_resolved_to_full_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    file = tmp_path / "data" / "phantom" / "scene.py"
    file.parent.mkdir(parents=True)
    file.write_text("import os.path\nfrom . import case\nfrom ..keys import order\nfrom ...foundation import errors\n")
    assert [name for _, name in imported(file.relative_to(tmp_path))] == [
        "os.path",
        "cxrbench.data.phantom.case",
        "cxrbench.data.keys.order",
        "cxrbench.foundation.errors",
    ]


def test_no_file_imports_an_upper_floor() -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for path in sources()
        for line, name in imported(path)
        if (floor := floor_of(name)) is not None and not may_import(path.parts[0], floor)
    ]
    assert wrong == []


def test_imports_inside_the_packages_are_relative() -> None:
    wrong = []
    for path in sources():
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            wrong += [f"{path}:{name}" for name in names if name.split(".")[0] in ("cxrbench", *PACKAGES)]
    assert wrong == []


def test_package_inits_only_hand_on_names() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in sources()
        if path.name == "__init__.py"
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        if not _hands_on(node)
    ]
    assert wrong == []


def test_every_package_folder_has_an_init() -> None:
    assert [str(path) for path in sources() if not (ROOT / path.parent / "__init__.py").is_file()] == []


def test_files_are_one_room() -> None:
    lines = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in code()}
    long = {path for path, count in lines.items() if count > MAX_LINES}
    assert long - set(LONG_FILES) == set(), f"over {MAX_LINES} lines"
    assert set(LONG_FILES) - long == set(), "no longer an exception: take it off the list"


def test_file_names_say_what_is_inside() -> None:
    assert [str(path) for path in code() if NAMELESS & {path.stem, path.parent.name}] == []


def test_no_text_names_a_place_on_one_machine() -> None:
    wrong = []
    for path in texts():
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), start=1):
            neighbour = NEIGHBOUR.search(line) and str(path) != MAY_NAME_NEIGHBOUR
            if MACHINE_PATH.search(line) or neighbour:
                wrong.append(f"{path}:{number}: {line.strip()}")
    assert wrong == []


@pytest.mark.parametrize("arguments", [["--help"], ["ls", "tasks"], ["ls", "methods"]], ids=" ".join)
def test_command_line_answers_without_heavy_imports(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import json, sys\n"
        "from cxrbench.bench.cli import main\n"
        f"sys.argv = ['cxrbench', *{arguments!r}]\n"
        "code = 0\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    code = stop.code or 0\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(json.dumps({'code': code, 'loaded': loaded}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == {"code": 0, "loaded": []}
    assert done.stdout.strip()


def _hands_on(node: ast.stmt) -> bool:
    """True for what a package's __init__ may hold: a docstring, imports, and the lazy kind of them."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return all(isinstance(inner, ast.Import | ast.ImportFrom) for inner in node.body)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name.startswith("_")
        case ast.FunctionDef(name=name):
            return name in ("__getattr__", "__dir__")
    return False
