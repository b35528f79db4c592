"""The README's Python runs, and every command it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from cxrbench.bench.cli import app

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_statistics_in_python_run_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = (each for each in SNIPPETS if "cxrbench.stats" in each)
    exec(compile(snippet, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_snippets_compile() -> None:
    assert len(SNIPPETS) == 2
    for number, snippet in enumerate(SNIPPETS):
        compile(snippet, f"README.md, snippet {number}", "exec")


def test_every_command_it_names_exists() -> None:
    command = get_command(app)
    named = set(re.findall(r"(?:`|^    )cxrbench ([a-z]+)", README, re.MULTILINE))
    assert {"run", "compare", "table", "leaderboard", "check", "stats"} <= named
    assert named - set(command.commands) == set()  # type: ignore[attr-defined]


def test_nothing_was_left_to_be_filled_in() -> None:
    assert re.findall(r"\b(?:[A-Z]+_[A-Z_]+|TODO|FIXME|XXX)\b", README) == []
