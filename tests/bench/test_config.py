"""Options, cxrbench.toml, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.bench.commands.init import TEMPLATE
from cxrbench.bench.config import parse_data, parse_fractions, parse_list, run_config
from cxrbench.foundation.errors import UserError

GRID = {"encoders": ("scratch",), "tasks": ("chexpert",)}


def test_fractions_are_per_cents_each_once() -> None:
    assert parse_fractions("1,10,50,10%") == (1.0, 10.0, 50.0)
    assert parse_fractions(None) is None


@pytest.mark.parametrize("text", ["0", "101", "ten", "-1", "nan", "1,,2", "inf"])
def test_what_is_no_fraction_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match="--fractions"):
        parse_fractions(text)


def test_lists_drop_repeats_and_refuse_gaps() -> None:
    assert parse_list("--encoder", "a, b,a") == ("a", "b")
    with pytest.raises(UserError, match="--encoder 'a,,b': an entry is empty"):
        parse_list("--encoder", "a,,b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("folder", {"*": "folder"}),
        ("phantom", {"*": "phantom"}),
        ("phantom:n=60,size=64", {"*": "phantom:n=60,size=64"}),
        ("chexpert=a,nih14=b/c", {"chexpert": "a", "nih14": "b/c"}),
        ("a=phantom:n=60,size=64,b=x", {"a": "phantom:n=60,size=64", "b": "x"}),
    ],
)
def test_data_is_one_place_or_one_a_task(text: str, expected: dict[str, str]) -> None:
    assert parse_data(text) == expected


def test_a_folder_with_an_equals_sign_is_a_folder(tmp_path: Path) -> None:
    odd = tmp_path / "a=b"
    odd.mkdir()
    assert parse_data(str(odd)) == {"*": str(odd)}


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cxrbench.toml"
    file.write_text(
        'encoders = ["imagenet"]\ntasks = ["chexpert"]\njobs = 2\n[settings.training]\nlr = 0.1\nepochs = 3\n'
    )
    config = run_config({"encoders": ("scratch",), "tasks": None}, ["training.lr=0.2"], file)
    assert (config.encoders, config.tasks, config.jobs) == (("scratch",), ("chexpert",), 2)
    assert config.settings == {"training.lr": 0.2, "training.epochs": 3}


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    file = tmp_path / "cxrbench.toml"
    file.write_text('store = "results"\ninclude = ["mine.py"]\n[data]\nchexpert = "CheXpert"\nnih14 = "phantom"\n')
    config = run_config(GRID, (), file)
    assert config.store == tmp_path / "results"
    assert config.include == (tmp_path / "mine.py",)
    assert config.data == {"chexpert": str(tmp_path / "CheXpert"), "nih14": "phantom"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("encoder = ['a']\n", r"cxrbench\.toml: unknown key 'encoder'; did you mean 'encoders'\?"),
        ("jobs = 0\n", r"cxrbench\.toml: jobs: .*greater than or equal to 1"),
        ("fractions = [0, 150]\n", r"cxrbench\.toml: fractions: .*0.0 is not a per cent"),
        ("jobs = \n", r"cxrbench\.toml: not a valid TOML file"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cxrbench.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        run_config(GRID, (), file)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        run_config(GRID, (), tmp_path / "nothing.toml")


@pytest.mark.parametrize(("lacking", "option"), [("encoders", "--encoder"), ("tasks", "--task")])
def test_nothing_to_run_says_what_to_name(lacking: str, option: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    with pytest.raises(UserError, match=f"nothing to run: .*{option}"):
        run_config({**GRID, lacking: ()}, (), empty)


def test_data_that_was_not_given_is_asked_for() -> None:
    with pytest.raises(UserError, match="no data for task chexpert: give --data"):
        run_config(GRID, (), Path("/dev/null")).data_of("chexpert", "chexpert")


def test_the_template_of_init_is_a_valid_file(tmp_path: Path) -> None:
    file = tmp_path / "cxrbench.toml"
    file.write_text(TEMPLATE)
    config = run_config({}, (), file)
    assert config.encoders == ("efficientnet_lite0_imagenet", "efficientnet_lite0_scratch")
