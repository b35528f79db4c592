from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.pretrain.method import MethodSettings, ours, stated
from cxrbench.pretrain.method_card import MethodCard, MethodSource
from cxrbench.pretrain.methods_page import method_rows, own_methods, page, training_rows, write_page

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
RENEW = "python -c \"from cxrbench.pretrain.methods_page import write_page; write_page('docs/methods.md')\""


class _Settings(MethodSettings):
    """Settings.

    Attributes:
        temperature: of the contrast.
        scales: which of them.
    """

    temperature: float = stated(0.2, "section 3", gt=0)
    scales: tuple[int, ...] = ours((), "none | all are tried")


class _Method:
    Settings = _Settings


def _source(**more: object) -> MethodSource:
    card = MethodCard(
        title="Made: up",
        source="Name 2020, arXiv:2001.00001; House: Other 2021, doi:10.1007/s10278-024-01032-x; org/code",
        builds="Made",
        loss=("L = |a - b|",),
        shapes="z [B, 8]; queue [4, 8]",
        views="moco",
        per_256=True,
        training={"optimiser": "lars", "lr": 3e-5, "batch_size": 64, "epochs": 300, "schedule": "cosine"},
        marks={
            "optimiser": "the paper",
            "lr": "ours: tried",
            "batch_size": "code",
            "schedule": "code",
            "views": "code",
        },
        differences=("the paper sums", "The code divides."),
        **more,  # type: ignore[arg-type]
    )
    return MethodSource(card, lambda: _Method)  # type: ignore[arg-type,return-value]


def test_the_page_says_what_the_cards_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(own_methods()), f"docs/methods.md is old; renew it: {RENEW}"


def test_write_page_writes_the_page(tmp_path: Path) -> None:
    write_page(tmp_path / "methods.md")
    assert (tmp_path / "methods.md").read_text(encoding="utf-8") == page(own_methods())


@pytest.mark.parametrize("name", own_methods())
def test_every_default_says_whose_it_is_and_every_setting_what_it_is(name: str) -> None:
    source = own_methods()[name]
    for key, _, meaning, whose in method_rows(source.load().Settings):
        assert meaning, f"{name}: {key} is not in the docstring of its settings"
        assert whose, f"{name}: {key} is neither stated nor ours"
    for key, _, whose in training_rows(source.card):
        assert whose, f"{name}: {key} has no mark in the card"


@pytest.mark.parametrize("name", own_methods())
def test_a_method_says_what_a_person_must_know(name: str) -> None:
    card = own_methods()[name].card
    assert "arXiv:" in card.source
    assert {"optimiser", "lr", "batch_size", "epochs", "schedule"} <= set(card.training)
    assert set(card.marks) <= {*card.training, "views", "image_size"}


def test_a_method_is_a_line_of_the_table_that_marks_what_is_ours() -> None:
    line = next(line for line in page({"made": _source()}).splitlines() if line.startswith("| [`made`](#made)"))
    assert line == (
        "| [`made`](#made)<br>Made<br>[Name 2020](https://arxiv.org/abs/2001.00001)"
        "<br>[Other 2021](https://doi.org/10.1007/s10278-024-01032-x)<br>[code](https://github.com/org/code) "
        "| `L = \\|a - b\\|` | views `moco`<br>224 px†<br>any encoder | z [B, 8]<br>queue [4, 8] "
        "| LARS,&nbsp;lr&nbsp;3e-5†&nbsp;per&nbsp;256<br>batch&nbsp;64<br>300†&nbsp;epochs<br>schedule&nbsp;cosine |"
    )


def test_a_section_has_equation_settings_and_differences() -> None:
    text = page({"made": _source(needs="stages", ifa=True)})
    section = text[text.index("## made") : text.index("## Settings of every method")]
    assert section.startswith(
        "## made\n\n**Made: up.**\n\nSource: Name 2020, [arXiv:2001.00001](https://arxiv.org/abs/"
    )
    assert "```text\nL = |a - b|\n```" in section
    assert "- encoder: feature maps\n" in section
    assert "--method made --ifa 3" in section
    assert "| `method.temperature` | `0.2` | of the contrast. | section 3 |\n" in section
    assert "| `method.scales` | `none` | which of them. | † ours: none \\| all are tried |\n" in section
    assert "| `training.lr` | `3e-5 for 256 images` | † ours: tried |\n" in section
    assert "| `training.epochs` | `300` | not stated |\n" in section
    assert section.endswith("Paper and released code:\n\n- The paper sums.\n- The code divides.\n\n")


def test_the_table_has_the_whole_loss_and_the_terms_that_it_names() -> None:
    def equations(name: str) -> list[str]:
        rows = (line for line in page(own_methods()).splitlines() if line.startswith(f"| [`{name}`](#{name})"))
        return next(rows).split(" | ")[1].split("<br>")

    assert [line.split(" = ")[0] for line in equations("moco_v2")] == ["`L", "`L_con", "`IFA_t"]
    assert len(equations("dira")) == 2
    assert equations("dira")[1].startswith("`+ 0.01")
    assert len(equations("byol")) == 2
    assert len(equations("vicreg")) == 1
