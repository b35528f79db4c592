"""Bad input: one or two lines that name file, key or option and the way out, before any training."""

from __future__ import annotations

import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from cxrbench.bench.cli import main
from cxrbench.results import Store

Outcome = Callable[..., tuple[int, str]]
TREE = "CheXpert-v1.0-small"
RUN = ("run", "--protocol", "frozen", "--fractions", "100", "--set", "image_size=32")


@pytest.fixture
def outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, cache: Path
) -> Outcome:
    """Run the command line in this process; exit code and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str]:
        places = ("--store", tmp_path / "store", "--cache", cache) if arguments[0] == "run" else ()
        monkeypatch.setattr(sys, "argv", ["cxrbench", *(str(each) for each in (*arguments, *places))])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert not list(Store(tmp_path / "store").folders()), "something was run all the same"
        return int(caught.value.code or 0), said.strip()

    return run


@pytest.fixture
def copy(chexpert: Path, tmp_path: Path) -> Path:
    """A phantom of CheXpert that a test may break."""
    shutil.copytree(chexpert, tmp_path / "data")
    return tmp_path / "data"


def one_line(said: str, *parts: str) -> None:
    lines = [line for line in said.splitlines() if line.startswith("cxrbench: ")]
    assert len(lines) == 1, said
    assert len(said[said.index("cxrbench: ") :].splitlines()) <= 2, said
    for part in parts:
        assert part in said, f"{part!r} is not in: {said}"


def chexpert_run(data: object, *more: object) -> tuple[object, ...]:
    return (*RUN, "--encoder", "resnet18_scratch", "--task", "chexpert", "--data", data, *more)


def first_image(root: Path, table: str = "train.csv") -> Path:
    path = pd.read_csv(root / TREE / table)["Path"].iloc[0]
    return root / TREE / path.removeprefix(f"{TREE}/")


def test_missing_dataset_folder(outcome: Outcome) -> None:
    code, said = outcome(*chexpert_run("nowhere"))
    one_line(said, "nowhere", "--data")
    assert code == 2


def test_missing_table(outcome: Outcome, copy: Path) -> None:
    (copy / TREE / "train.csv").unlink()
    code, said = outcome(*chexpert_run(copy))
    one_line(said, "train.csv")
    assert code == 2


def test_renamed_column(outcome: Outcome, copy: Path) -> None:
    table = copy / TREE / "train.csv"
    table.write_text(table.read_text().replace("Cardiomegaly", "Cardiomegally", 1))
    code, said = outcome(*chexpert_run(copy))
    one_line(said, "train.csv", "Cardiomegaly")
    assert code == 2


def test_listed_image_that_is_absent(outcome: Outcome, copy: Path) -> None:
    image = first_image(copy)
    image.unlink()
    code, said = outcome(*chexpert_run(copy))
    one_line(said, f"no image train/{image.parent.parent.name}/", "--skip-unreadable")
    assert code == 2


@pytest.mark.parametrize("what", ["truncated", "empty", "html"])
def test_unreadable_image(outcome: Outcome, copy: Path, what: str) -> None:
    image = first_image(copy)
    whole = image.read_bytes()
    image.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "html": b"<!DOCTYPE html><p>no"}[what])
    code, said = outcome(*chexpert_run(copy))
    one_line(said, image.name)
    assert code == 2


def test_unknown_label_value(outcome: Outcome, copy: Path) -> None:
    path = copy / TREE / "train.csv"
    table = pd.read_csv(path)
    table["Edema"] = table["Edema"].astype(object)
    table.loc[3, "Edema"] = 7
    table.to_csv(path, index=False)
    code, said = outcome(*chexpert_run(copy))
    one_line(said, "train.csv", "Edema", "7")
    assert code == 2


def test_patient_in_train_and_test(outcome: Outcome, tmp_path: Path) -> None:
    rows = ["image,label,patient_id,split"]
    (tmp_path / "six" / "images").mkdir(parents=True)
    for number, label in enumerate(SIX * 6):
        name = f"{number}.png"
        cv2.imwrite(str(tmp_path / "six" / "images" / name), _noise(number))
        split = ("train", "val", "test")[number // 12]
        patient = "shared" if number in (0, 30) else f"p{number}"
        rows.append(f"{name},{label},{patient},{split}")
    (tmp_path / "six" / "labels.csv").write_text("\n".join(rows) + "\n")
    code, said = outcome(*RUN, "--encoder", "resnet18_scratch", "--task", "six_class", "--data", tmp_path / "six")
    one_line(said, "shared", "train", "test")
    assert code == 1


SIX = ["normal", "nodule", "consolidation", "interstitial_opacity", "pleural_effusion", "pneumothorax"]


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64), dtype=np.uint8)


def six_class_folders(root: Path, image: Callable[[Path, int], None]) -> Path:
    for split in ("train", "val", "test"):
        for label in SIX:
            (root / split / label).mkdir(parents=True)
            for number in range(2):
                image(root / split / label / f"{split}{label}{number}", number)
    return root


def test_empty_class(outcome: Outcome, tmp_path: Path) -> None:
    def image(path: Path, number: int) -> None:
        cv2.imwrite(f"{path}.png", _noise(number + len(path.name)))

    root = six_class_folders(tmp_path / "six", image)
    shutil.rmtree(root / "train" / "nodule")
    (root / "train" / "nodule").mkdir()
    code, said = outcome(*RUN, "--encoder", "resnet18_scratch", "--task", "six_class", "--data", root)
    one_line(said, "nodule")
    assert code == 2


def test_16_bit_image_of_one_value(outcome: Outcome, tmp_path: Path) -> None:
    def image(path: Path, number: int) -> None:
        pixels = _noise(number).astype(np.uint16) * 100
        if "testnodule0" in path.name:
            pixels[:] = 1234
        cv2.imwrite(f"{path}.png", pixels)

    root = six_class_folders(tmp_path / "six", image)
    code, said = outcome(*RUN, "--encoder", "resnet18_scratch", "--task", "six_class", "--data", root)
    one_line(said, "testnodule0.png", "1234")
    assert code == 2


def test_dicom_without_pixels(outcome: Outcome, tmp_path: Path) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    def image(path: Path, number: int) -> None:
        if "testnodule0" not in path.name:
            cv2.imwrite(f"{path}.png", _noise(number))
            return
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file = FileDataset(f"{path}.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
        file.PatientID = "1"
        file.save_as(f"{path}.dcm")

    root = six_class_folders(tmp_path / "six", image)
    code, said = outcome(*RUN, "--encoder", "resnet18_scratch", "--task", "six_class", "--data", root)
    one_line(said, "testnodule0.dcm", "pixel")
    assert code == 2


@pytest.mark.parametrize("fraction", ["0", "101", "ten"])
def test_wrong_fraction(outcome: Outcome, chexpert: Path, fraction: str) -> None:
    code, said = outcome(*chexpert_run(chexpert, "--fractions", fraction))
    one_line(said, "--fractions", f"'{fraction}'")
    assert code == 2


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--encoder", "resnet18_scrach", "--task", "chexpert"), ("encoder", "did you mean 'resnet18_scratch'?")),
        (("--encoder", "resnet18_scratch", "--task", "chexprt"), ("task", "did you mean 'chexpert'?")),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--variant", "ful"), ("--variant", "default")),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--protocol", "forzen"), ("did you mean 'frozen'?",)),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--preset", "ches"), ("did you mean 'chess'?",)),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--set", "imagesize=3"), ("'image_size'",)),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--set", "image_size=3"), ("image_size", "32")),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--replicates", "0"), ("replicates",)),
        (("--encoder", "imagenet", "--task", "chexpert"), ("resnet50-0676ba61.pth", "0676ba61", "https://")),
        (("--encoder", "resnet18_scratch,resnet18_scratch=x.pth", "--task", "chexpert"), ("x.pth",)),
        (("--task", "chexpert"), ("--encoder", "ls encoders")),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--set", "augmentation=iffa"), ("'ifa'",)),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--set", 'labels.main=["Edma"]'), ("'Edema'",)),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--data", "chexprt=x"), ("'chexpert'",)),
        (("--encoder", "resnet18_scratch", "--task", "chexpert", "--set", "draw=3"), ("draw",)),
    ],
)
def test_wrong_names_and_values(
    outcome: Outcome, chexpert: Path, tmp_path: Path, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    code, said = outcome(*RUN, "--data", chexpert, *arguments)
    one_line(said, *parts)
    assert code == 2


class _RunsCode:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (exec, ("open('it_ran', 'w').close()",))


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        ("keys", ("mine.pth", "none of its 2 tensors fits")),
        ("channels", ("mine.pth", "conv1.weight [64, 5, 7, 7] instead of")),
        ("shapes", ("mine.pth", "layer1.0.conv1.weight")),
        ("pickle", ("mine.pth", "exec")),
        ("raw pickle", ("mine.pth",)),
        ("absent", ("mine.pth", "No such file")),
        ("html", ("mine.pth", "html")),
    ],
)
def test_wrong_checkpoint(outcome: Outcome, chexpert: Path, tmp_path: Path, what: str, parts: tuple[str, ...]) -> None:
    from cxrbench.pretrain import load_encoder

    path = tmp_path / "mine.pth"
    tensors = dict(load_encoder("resnet18_scratch").network.library().state_dict())
    if what == "keys":
        torch.save({"some.weight": torch.zeros(3), "other": torch.ones(2)}, path)
    elif what == "channels":
        torch.save({**tensors, "conv1.weight": torch.randn(64, 5, 7, 7)}, path)
    elif what == "shapes":
        torch.save({**tensors, "layer1.0.conv1.weight": torch.randn(64, 32, 3, 3)}, path)
    elif what == "pickle":
        torch.save({"state_dict": _RunsCode()}, path)
    elif what == "raw pickle":
        path.write_bytes(pickle.dumps({"state_dict": _RunsCode()}))
    elif what == "html":
        path.write_text("<html>moved</html>")
    encoder = f"resnet18_scratch={path}" if what == "channels" else f"mine={path}"
    code, said = outcome(*RUN, "--encoder", encoder, "--task", "chexpert", "--data", chexpert)
    one_line(said, *parts)
    assert code == 2
    assert not (tmp_path / "it_ran").exists()


def test_misspelt_key_in_the_configuration(outcome: Outcome, chexpert: Path, tmp_path: Path) -> None:
    (tmp_path / "cxrbench.toml").write_text('encodrs = ["scratch"]\n')
    code, said = outcome(*chexpert_run(chexpert))
    one_line(said, "cxrbench.toml", "'encodrs'", "did you mean 'encoders'?")
    assert code == 2


def test_store_that_cannot_be_written(outcome: Outcome, chexpert: Path, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    code, said = outcome(*chexpert_run(chexpert))
    one_line(said, "--store", "is a file; name a folder")
    assert code == 2


def test_cut_record_is_named_and_the_others_are_shown(
    chexpert: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cxrbench", *map(str, chexpert_run(chexpert, "--replicates", "2"))])
    monkeypatch.chdir(tmp_path)
    sys.argv += ["--store", str(tmp_path / "store"), "--cache", str(cache)]
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    cut = sorted((tmp_path / "store").rglob("record.json"))[0]
    cut.write_text(cut.read_text()[:200])
    sys.argv = ["cxrbench", "table", "--store", str(tmp_path / "store")]
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr()
    one_line(shown.err[shown.err.index("cxrbench: ") :], "record.json", "damaged", "remove its folder")
    assert "resnet18_scratch" in shown.out
    assert "one replicate" in shown.out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("table", "--store", "nowhere"), ("nowhere", "cxrbench run")),
        (("compare", "a", "b", "--task", "chexpert", "--store", "nowhere"), ("nowhere",)),
        (("data", "phantom", "--like", "chexprt", "--n", "3", "out"), ("did you mean 'chexpert'?",)),
        (("data", "phantom", "--like", "chexpert", "--n", "0", "out"), ("n=0",)),
        (("data", "phantom", "--like", "chexpert", "--size", "8", "out"), ("size=8",)),
        (("data", "prepare", "--task", "chexpert", "--data", "nowhere"), ("nowhere",)),
        (
            ("data", "splits", "export", "o.csv", "--task", "chexpert", "--data", "nowhere", "--fractions", "0"),
            ("--fractions",),
        ),
        (("ls", "records", "--store", "nowhere"), ("nowhere",)),
    ],
)
def test_other_commands(outcome: Outcome, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    code, said = outcome(*arguments)
    one_line(said, *parts)
    assert code == 2


def test_init_never_overwrites(outcome: Outcome, tmp_path: Path) -> None:
    (tmp_path / "cxrbench.toml").write_text("# mine\n")
    code, said = outcome("init")
    one_line(said, "cxrbench.toml is there already")
    assert code == 2
    assert (tmp_path / "cxrbench.toml").read_text() == "# mine\n"
