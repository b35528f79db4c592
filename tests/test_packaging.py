"""What a user gets: the wheel, installed away from the sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Folders at the root with Python files in them that are not installed. Any other one has to be in the wheel.
NOT_INSTALLED = {"tests", "benchmarks", "docs", "build", "dist"}


def packages() -> list[Path]:
    """The folders at the root that a wheel has to hold."""
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return [path for path in folders if path.name not in NOT_INSTALLED and any(path.rglob("*.py"))]


def shipped() -> set[str]:
    """Every file that the wheel has to hold, under the name it has there."""
    files = [path.relative_to(ROOT) for folder in packages() for path in folder.rglob("*") if path.is_file()]
    kept = [file for file in files if not any(part.startswith((".", "__pycache__")) for part in file.parts)]
    return {f"cxrbench/{file.as_posix()}" for file in kept}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that the build leaves nothing in the sources."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in packages():
        shutil.copytree(folder, copy / folder.name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel was installed into, without its dependencies."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*command, "--no-deps", "--target", str(target), str(wheel)], check=True, timeout=120)
    return target


def away(installed: Path, script: str) -> str:
    """What `script` prints where only the installed wheel and the dependencies can be imported."""
    # -S: site-packages is still on the path below, but the editable install's hook in it does not run.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), sysconfig.get_path("purelib")])}
    command = [sys.executable, "-S", "-c", script]
    done = subprocess.run(
        command, cwd=installed, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_every_file_of_every_package(wheel: Path) -> None:
    missing = shipped() - set(zipfile.ZipFile(wheel).namelist())
    assert missing == set(), "see FLOORS and DATA_FILES in setup.py"


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names - shipped() == set()


def test_wheel_puts_only_cxrbench_into_site_packages(wheel: Path) -> None:
    roots = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert roots == {"cxrbench", "cxrbench-0.1.0.dist-info"}


def test_wheel_states_licence_and_python(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("cxrbench-0.1.0.dist-info/METADATA").decode()
        assert "License-Expression: Apache-2.0" in metadata
        assert "Requires-Python: >=3.11" in metadata
        assert b"Apache License" in archive.read("cxrbench-0.1.0.dist-info/licenses/LICENSE")


def test_installed_wheel_imports_away_from_the_sources(installed: Path) -> None:
    places = json.loads(
        away(
            installed,
            "import json, cxrbench, cxrbench.data, cxrbench.data.phantom.case, cxrbench.foundation.errors\n"
            "found = [cxrbench.data, cxrbench.data.phantom.case, cxrbench.foundation.errors]\n"
            "print(json.dumps([*cxrbench.__path__, *(module.__file__ for module in found)]))",
        )
    )
    assert [place for place in places if not Path(place).is_relative_to(installed)] == []


def test_installed_wheel_knows_all_tasks_and_datasets(installed: Path) -> None:
    known = json.loads(
        away(
            installed,
            "import json\n"
            "from cxrbench.data.source import datasets\n"
            "from cxrbench.tasks.registry import tasks\n"
            "print(json.dumps({'datasets': datasets.names(), 'tasks': tasks.names()}))",
        )
    )
    assert known["tasks"] == sorted(path.stem for path in (ROOT / "tasks" / "catalog").glob("*.toml"))
    assert known["datasets"] == sorted(path.stem for path in (ROOT / "data" / "sources").glob("[!_]*.py"))


def test_console_script_of_the_installed_wheel_answers(installed: Path) -> None:
    help_text = away(
        installed,
        "import sys\n"
        "from importlib.metadata import distribution\n"
        "script = distribution('cxrbench').entry_points['cxrbench']\n"
        "assert script.value == 'cxrbench.bench.cli:main'\n"
        "sys.argv = ['cxrbench', '--help']\n"
        "script.load()()",
    )
    assert "run" in help_text
