"""An encoder's TOML after an audit: one name more, and everything else as the user wrote it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.contamination import add_contamination
from cxrbench.pretrain.zoo_entry import read_zoo_entry

GOOD = """# my encoder
title = "mine"   # as in the paper
arch = "resnet18"
channels = 1
mean = [0.5]
std = [0.25]
"""
RANDOM = 'initialisation = "kaiming"\n'
WEIGHTS = '\n[weights]\n# on the group\'s disk\nfile = "a.pth"\naddress = "https://example.org"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GOOD + WEIGHTS, GOOD + 'contamination = ["nih14"]\n' + WEIGHTS),
        (GOOD + RANDOM, GOOD + RANDOM + 'contamination = ["nih14"]\n'),
        (
            GOOD + 'contamination = ["chexpert"] # known\n' + WEIGHTS,
            GOOD + 'contamination = ["chexpert", "nih14"] # known\n' + WEIGHTS,
        ),
        (
            GOOD + 'contamination = [\n  "chexpert", # one\n]\n' + RANDOM,
            GOOD + 'contamination = [\n  "chexpert", # one\n  "nih14",\n]\n' + RANDOM,
        ),
    ],
    ids=["before a table", "at the end", "one line", "several lines"],
)
def test_one_name_is_added_and_nothing_else_changes(before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(before)
    assert add_contamination(path, "nih14")
    assert path.read_text() == after
    assert not add_contamination(path, "nih14")
    assert path.read_text() == after
    assert read_zoo_entry(path).entry.contamination[-1] == "nih14"


def test_mode_links_and_line_endings_stay(tmp_path: Path) -> None:
    path = tmp_path / "real.toml"
    path.write_bytes((GOOD + RANDOM).replace("\n", "\r\n").encode())
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    assert add_contamination(link, "nih14")
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes().startswith((GOOD + RANDOM).replace("\n", "\r\n").encode())
    assert sorted(os.listdir(tmp_path)) == ["link.toml", "real.toml"]  # noqa: PTH208


def test_what_is_no_encoder_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('name = "not an encoder"\n')
    with pytest.raises(UserError, match="unknown key 'name'"):
        add_contamination(path, "nih14")
    assert path.read_text() == 'name = "not an encoder"\n'


def test_the_list_of_pretraining_images_is_beside_the_toml(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("00000001_000.png\n")
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + RANDOM + 'pretraining_images = "list.txt"\n')
    encoder = load_encoder(f"mine={path}")
    assert encoder.meta.pretraining_images == str(tmp_path / "list.txt")
    assert encoder.meta.pretraining_images_sha256 == hashlib.sha256(b"00000001_000.png\n").hexdigest()
    # Fresh copies and new seeds are still of the same list, and the weights' hash does not depend on it.
    assert encoder.fresh(3).meta.pretraining_images == str(tmp_path / "list.txt")
    path.write_text(GOOD + RANDOM)
    without = load_encoder(f"mine={path}")
    assert without.meta.sha256 == encoder.meta.sha256
    assert (without.meta.pretraining_images, without.meta.pretraining_images_sha256) == (None, None)


def test_a_list_that_is_not_there_is_an_error_before_weights_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + 'pretraining_images = "gone.txt"\n' + WEIGHTS)
    with pytest.raises(UserError, match=r"encoder mine: pretraining_images .*gone\.txt cannot be read"):
        load_encoder(f"mine={path}")
