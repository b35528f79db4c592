from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxrbench.data.folders_around import folders_around, real_paths


def test_the_common_folder_comes_first_then_those_above_then_those_below_level_by_level() -> None:
    found = folders_around(["/a/b/c/d/e/x", "/a/b/c/d/e/y/z"])
    assert [str(each) for each in found] == [
        *("/a/b/c/d/e", "/a/b/c/d", "/a/b/c", "/a/b"),
        *("/a/b/c/d/e/x", "/a/b/c/d/e/y", "/a/b/c/d/e/y/z"),
    ]
    assert folders_around([]) == []
    assert folders_around(["/"]) == []
    assert [str(each) for each in folders_around(["/a/b", "/c"])] == ["/a", "/c", "/a/b"]


def test_folders_of_patients_are_not_gone_into() -> None:
    patients = [f"/data/train/patient{number}/study1" for number in range(101)]
    found = folders_around([*patients, "/data/nih/images_001/images"])
    assert [str(each) for each in found] == [
        *("/data", "/data/nih", "/data/train", "/data/nih/images_001", "/data/nih/images_001/images"),
    ]


def test_links_of_files_and_of_folders_are_followed_and_missing_files_keep_their_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name in ("1.png", "2.png"):
        (tmp_path / "real" / name).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.png").symlink_to(tmp_path / "real" / "2.png")
    paths = pd.Series(["link/1.png", "mine/a.png", "real/../real//2.png", "real/absent.png", "nowhere/x.png", "y.png"])
    found = real_paths(tmp_path, paths)
    wanted = ["real/1.png", "real/2.png", "real/2.png", "real/absent.png", "nowhere/x.png", "y.png"]
    assert found.tolist() == [str(tmp_path.resolve() / name) for name in wanted]
