"""Names of ours, of plug-ins, and of included files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.registry import Registry, include, modules_in


def shelf() -> Registry[str]:
    return Registry("thing", "cxrbench.nothing", lambda: {"ours": lambda: "of ours"})


def test_registered_and_builtin_things_are_found_by_name() -> None:
    things = shelf()
    things.register("theirs", "of theirs")
    assert things.names() == ["ours", "theirs"]
    assert (things.get("ours"), things.get("theirs")) == ("of ours", "of theirs")


def test_a_mistyped_name_gets_its_neighbour() -> None:
    with pytest.raises(UserError, match=r"unknown thing 'our'; did you mean 'ours'\?"):
        shelf().get("our")


def test_one_name_for_two_things_is_refused() -> None:
    things = shelf()
    things.register("a", "x")
    things.register("a", things.get("a"))
    with pytest.raises(UserError, match="registered twice"):
        things.register("a", "y")


def test_nothing_is_imported_by_listing() -> None:
    things: Registry[object] = Registry("thing", "cxrbench.nothing", lambda: {"bomb": lambda: 1 / 0})
    assert things.names() == ["bomb"]
    with pytest.raises(ZeroDivisionError):
        things.get("bomb")


def test_modules_of_a_package_are_names() -> None:
    assert {"chexpert", "pediatric_pneumonia", "six_class"} <= set(modules_in("cxrbench.data.sources"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = x / 0\n", r"plugin\.py, line 2: ZeroDivisionError"),
        ("def f(:\n", r"plugin\.py, line 1: SyntaxError"),
        ("import nothing_of_that_name\n", r"line 1: ModuleNotFoundError"),
    ],
)
def test_a_broken_include_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plugin.py").write_text(text)
    with pytest.raises(UserError, match=message):
        include(tmp_path / "plugin.py")


def test_an_absent_include_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        include(tmp_path / "nothing.py")


def test_an_included_file_runs_once(tmp_path: Path) -> None:
    (tmp_path / "once.py").write_text(f"open({str(tmp_path / 'log')!r}, 'a').write('x')\n")
    include(tmp_path / "once.py")
    include(tmp_path / "once.py")
    assert (tmp_path / "log").read_text() == "x"
