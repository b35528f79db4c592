"""The HTML page: safe to embed, equal for equal boards, and used in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cxrbench.results.leaderboard.board import boards
from cxrbench.results.leaderboard.board_csv import boards_csv
from cxrbench.results.leaderboard.page import embedded_json, page
from cxrbench.results.leaderboard.ranking import rank
from cxrbench.results.record import Record

from .conftest import grid_of, metric_of, trials

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EVIL = "</script><img src=x onerror=alert(1)>"
ORDER = {"chess": 0.9, "mlvicx": 0.8, EVIL: 0.7, "imagenet": 0.6}


def records() -> list[Record]:
    """Six tasks on real data and one on phantoms; task a at two fractions, its dataset seen by one encoder."""
    weights = {"chess": {"sha256": "c" * 64, "contamination": ["a_data"]}}
    found = []
    for name, value in ORDER.items():
        own = {"weights": weights[name]} if name in weights else {}
        found += grid_of({name: [value] * 6}, "abcdef", synthetic=False, **own)
        # At 1 % the order is the other way round.
        found += trials(name, "a", [1 - value, 0.9 - value], fraction=1.0, synthetic=False, **own)
        found += grid_of({name: [value / 2]}, "b", synthetic=True, **own)
    return [*found, *trials("gap", "a", [0.95], synthetic=False)]


def text() -> str:
    return page([(board, rank(board)) for board in boards(records(), metric_of=metric_of)])


def test_embedded_json_cannot_end_its_element() -> None:
    shown = embedded_json({"name": EVIL, "more": "<!-- & \u2028"})
    assert not re.search(r"[<>&\u2028]", shown)
    assert json.loads(shown) == {"name": EVIL, "more": "<!-- & \u2028"}


def test_equal_boards_give_equal_pages_without_addresses() -> None:
    shown = text()
    assert shown == text()
    assert EVIL not in shown
    assert not re.search(r"https?://|@import|url\(", shown)
    assert "default-src 'none'" in shown


def test_a_page_of_phantoms_says_so_in_its_title() -> None:
    (board,) = boards(grid_of({"x": [0.5]}, "a"), metric_of=metric_of)
    assert "<title>SYNTHETIC: " in page([(board, rank(board))])
    assert "<title>SYNTHETIC" not in text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "leaderboard.html"
    file.write_text(text(), encoding="utf-8")
    return file


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Page]:
    """The page in a light browser of 1600 pixels; whatever it complains of or asks for fails the test."""
    context = browser.new_context(viewport={"width": 1600, "height": 900}, color_scheme="light", accept_downloads=True)
    shown = context.new_page()
    wrong: list[str] = []
    shown.on("console", lambda message: wrong.append(message.text))
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    # An address of what is inside the page is no request.
    asked: list[str] = []
    shown.on("request", lambda one: None if one.url.startswith(("data:", "blob:")) else asked.append(one.url))
    shown.goto(file.as_uri())
    yield shown
    context.close()
    assert wrong == []
    assert asked == [file.as_uri()]


def names(shown: Page) -> list[str]:
    return shown.locator("tbody th").all_inner_texts()


def heading(shown: Page, words: str) -> str:
    return (
        shown.locator("thead th", has=shown.get_by_role("button", name=words, exact=True)).get_attribute("aria-sort")
        or "none"
    )


def test_it_opens_with_the_best_rank_first_and_who_has_none_last(opened: Page) -> None:
    assert names(opened) == [*ORDER, "gap"]
    assert opened.locator("tbody tr").last.get_by_text("incomplete").is_visible()
    assert opened.locator("tbody tr").first.locator(".letters:visible").inner_text() == "a"
    assert opened.get_by_text("Friedman over 6 tasks").is_visible()


def test_a_click_sorts_best_first_and_a_second_one_turns_it(opened: Page) -> None:
    button = opened.get_by_role("button", name="a, 1 % of the training data, auc")
    button.click()
    assert names(opened) == [*reversed(ORDER), "gap"]
    assert heading(opened, "a, 1 % of the training data, auc") == "descending"
    button.click()
    # What has no value stays last.
    assert names(opened) == [*ORDER, "gap"]
    assert heading(opened, "a, 1 % of the training data, auc") == "ascending"
    assert opened.locator("[aria-sort]").count() == 1


def test_headings_sort_by_keyboard_and_keep_the_focus(opened: Page) -> None:
    opened.get_by_role("button", name="Encoder", exact=True).focus()
    opened.keyboard.press("Enter")
    assert names(opened) == sorted([*ORDER, "gap"])
    opened.keyboard.press("Space")
    assert names(opened) == sorted([*ORDER, "gap"], reverse=True)
    assert heading(opened, "Encoder") == "descending"


def test_tasks_and_fractions_filter_columns(opened: Page) -> None:
    columns = opened.locator("thead tr:nth-child(2) th")
    assert columns.count() == 7
    opened.locator("#tasks").get_by_role("button", name="a", exact=True).click()
    assert columns.count() == 2
    opened.locator("#fractions").get_by_role("button", name="1 %", exact=True).click()
    assert columns.locator("button").all_inner_texts() == ["1 %"]
    assert names(opened) == [*ORDER, "gap"]
    opened.locator("#tasks").get_by_role("button", name="All").click()
    opened.locator("#fractions").get_by_role("button", name="All").click()
    assert columns.count() == 7


def test_search_finds_encoders_by_part_of_their_name(opened: Page) -> None:
    opened.get_by_label("Encoder", exact=True).fill("CHE")
    assert names(opened) == ["chess"]
    opened.get_by_label("Encoder", exact=True).fill("nobody")
    assert names(opened) == []
    assert opened.get_by_text("No encoder has this in its name").is_visible()


def test_deviations_and_ranks_are_toggled(opened: Page) -> None:
    cell = opened.locator("tbody tr").first.locator("td[data-column='0']")
    assert cell.locator(".mean").inner_text() == "0.050"
    assert cell.locator(".sd").inner_text() == "± 0.071"
    opened.get_by_role("button", name="± SD").click()
    assert not cell.locator(".sd").is_visible()
    opened.get_by_role("button", name="Ranks").click()
    assert cell.locator(".mean").inner_text() == "4"


def test_a_cell_tells_replicates_settings_and_weights_on_hover_and_on_focus(opened: Page) -> None:
    details = opened.get_by_role("tooltip")
    opened.locator("tbody tr").first.locator("td[data-column='0']").hover()
    shown = details.inner_text()
    assert all(part in shown for part in ("0.0500 ± 0.0707", "settings-a", "cccccccccccc", "Contaminated"))
    opened.mouse.move(5, 5)
    assert not details.is_visible()
    opened.locator("tbody th").first.focus()
    opened.keyboard.press("ArrowDown")
    assert "mlvicx" in details.inner_text()
    opened.keyboard.press("Escape")
    assert not details.is_visible()


def test_contaminated_cells_are_marked(opened: Page) -> None:
    marked = opened.locator("tbody tr").first.locator(".mark:visible")
    # Its rank and both columns of the task.
    assert marked.count() == 3
    assert opened.locator("tbody tr").nth(1).locator(".mark:visible").count() == 0


def test_boards_are_apart_and_synthetic_ones_say_so(opened: Page) -> None:
    banner = opened.get_by_text("SYNTHETIC DATA")
    assert not banner.is_visible()
    opened.get_by_role("button", name="Frozen encoder, synthetic").click()
    assert banner.is_visible()
    assert sorted(names(opened)) == sorted(ORDER)
    assert opened.get_by_text("Ranks only, not tested: one task").is_visible()


def test_dark_follows_the_system_and_the_button(browser: Browser, file: Path, opened: Page) -> None:
    def ground(shown: Page) -> str:
        return shown.evaluate("getComputedStyle(document.body).backgroundColor")

    light = ground(opened)
    opened.get_by_role("button", name="Dark mode").click()
    dark = ground(opened)
    assert dark != light
    opened.get_by_role("button", name="Light mode").click()
    assert ground(opened) == light
    context = browser.new_context(color_scheme="dark")
    other = context.new_page()
    other.goto(file.as_uri())
    assert ground(other) == dark
    context.close()


@pytest.mark.parametrize("width", [390, 1600])
def test_only_the_table_scrolls_sideways(opened: Page, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 844})
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    table = opened.locator("#scroll")
    if width == 390:
        assert table.evaluate("it => it.scrollWidth > it.clientWidth")
    first = opened.locator("tbody th").first
    before = first.bounding_box()
    table.evaluate("it => { it.scrollLeft = 200 }")
    assert first.bounding_box() == before


def test_the_csv_of_the_page_is_that_of_the_command(opened: Page, tmp_path: Path) -> None:
    with opened.expect_download() as waiting:
        opened.get_by_role("button", name="Download CSV").click()
    waiting.value.save_as(tmp_path / "it.csv")
    ranked = [(board, rank(board)) for board in boards(records(), metric_of=metric_of)]
    assert (tmp_path / "it.csv").read_text(encoding="utf-8") == boards_csv(ranked)
