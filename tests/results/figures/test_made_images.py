from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrbench.foundation.errors import UserError
from cxrbench.results.figures.image_grid import MOST_PANELS, refuse_columns
from cxrbench.results.figures.made_images import BONES, INVERSION, NODULES, MadeColumn, MadeKind, draw_made_images
from cxrbench.results.figures.panels import ResidualScale
from cxrbench.results.figures.style import EncoderName

from .drawn import cut_off, texts

SIDE = 16
GIVEN = np.stack([np.full((SIDE, SIDE), grey, np.uint8) for grey in (100, 200)])


def column(name: str, by: int, failed: Sequence[bool] = (False, False), contaminated: bool = False) -> MadeColumn:
    """What was made is `by` grey levels brighter than the original, in the upper half."""
    made = GIVEN.astype(int)
    made[:, : SIDE // 2] += by
    captions = ["" if each else f"PSNR {10 + by}.00" for each in failed]
    return MadeColumn(
        EncoderName(name, contaminated), f"PSNR of {name}", made.astype(np.uint8), captions, np.array(failed)
    )


def drawn(columns: list[MadeColumn], kind: MadeKind = INVERSION, **more: bool) -> Figure:
    given = dict.fromkeys(kind.given, GIVEN)
    return draw_made_images(kind, ["im_a", "im_b"], given, columns, title="A task", notes=["Which they are."], **more)


def panels(figure: Figure, columns: int) -> list[list[Axes]]:
    axes = [each for each in figure.axes if each.get_label() != "scale of residuals"]
    return [axes[start : start + columns] for start in range(0, len(axes), columns)]


def pixels(axes: Axes) -> np.ndarray:
    (image,) = axes.get_images()
    return np.asarray(image.get_array())


def test_a_residual_is_what_was_made_less_the_original() -> None:
    rows = panels(drawn([column("brighter", 7), column("darker", -20)]), 5)
    assert len(rows) == 2
    for row, grey in zip(rows, (100, 200), strict=True):
        original, first, first_left, second, second_left = map(pixels, row)
        assert set(original.ravel()) == {grey}
        assert set(first[: SIDE // 2].ravel()) == {grey + 7}
        assert (first_left[: SIDE // 2] == 7).all()
        assert (first_left[SIDE // 2 :] == 0).all()
        assert set(second[: SIDE // 2].ravel()) == {grey - 20}
        assert (second_left[: SIDE // 2] == -20).all()


def test_all_residuals_share_one_symmetric_scale_and_grey_is_never_stretched() -> None:
    figure = drawn([column("brighter", 7), column("darker", -20)])
    rows = panels(figure, 5)
    residuals = [each.get_images()[0] for row in rows for each in (row[2], row[4])]
    assert {each.get_clim() for each in residuals} == {(-20, 20)}
    assert len({each.get_cmap().name for each in residuals}) == 1
    # White where nothing differs, red where it is brighter, blue where it is darker.
    shades = np.asarray(residuals[0].to_rgba(np.array([-20, 0, 20])))
    assert shades[0, 2] > shades[0, 0]
    assert shades[1, :3].min() > 0.95
    assert shades[2, 0] > shades[2, 2]
    greys = [each.get_images()[0] for row in rows for each in (row[0], row[1], row[3])]
    assert {(each.get_clim(), each.get_cmap().name) for each in greys} == {((0, 255), "gray")}
    (bar,) = [each for each in figure.axes if each.get_label() == "scale of residuals"]
    assert bar.get_images()[0].get_clim() == (-20, 20)
    assert bar.get_images()[0].get_cmap().name == residuals[0].get_cmap().name
    assert [each.get_text() for each in bar.get_xticklabels()] == ["\N{MINUS SIGN}20", "0", "+20"]
    assert "reconstruction minus original, in grey levels" in texts(figure)


def test_a_few_bright_pixels_do_not_set_the_scale() -> None:
    quiet = np.zeros((100, 100), np.int16)
    quiet[:, :50] = -10
    quiet[0, :40] = 255
    scale = ResidualScale.of([quiet], "a minus b")
    assert (scale.limit, scale.beyond) == (10, 40 / 10_000)
    assert ResidualScale.of([], "").limit == 1
    assert ResidualScale.of([np.zeros((4, 4), np.int16)], "").limit == 1


def test_failed_images_are_blank_say_so_and_stay_out_of_the_scale() -> None:
    figure = drawn([column("fine", 5), column("nan", 90, (False, True)), column("never", 90, (True, True))])
    (first, second) = panels(figure, 7)
    assert [len(each.get_images()) for each in first] == [1, 1, 1, 1, 1, 0, 0]
    assert [len(each.get_images()) for each in second] == [1, 1, 1, 0, 0, 0, 0]
    assert [each.texts[0].get_text() for each in second[3:]] == ["failed"] * 4
    assert "Empty panels: failed; means leave them out." in texts(figure)
    assert "PSNR 100.00" in texts(figure)
    of_failed = drawn([column("fine", 5), column("never", 90, (True, True))])
    assert panels(of_failed, 5)[0][2].get_images()[0].get_clim() == (-5, 5)
    assert not any("failed" in each for each in texts(drawn([column("fine", 5)])))


def test_only_failed_images_are_drawn_too() -> None:
    figure = drawn([column("never", 1, (True, True))])
    assert [each.texts[0].get_text() for each in panels(figure, 3)[0][1:]] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("kind", "words", "columns", "bars"),
    [
        (INVERSION, ("original", "reconstruction", "residual"), 3, 1),
        (BONES, ("film", "target", "output", "residual", "output minus target, in grey levels"), 4, 1),
        (NODULES, ("masked", "real", "generated"), 3, 0),
    ],
)
def test_columns_are_named_and_encoders_stand_over_theirs(
    kind: MadeKind, words: tuple[str, ...], columns: int, bars: int
) -> None:
    figure = drawn([column("chess", 5, contaminated=True)], kind, synthetic=True)
    assert len(figure.axes) == 2 * columns + bars
    for expected in (*words, "im_a", "im_b", "chess ‡", "PSNR of chess", "PSNR 15.00", "Which they are.", "A task"):
        assert expected in texts(figure), expected
    assert "SYNTHETIC phantom data" in texts(figure)
    assert any("saw images of this dataset" in each for each in texts(figure))
    assert "SYNTHETIC phantom data" not in texts(drawn([column("chess", 5)], kind))


def test_bones_are_held_against_the_target_and_not_the_film() -> None:
    made = column("chess", 7)
    given = {"film": np.zeros_like(GIVEN), "target": GIVEN}
    figure = draw_made_images(BONES, ["a", "b"], given, [made], title="T")
    residual = pixels(panels(figure, 4)[0][3])
    assert set(residual.ravel()) == {0, 7}


@pytest.mark.parametrize(("encoders", "inches"), [(1, 3.15), (2, 6.69), (4, 6.69)])
@pytest.mark.parametrize("kind", [INVERSION, BONES, NODULES])
def test_nothing_reaches_over_the_edge(kind: MadeKind, encoders: int, inches: float) -> None:
    columns = [column(f"an_encoder_with_a_rather_long_name_{number}", 3, (False, True)) for number in range(encoders)]
    given = dict.fromkeys(kind.given, GIVEN)
    ids = ["1.2.276.0.7230010.3.1.4.8323329.75.1517875075.593926" * 3, "ünïcode $x$#3"]
    figure = draw_made_images(kind, ids, given, columns, title="A task " * 12, synthetic=True, notes=["A note. " * 30])
    assert figure.get_size_inches()[0] == (6.69 if kind is BONES else inches)
    assert cut_off(figure) == []


def test_more_encoders_than_fit_are_refused_by_how_many_do() -> None:
    for kind, most in ((INVERSION, 4), (BONES, 4), (NODULES, 8)):
        assert len(kind.given) + most * kind.each <= MOST_PANELS
        refuse_columns(most, kind.each, len(kind.given))
        with pytest.raises(UserError, match=rf"--encoder: 1\d columns are too narrow; name {most} encoders at most"):
            refuse_columns(most + 1, kind.each, len(kind.given))
