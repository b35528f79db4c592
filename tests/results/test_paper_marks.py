"""Best, second and signs of significance in the papers' tables, worked by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results.comparison import EncoderComparison
from cxrbench.results.grid import Entry
from cxrbench.results.papers import layout_of, paper_table
from cxrbench.results.papers.marks import Compare
from cxrbench.results.papers.notes import Choice
from cxrbench.results.record import Record
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.trial import PairedTest, TestName

from .stores import record
from .test_papers import OURS, cells, draws


def fake(
    p_values: Mapping[tuple[str, str, TestName], float], flagged: Sequence[tuple[str, str]] = (), decides: bool = True
) -> Compare:
    """A comparison whose p-values are given: (a, b, test) -> p, a being the better one.

    Tests that do not decide are over images of one trial each, as where a network was trained once.
    """

    def compare(
        records: Sequence[Record], task: str, a: str, b: str, metrics: Sequence[str]
    ) -> Sequence[EncoderComparison]:
        found = []
        places = {(each.variant, each.protocol, each.fraction) for each in records if each.encoder == a}
        for variant, protocol, fraction in sorted(places):
            for metric in metrics:
                tests = [
                    PairedTest(
                        name, metric, "replicates" if decides else "images", 2, 0.1, None, None, None, None, p, None,
                        decides=decides,
                        degenerate="constant difference" if {a, b} in map(set, flagged) else None,
                    )
                    for (one, other, name), p in p_values.items()
                    if {one, other} == {a, b}
                ]  # fmt: skip
                better = {one for one, other, _ in p_values if {one, other} == {a, b}}
                difference = 0.1 if a in better else -0.1
                found.append(
                    EncoderComparison(
                        a=a, b=b, task=task, variant=variant, protocol=protocol, fraction=fraction, metric=metric,
                        higher_is_better=True, about="", task_version=1, settings_hash="a", weights_a="x",
                        weights_b="y", replicates=2, n=10, patients=10, synthetic=True, contaminated=(), unverified=(),
                        effect="",
                        mean_a=None, mean_b=None, difference=difference, sd=None, ci_low=None, ci_high=None,
                        effect_size=None, a_better=0, b_better=0, only_a_right=None, only_b_right=None,
                        tests=tuple(tests),
                    )
                )  # fmt: skip
        return found

    return compare


def three(**changes: object) -> list[Record]:
    """Means 0.71, 0.76 and 0.81, each of two draws."""
    return [
        *draws("scratch", [0.70, 0.72], **changes),
        *draws("imagenet", [0.75, 0.77], **changes),
        *draws("chess", [0.80, 0.82], **changes),
    ]


P_VALUES: dict[tuple[str, str, TestName], float] = {
    ("chess", "imagenet", "paired t"): 0.03,
    ("chess", "scratch", "paired t"): 0.001,
    ("imagenet", "scratch", "paired t"): 0.2,
    ("chess", "imagenet", "pool t"): 0.04,
    ("chess", "scratch", "pool t"): 0.01,
    ("imagenet", "scratch", "pool t"): 0.5,
}


def test_best_second_and_signs_by_hand() -> None:
    made = paper_table(layout_of("ifa-7"), three(), OURS, fake(P_VALUES))
    chess, imagenet, scratch = (cells(made, each)["1 %"] for each in ("CheSS", "ImageNet", "Scratch"))
    assert chess.value == pytest.approx(0.81)
    assert chess.sd == pytest.approx(0.02 / 2**0.5)
    assert [(each.best, each.second) for each in (chess, imagenet, scratch)] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip
    # Holm over three pairs: 3 x 0.01 = 0.03, 2 x 0.04 = 0.08, 0.5.
    assert [each.marks for each in (chess, imagenet, scratch)] == ["", "*", "*†"]
    blank = (cells(made, "MoCo v2 (ImageNet)")["1 %"], cells(made, "CheSS")["10 %"])
    assert [replace(each, about=None) for each in blank] == [Entry(), Entry()]
    assert tuple(row.encoder for row in made.rows[:3]) == ("scratch", "imagenet", "moco_imagenet")
    assert made.synthetic


def test_rows_stand_in_the_papers_order_and_groups() -> None:
    grid = paper_table(layout_of("ifa-7"), three(), OURS)
    assert [(row.group, row.label) for row in grid.rows] == [
        ("no pretraining", "Scratch"),
        ("natural images", "ImageNet"),
        ("natural images", "MoCo v2 (ImageNet)"),
        ("radiographs", "CXR-SimCLR"),
        ("radiographs", "CheSS"),
        ("radiographs, with IFA", "CXR-SimCLR+IFA"),
        ("radiographs, with IFA", "CheSS+IFA"),
    ]


def test_flagged_p_values_get_no_sign_and_are_named() -> None:
    made = paper_table(layout_of("ifa-7"), three(), OURS, fake(P_VALUES, flagged=[("chess", "scratch")]))
    assert cells(made, "Scratch")["1 %"].marks == ""
    # The flagged pair still counts among the three: 3 x 0.04 = 0.12.
    assert cells(made, "ImageNet")["1 %"].marks == "*"
    assert any(note == "Flagged p-values get no sign: constant difference." for note in made.notes)


@pytest.mark.parametrize("decides", [True, False])
def test_a_test_that_decides_nothing_earns_no_sign_and_counts_as_not_made(decides: bool) -> None:
    def suppressed(encoder: str, psnr: float) -> list[Record]:
        return draws(
            encoder, [psnr], task="bone_suppression", variant="raw", protocol="frozen", fraction=100.0, metric="psnr"
        )

    records = [*suppressed("chess", 33.0), *suppressed("scratch", 30.0)]
    compare = fake({("chess", "scratch", "paired t"): 1e-6}, decides=decides)
    grid = paper_table(layout_of("chess"), records, tasks.names(), compare)
    assert cells(grid, "CheSS")["PSNR"].best
    assert cells(grid, "Scratch")["PSNR"].marks == ("†" if decides else "")
    # Of one network against one: what the table would need is one over replicates.
    (dagger,) = [note for note in grid.notes if note.startswith("†")]
    assert "paired t-test over replicates" in dagger
    missing = [note for note in grid.notes if note.startswith("Not all of these tests were made for psnr at 100 %")]
    assert len(missing) == (not decides)


def test_the_reference_of_table_five_is_the_row_without_ifa() -> None:
    def one(encoder: str, value: float) -> list[Record]:
        return draws(encoder, [value], fraction=100.0, metric="auc/Edema")

    records = [*one("chess", 0.80), *one("chess_ifa", 0.90), *one("chess_ifa_block1", 0.70)]
    p_values: dict[tuple[str, str, TestName], float] = {
        ("chess_ifa", "chess", "DeLong"): 0.02,
        ("chess", "chess_ifa_block1", "DeLong"): 0.015,
        ("chess_ifa", "chess_ifa_block1", "DeLong"): 0.001,
    }
    grid = paper_table(layout_of("ifa-5"), records, OURS, fake(p_values))
    shown = {label: cells(grid, label)["Edema"] for label in ("CheSS", "CheSS+IFA block 3", "CheSS+IFA block 1")}
    # Better and worse alike: different. Holm: 3 x 0.001, 2 x 0.015 = 0.03, 0.03 (never below the one before).
    assert {label: entry.marks for label, entry in shown.items()} == {
        "CheSS": "",
        "CheSS+IFA block 3": "*†",
        "CheSS+IFA block 1": "*†",
    }
    assert any(note.startswith("† different from CheSS") for note in grid.notes)
    without = paper_table(layout_of("ifa-5"), one("chess_ifa", 0.9), OURS, fake(p_values))
    assert any("reference CheSS has no records" in note for note in without.notes)


def test_marginal_homogeneity_is_never_called_accuracy() -> None:
    for name in ("ifa-6", "ifa-8"):
        layout = layout_of(name)
        place = next(layout.places())
        records = [
            each
            for encoder, value in (("chess", 0.9), ("scratch", 0.8))
            for each in draws(
                encoder, [value], task=place.task, variant=place.variant, fraction=100.0, metric="accuracy"
            )
        ]
        p_values: dict[tuple[str, str, TestName], float] = {
            ("chess", "scratch", "Stuart-Maxwell"): 0.01,
            ("chess", "scratch", "McNemar"): 0.2,
        }
        grid = paper_table(layout, records, OURS, fake(p_values))
        assert cells(grid, "Scratch")[layout.columns[0].title].marks == "*"
        (star,) = [note for note in grid.notes if note.startswith("*")]
        assert "marginal homogeneity" in star
        assert "accura" not in star.replace("(column accuracy)", "")
        (dagger,) = [note for note in grid.notes if note.startswith("†")]
        assert "McNemar" in dagger


def test_lower_is_better_where_the_metric_says_so() -> None:
    def inversion(encoder: str, psnr: float, rmse: float) -> Record:
        return record(
            encoder=encoder,
            task="gan_inversion",
            variant="calibrated",
            protocol="frozen",
            fraction=100.0,
            metrics={"psnr": psnr, "ssim": None, "rmse": rmse, "lpips": 0.1},
        )

    records = [inversion("scratch", 30.0, 4.0), inversion("chess", 33.0, 3.0)]
    grid = paper_table(layout_of("ifa-10"), records, OURS)
    calibrated = [entry for row in grid.rows if row.label == "CheSS" for entry in row.entries[:4]]
    assert [(entry.best, entry.second) for entry in calibrated] == [
        (True, False),
        (False, False),
        (True, False),
        (True, False),
    ]
    assert (calibrated[1].value, calibrated[1].text, calibrated[1].count) == (None, "undefined", "0/1")


def test_a_mean_over_fewer_draws_is_counted_and_never_best() -> None:
    records = [*draws("scratch", [0.7] * 10), *draws("imagenet", [0.6] * 10), *draws("chess", [0.9] * 3)]
    grid = paper_table(layout_of("ifa-7"), records, OURS)
    chess, scratch = cells(grid, "CheSS")["1 %"], cells(grid, "Scratch")["1 %"]
    assert (chess.count, chess.best, chess.second) == ("3/10", False, False)
    assert (scratch.count, scratch.best) == ("", True)
    assert any(note.startswith("In brackets: replicates") for note in grid.notes)


def test_undefined_draws_are_left_out_and_counted() -> None:
    records = [*draws("scratch", [0.7] * 10), *draws("chess", [0.9] * 9 + [None]), *draws("imagenet", [None] * 10)]
    grid = paper_table(layout_of("ifa-7"), records, OURS)
    chess, imagenet = cells(grid, "CheSS")["1 %"], cells(grid, "ImageNet")["1 %"]
    assert (chess.value, chess.count) == (pytest.approx(0.9), "9/10")
    assert (imagenet.value, imagenet.text, imagenet.count) == (None, "undefined", "0/10")
    # Of one encoder alone nothing is best.
    assert not any(entry.best for row in grid.rows for entry in row.entries)


def test_equal_means_share_their_place() -> None:
    records = [*draws("scratch", [0.7]), *draws("imagenet", [0.7]), *draws("chess", [0.6])]
    grid = paper_table(layout_of("ifa-7"), records, OURS)
    assert [cells(grid, each)["1 %"].best for each in ("Scratch", "ImageNet", "CheSS")] == [True, True, False]
    assert cells(grid, "CheSS")["1 %"].second


def test_other_encoders_follow_and_compete_and_can_be_put_in_a_row() -> None:
    records = [*draws("scratch", [0.7] * 10), *draws("mine", [0.8] * 10)]
    made = paper_table(layout_of("ifa-7"), records, OURS)
    assert (made.rows[-1].label, made.rows[-1].group, made.rows[-1].encoder) == ("mine", "other encoders", "mine")
    assert made.rows[-1].entries[0].best
    made = paper_table(layout_of("ifa-7"), records, OURS, choice=Choice(encoders={"CheSS": "mine"}))
    assert len(made.rows) == 7
    assert cells(made, "CheSS")["1 %"].best
    assert any(note == "Rows as mapped by --row: CheSS = mine." for note in made.notes)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"Chess": "scratch"}, r"--row: ifa-7: unknown row 'Chess'; did you mean 'CheSS'\?"),
        ({"CheSS": "scatch"}, r"--row CheSS=scatch: unknown encoder 'scatch'; did you mean 'scratch'\?"),
        ({"CheSS": "scratch"}, r"scratch would stand for two rows, 'Scratch' and 'CheSS'"),
    ],
)
def test_wrong_rows_are_named(mapping: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        paper_table(layout_of("ifa-7"), draws("scratch", [0.7]), OURS, choice=Choice(encoders=mapping))
