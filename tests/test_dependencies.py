"""What is imported is declared, what is declared is used, explained and pinned."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINNED_EXTRAS = ("demo", "dev", "r")

# Needed, though nothing of ours imports them by name.
NOT_IMPORTED = {
    "pylibjpeg": "pydicom's way to the two below",
    "pylibjpeg-openjpeg": "pydicom's decoder of JPEG 2000",
    "pylibjpeg-rle": "pydicom's quick decoder of run-length coding",
}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


REQUIRED = names(PROJECT["dependencies"])
EXTRAS = {extra: names(listed) for extra, listed in PROJECT["optional-dependencies"].items()}


def imported() -> dict[str, str]:
    """Distribution that each package imported by our code comes from -> one file that imports it."""
    distributions = packages_distributions()
    found: dict[str, str] = {}
    for folder in ("bench", "data", "foundation", "pretrain", "results", "stats", "tasks", "training"):
        for path in (ROOT / folder).rglob("*.py"):
            for package in _packages(path):
                if package not in sys.stdlib_module_names:
                    providers = {canonicalize_name(name) for name in distributions.get(package, [package])}
                    known = providers & (REQUIRED | set().union(*EXTRAS.values()))
                    found[min(known or providers)] = str(path.relative_to(ROOT))
    return found


def _packages(path: Path) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            packages.add(node.module.split(".")[0])
    return packages


def test_whatever_is_imported_is_declared() -> None:
    allowed = REQUIRED.union(*(listed for extra, listed in EXTRAS.items() if extra != "dev"))
    assert {name: file for name, file in imported().items() if name not in allowed} == {}


def test_whatever_is_declared_is_used() -> None:
    used = set(imported())
    assert REQUIRED - used - set(NOT_IMPORTED) == set(), "nothing imports these"
    assert set(NOT_IMPORTED) & used == set(), "imported after all: take it off the list"
    assert set(NOT_IMPORTED) - REQUIRED == set(), "no longer a dependency: take it off the list"


def test_each_dependency_has_its_line_of_reason() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \|(.*)\|$", (ROOT / "docs" / "dependencies.md").read_text("utf-8"), re.M)
    explained = {name for name, cells in rows if name != "package" and "---" not in name}
    assert explained == REQUIRED.union(*EXTRAS.values())
    assert [name for name, cells in rows if not cells.split("|")[-1].strip()] == []


def test_constraints_pin_what_setup_installs() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines]
    assert [str(pin) for pin in pins if len(pin.specifier) != 1 or not str(pin.specifier).startswith("==")] == []
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier)[2:])
    listed = [*PROJECT["dependencies"], *(text for e in PINNED_EXTRAS for text in PROJECT["optional-dependencies"][e])]
    for requirement in map(Requirement, listed):
        pinned = versions[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in pinned), requirement
