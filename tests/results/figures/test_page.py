from __future__ import annotations

import matplotlib
import pytest
from matplotlib.text import Text

from cxrbench.results.figures.page import Key, new_page, shortened, text_width, wrapped
from cxrbench.results.figures.style import PRINT, SMALL, WIDTH, EncoderName, line_styles, print_style, sign_notes

from .drawn import cut_off, texts

WORDS = "Mean over labels: Atelectasis, Cardiomegaly, Consolidation, Edema, Pleural Effusion, and others besides"


def test_a_page_is_8_cm_wide_has_the_room_asked_for_and_no_text_under_6_points() -> None:
    keys = [Key(style, name) for name, style in line_styles([f"encoder {number}" for number in range(12)]).items()]
    with print_style():
        page = new_page(WORDS, 2.0, synthetic=True, keys=keys, notes=[WORDS, "short"])
        axes = page.axes(0.5, 0.1, 2.0, 1.5)
    assert page.figure.get_size_inches()[0] == pytest.approx(8 / 2.54, abs=0.01)
    width, height = page.figure.get_size_inches()
    box = axes.get_position()
    assert (box.width * width, box.height * height) == pytest.approx((2.0, 1.5))
    sizes = [
        float(each.get_fontsize()) for each in page.figure.findobj(Text) if isinstance(each, Text) and each.get_text()
    ]
    assert min(sizes) >= SMALL == 6.0
    assert cut_off(page.figure) == []
    assert "SYNTHETIC phantom data" in texts(page.figure)


def test_lines_fit_and_lose_no_word() -> None:
    lines = wrapped(WORDS, SMALL, 1.5)
    assert " ".join(lines) == WORDS
    assert all(text_width(line, SMALL) <= 1.5 for line in lines)


def test_a_word_that_is_too_long_is_broken_after_a_joint_where_one_is_near() -> None:
    lines = wrapped("mocov2_mimic_cxr_800ep_resnet50_batch512", SMALL, 1.2)
    assert "".join(lines) == "mocov2_mimic_cxr_800ep_resnet50_batch512"
    assert lines[0].endswith("_")
    assert "".join(wrapped("x" * 90, SMALL, 0.5)) == "x" * 90
    assert wrapped("", SMALL, 1.0) == []


def test_an_id_keeps_both_ends() -> None:
    name = "1.2.276.0.7230010.3.1.4.8323329.75.1517875075.593926"
    short = shortened(name, SMALL, 1.0)
    start, end = short.split("…")
    assert name.startswith(start)
    assert name.endswith(end)
    assert 0.8 < text_width(short, SMALL) <= 1.0
    assert shortened("abc", SMALL, 1.0) == "abc"


def test_the_style_leaves_what_the_user_configured_alone() -> None:
    with matplotlib.rc_context({"font.size": 33.0, "lines.linewidth": 9.0, "hatch.linewidth": 5.0}):
        with print_style():
            assert matplotlib.rcParams["font.size"] == PRINT["font.size"]
            assert matplotlib.rcParams["hatch.linewidth"] != 5.0
        assert matplotlib.rcParams["font.size"] == 33.0
        assert matplotlib.rcParams["lines.linewidth"] == 9.0


def test_many_encoders_all_look_different() -> None:
    styles = line_styles([str(number) for number in range(280)])
    assert len({(each.colour, str(each.dashes), each.marker) for each in styles.values()}) == 280


def test_signs_are_those_of_tables_and_are_explained() -> None:
    names = [EncoderName("a", contaminated=True, left_out=3), EncoderName("b", unverified=True), EncoderName("$c$")]
    assert [str(name) for name in names] == ["a ‡¶", "b ‖", "$c$"]
    assert sign_notes(names) == [
        "‡ saw images of this dataset in pretraining.",
        "¶ 3 images of the dataset left out.",
        "‖ unverified weights.",
    ]
    assert sign_notes(names[2:]) == []
    assert WIDTH == 3.15
