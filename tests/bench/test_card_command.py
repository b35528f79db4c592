from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from cxrbench.bench.cli import main
from cxrbench.bench.commands.data.card import _print
from cxrbench.data.card import read_card
from cxrbench.data.phantom.dataset import write_phantom_dataset


def run(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["cxrbench", "data", "card", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.mark.parametrize("width", [80, 160])
def test_a_card_fits_the_terminal_and_loses_nothing(width: int) -> None:
    for name in ("node21", "chexpert", "vindr"):
        console = Console(width=width, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
        card = read_card(name)
        _print(console, name, card)
        text = console.export_text()
        assert max(map(len, text.splitlines())) <= width
        words = text.split()
        for sentence in (card.title, card.description, card.citation, *card.traps, *card.forbids):
            assert set(sentence.split()) <= set(words)
        for key, count in card.counts.items():
            assert f"{count:,}" in words, key


def test_it_is_printed_with_licence_counts_and_traps(monkeypatch, capsys) -> None:
    code, out, _ = run(["node21"], monkeypatch, capsys)
    assert code == 0
    assert out.startswith("node21  NODE21\n")
    assert "CC BY-NC-ND 4.0 (https://creativecommons.org/licenses/by-nc-nd/4.0/)" in out
    assert "4,882" in out


def test_croissant_lists_the_images_where_a_folder_is_given(tmp_path: Path, monkeypatch, capsys) -> None:
    write_phantom_dataset("node21", tmp_path / "phantom", 8, 32, rib_free=False)
    file = tmp_path / "out" / "node21.json"
    code, out, err = run(["node21", "--croissant", str(file)], monkeypatch, capsys)
    assert (code, out, err) == (0, "", f"wrote {file}\n")
    assert "recordSet" not in json.loads(file.read_text())
    code, _, err = run(["node21", "--croissant", str(file), "--data", str(tmp_path / "phantom")], monkeypatch, capsys)
    assert code == 0
    assert err.splitlines() == [
        f"wrote {file.with_name(name)}" for name in ("node21.json", "node21-samples.parquet", "node21-boxes.parquet")
    ]
    assert len(pd.read_parquet(file.with_name("node21-samples.parquet"))) == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["node12"], "unknown dataset 'node12'; did you mean 'node21'?"),
        (["node21", "--data", "."], "name it with --croissant FILE"),
        (["node21", "--croissant", "."], "it is a folder; name a file"),
        (["node21", "--croissant", "a.json", "--data", "nowhere"], "no folder nowhere"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, monkeypatch, capsys, arguments: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(arguments, monkeypatch, capsys)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1
