from __future__ import annotations

from cxrbench.data.problems import Problem, Problems


def problems(*found: tuple[str, str]) -> Problems:
    collected = Problems()
    for number, (kind, sample) in enumerate(found):
        collected.add(kind, f"t.csv, row {number + 2}", "is wrong", sample)
    return collected


def test_one_problem_is_one_line_with_the_way_out() -> None:
    error = problems(("unknown label", "a")).refusal("nih14")
    assert str(error) == ("nih14: t.csv, row 2: is wrong; mend it, or go on without this image: --skip-unreadable")
    assert error.exit_code == 2
    assert str(problems(("odd table", "")).refusal("nih14")) == "nih14: t.csv, row 2: is wrong; mend it"


def test_twenty_are_named_and_all_are_counted_by_kind() -> None:
    many = problems(*[("unknown label", "a")] * 5, *[("listed twice", "b")] * 30)
    lines = str(many.refusal("nih14")).split("\n")
    assert lines[0] == "nih14: 35 problems (30 x listed twice, 5 x unknown label):"
    assert lines[1] == "  t.csv, row 2: is wrong"
    assert lines[20] == "  t.csv, row 21: is wrong"
    assert lines[21] == "  ... and 15 more"
    assert lines[22] == "mend them, or go on without these images: --skip-unreadable"


def test_what_is_only_missing_is_to_be_completed() -> None:
    assert "complete the copy, or go on" in str(problems(("missing image", "a"), ("missing image", "b")).refusal("x"))
    assert str(problems(("incomplete copy", "")).refusal("x")).endswith("; complete the copy")
    assert "mend them, or" in str(problems(("missing image", "a"), ("unknown label", "b")).refusal("x"))


def test_the_first_reason_of_a_sample_counts_and_those_of_none_have_no_sample() -> None:
    found = problems(("unknown label", "a"), ("listed twice", "a"), ("odd table", ""))
    assert found.reasons() == {"a": "t.csv, row 2: is wrong"}
    assert found.counts() == {"unknown label": 1, "listed twice": 1, "odd table": 1}
    found.extend([Problem("odd table", "u.csv", "too")])
    assert [problem.where for problem in found][-1] == "u.csv"
    assert found.counts()["odd table"] == 2
