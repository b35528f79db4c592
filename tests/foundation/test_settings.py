"""Dotted overrides of typed settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.settings import Settings, override, parse_assignment, read_toml, validated


class Inner(Settings):
    lr: float = Field(default=1e-3, gt=0)
    kind: str = "sgd"


class Outer(Settings):
    size: int = 224
    training: Inner = Inner()
    amounts: dict[str, dict[str, float]] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training.lr=1e-4", ("training.lr", 1e-4)),
        ("size=320", ("size", 320)),
        ("kind=adamw", ("kind", "adamw")),
        ('kind="a b"', ("kind", "a b")),
        ("on=true", ("on", True)),
        ("list=[1, 2]", ("list", [1, 2])),
    ],
)
def test_assignments_are_read_as_toml_values_or_text(text: str, expected: tuple[str, object]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["size", "=3", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="key=value"):
        parse_assignment(text)


def test_overrides_reach_nested_settings_and_leave_the_original() -> None:
    before = Outer()
    after = override(before, {"training.lr": 0.5, "size": 64}, "--set")
    assert (after.training.lr, after.size, after.training.kind) == (0.5, 64, "sgd")
    assert before.training.lr == 1e-3


def test_a_free_table_takes_new_keys() -> None:
    assert override(Outer(), {"amounts.modified.nodule": 300}, "--set").amounts == {"modified": {"nodule": 300.0}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training.learning_rate": 1}, r"--set: unknown setting 'training.learning_rate'"),
        ({"trainin.lr": 1}, r"did you mean 'training.lr'\?"),
        ({"lr": 1}, r"did you mean 'training.lr'\?"),
        ({"training.lr": -1}, r"--set: training.lr: Input should be greater than 0 \(given: -1\)"),
        ({"size": "big"}, r"--set: size: .*valid integer.*\(given: 'big'\)"),
    ],
)
def test_a_wrong_override_is_one_line_with_the_key(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        override(Outer(), values, "--set")
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_in_a_file_names_file_and_neighbour(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task\.toml: unknown key 'sise'; did you mean 'size'\?"):
        validated(Outer, {"sise": 3}, "task.toml")


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("size = \n")
    with pytest.raises(UserError, match=r"a\.toml: not a valid TOML file: .*line 1"):
        read_toml(path)
