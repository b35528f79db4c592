"""Which folders make up cxrbench: every folder X at the root below becomes the package cxrbench.X.

pyproject.toml says the rest; it cannot say this, because it has no way to put found packages under a new name.
"""

from __future__ import annotations

from setuptools import find_namespace_packages, setup

FLOORS = ("bench", "data", "foundation", "pretrain", "results", "stats", "tasks", "training")
DATA_FILES = ("*.toml", "*.csv", "*.json", "*.md", "*.html", "*.css", "*.R", "*.js")

# Namespace packages, because folders that hold only data files (pretrain/zoo) have no __init__.py.
folders = find_namespace_packages(include=[pattern for floor in FLOORS for pattern in (floor, f"{floor}.*")])
packages = [f"cxrbench.{folder}" for folder in folders if "__pycache__" not in folder]

setup(
    packages=packages,
    package_dir={f"cxrbench.{floor}": floor for floor in FLOORS},
    package_data={"": list(DATA_FILES)},
)
