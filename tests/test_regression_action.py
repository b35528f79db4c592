"""The script of the GitHub action, with a stand-in for cxrbench that writes down what it was called with."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

ACTION = Path(__file__).parents[1] / ".github/actions/regression-check/action.yml"
FAKE = """#!/usr/bin/env bash
printf '%s\\n' "$@" > called
exit "${EXIT_CODE:-0}"
"""


def script() -> str:
    """The `run: |` block, as GitHub hands it to bash."""
    _, _, rest = ACTION.read_text(encoding="utf-8").partition("      run: |\n")
    return textwrap.dedent(rest.partition("\n    - if: always()")[0])


def ran(tmp_path: Path, **given: str) -> tuple[int, list[str] | None, str]:
    """Exit code, the arguments cxrbench got (None where it was not called), and the outputs."""
    fake = tmp_path / "bin" / "cxrbench"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(FAKE)
    fake.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{fake.parent}:{os.environ['PATH']}",
        "OUT": "out",
        "GITHUB_OUTPUT": "outputs",
        "GITHUB_STEP_SUMMARY": "page",
        **{name: "" for name in ("STORE", "RERUN", "ALLOW_INCONCLUSIVE")},
        "BASELINE": "b",
        **given,
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    called = tmp_path / "called"
    words = called.read_text().splitlines() if called.exists() else None
    return done.returncode, words, (tmp_path / "outputs").read_text()


def test_options_of_a_rerun_are_split_as_in_a_shell(tmp_path: Path) -> None:
    code, called, outputs = ran(tmp_path, RERUN='--data "a b" --set c=$(d)')
    assert (code, "exit-code=0\n" in outputs) == (0, True)
    assert called is not None
    assert called[called.index("--rerun") :] == ["--rerun", "--data", "a b", "--set", "c=$(d)"]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("rerun", ['--data "a', "--data 'a"])
def test_options_that_cannot_be_split_run_nothing(tmp_path: Path, rerun: str) -> None:
    code, called, outputs = ran(tmp_path, RERUN=rerun)
    assert (code, called, "exit-code=2\n" in outputs) == (2, None, True)
    assert "no answer (exit code 2)" in (tmp_path / "page").read_text()


def test_the_exit_code_is_that_of_the_check(tmp_path: Path) -> None:
    code, called, outputs = ran(tmp_path, STORE="s", ALLOW_INCONCLUSIVE="true", EXIT_CODE="1")
    assert (code, "exit-code=1\n" in outputs) == (1, True)
    assert called is not None
    assert called[-3:] == ["--store", "s", "--allow-inconclusive"]
