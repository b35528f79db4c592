from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cxrbench.stats.crosscheck import (
    NoRError,
    RecordError,
    Referee,
    ask_r,
    r_referee,
    read_record,
    recording,
    verify,
    write_record,
)
from cxrbench.stats.crosscheck.answers import RAnswer
from cxrbench.stats.crosscheck.case import Case
from cxrbench.stats.crosscheck.questions import QUESTIONS, Question

QUICK = [question for question in QUESTIONS if question.name in ("delong_ci", "mcnemar_exact", "paired_t_test", "holm")]


@pytest.fixture(scope="module")
def record() -> Referee:
    return read_record()


@pytest.fixture(scope="module")
def live() -> Referee:
    try:
        return ask_r(QUICK)
    except NoRError as error:
        pytest.skip(str(error))


def question(name: str) -> Question:
    return next(each for each in QUESTIONS if each.name == name)


def changed(record: Referee, name: str, case: str, quantity: str, change: Callable[[float], float]) -> Referee:
    """The record with one number of R's changed."""
    answer = record.answers[name][case]
    numbers = [change(answer.quantities[quantity][0]), *answer.quantities[quantity][1:]]
    other = dataclasses.replace(answer, quantities={**answer.quantities, quantity: numbers})
    answers = {**record.answers, name: {**record.answers[name], case: other}}
    return dataclasses.replace(record, answers=answers)


def asked(answer: dict[str, list[float]], error: str | None = None, **case: object) -> list[str]:
    """Quantities in disagreement for a made-up test whose answer is always statistic 2, not flagged."""
    only = Case("only", {"x": np.ones(2)}, **case)  # type: ignore[arg-type]
    made_up = Question("made_up", "made up", "none", lambda: [only], lambda _: ({"statistic": 2.0}, False))
    referee = Referee({}, None, {"made_up": {"only": RAnswer(only.digest(), answer, error)}})
    (found,) = verify(referee, [made_up])
    return [each.quantity for items in found.disagreements.values() for each in items]


@pytest.mark.parametrize("name", [each.name for each in QUESTIONS])
def test_every_answer_is_that_of_r(record: Referee, name: str) -> None:
    (found,) = verify(record, [question(name)])
    assert found.disagreements == {}
    assert found.agreements + found.unanswered == found.cases
    assert found.agreements >= 5
    assert found.largest.get("area", 0.0) <= 1e-12
    assert found.largest.get("statistic", 0.0) <= 1e-9
    assert found.largest.get("p", 0.0) <= 1e-8


def test_record_holds_what_r_prints(record: Referee) -> None:
    # R 4.2.2: mcnemar.test(matrix(c(10, 5, 3, 12), 2), correct = FALSE), with correct = TRUE, and binom.test(3, 8).
    chi_squared = record.answers["mcnemar_chi_squared"]
    assert chi_squared["[[10, 3], [5, 12]], plain"].quantities["p"][0] == pytest.approx(0.4795, abs=5e-5)
    assert chi_squared["[[10, 3], [5, 12]], corrected"].quantities["statistic"] == [0.125]
    assert record.answers["mcnemar_exact"]["[[10, 3], [5, 12]]"].quantities["p"][0] == pytest.approx(0.7266, abs=5e-5)
    assert record.answers["paired_t_test"]["a always better by 2"].error == "data are essentially constant"
    assert set(record.versions) == {"R", "pROC", "coin"}


def test_degenerate_cases_are_asked_too(record: Referee) -> None:
    unanswered = {found.question.name: found.unanswered for found in verify(record)}
    for name in (
        "delong_test",
        "stuart_maxwell_test",
        "bowker_test",
        "mcnemar_exact",
        "paired_t_test",
        "friedman_test",
    ):
        assert unanswered[name] > 0, name
    assert sum(case.flagged for each in QUESTIONS for case in each.cases()) >= 40


def test_cases_are_the_same_each_time_and_tell_apart() -> None:
    for each in QUESTIONS:
        first, second = each.cases(), each.cases()
        assert [case.digest() for case in first] == [case.digest() for case in second]
        assert len({case.name for case in first}) == len(first)
        assert len({case.digest() for case in first}) == len(first), each.name


def test_digest_sees_values_shapes_and_names() -> None:
    digests = [
        Case("a", inputs).digest()
        for inputs in ({"x": np.zeros(4)}, {"x": np.zeros((2, 2))}, {"y": np.zeros(4)}, {"x": np.full(4, 1e-300)})
    ]
    assert len(set(digests)) == 4
    assert Case("b", {"x": -np.zeros(4)}).digest() == digests[0]


@pytest.mark.parametrize(
    ("name", "case", "quantity", "factor"),
    [
        ("delong_test", "200 samples, 50% positive, tied", "auc_b", 1 + 1e-11),
        ("delong_test", "200 samples, 50% positive, tied", "statistic", 1 + 1e-8),
        ("delong_test", "200 samples, 50% positive, tied", "p", 1 + 1e-7),
        ("delong_test", "p below the smallest float", "log10_p", 1 + 1e-7),
        ("stuart_maxwell_test", "two separate blocks", "df", 1.5),
        ("paired_t_test", "batch of 4", "ci_low", 1 + 1e-8),
    ],
)
def test_a_small_difference_is_a_disagreement(
    record: Referee, name: str, case: str, quantity: str, factor: float
) -> None:
    (found,) = verify(changed(record, name, case, quantity, lambda value: value * factor), [question(name)])
    assert [(each, items[0].quantity) for each, items in found.disagreements.items()] == [(case, quantity)]
    assert found.agreements + found.unanswered == found.cases - 1


def test_answers_and_conventions_are_both_checked() -> None:
    nothing, convention = math.nan, {"statistic": 2.0}
    assert asked({"statistic": [2.0]}) == []
    assert asked({"statistic": [-2.0]}) == ["statistic"]
    assert asked({"statistic": [2.0, 2.0]}) == ["statistic"]
    assert asked({"another": [2.0]}) == ["another"]
    assert asked({"statistic": [nothing]}, convention=convention) == []
    assert asked({"statistic": [nothing]}, convention={"statistic": 3.0}) == ["statistic"]
    assert asked({}, error="stopped", convention=convention) == []
    assert asked({"statistic": [2.0]}, flagged=True) == ["degenerate"]


def test_no_answer_without_a_convention_is_a_disagreement() -> None:
    assert asked({"statistic": [math.nan]}) == ["statistic"]
    assert asked({}, error="stopped") == ["all"]


def test_an_error_of_ours_is_a_disagreement() -> None:
    def stops(_: object) -> tuple[dict[str, float], bool]:
        raise ValueError("no")

    only = Case("only", {"x": 1.0})
    referee = Referee({}, None, {"q": {"only": RAnswer(only.digest(), {"p": [0.5]})}})
    (found,) = verify(referee, [Question("q", "q", "none", lambda: [only], stops)])
    assert found.disagreements["only"][0].ours == "ValueError: no"


def test_changed_cases_ask_for_a_new_record(record: Referee) -> None:
    holm = question("holm")
    more = [*holm.cases(), Case("a new one", {"p": np.array([0.5])})]
    with pytest.raises(RecordError, match=r"'a new one'.*cxrbench stats record"):
        verify(record, [dataclasses.replace(holm, cases=lambda: more)])
    other = [dataclasses.replace(case, inputs={"p": np.array([0.123])}) for case in holm.cases()]
    with pytest.raises(RecordError, match="as it is now"):
        verify(record, [dataclasses.replace(holm, cases=lambda: other)])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    numbers = {"statistic": [0.1, math.inf, -math.inf, 5e-324], "p": [1 / 3]}
    answers = {"q": {"a “case”": RAnswer("ab", numbers), "stopped": RAnswer("cd", {}, 'said "no"')}, "r": {}}
    write_record(Referee({"R": "4"}, None, answers), tmp_path / "record.json")
    found = read_record(tmp_path / "record.json")
    assert found.answers == answers
    assert found.versions == {"R": "4"}
    assert found.recorded is not None
    write_record(Referee({}, None, {"q": {"a": RAnswer("ab", {"p": [math.nan]})}}), tmp_path / "nan.json")
    assert math.isnan(read_record(tmp_path / "nan.json").answers["q"]["a"].quantities["p"][0])


def test_record_is_plain_json_of_modest_size(record: Referee) -> None:
    text = recording.RECORD.read_text(encoding="utf-8")

    def no_constants(name: str) -> float:
        raise AssertionError(f"{name} is not JSON")

    assert set(json.loads(text, parse_constant=no_constants)["answers"]) == set(record.answers)
    assert len(text) < 200_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 99}, "upgrade"),
        ({"script": "0000"}, "referee.R has changed"),
        ({"answers": {"holm": ["no"]}}, "not a record"),
        ({"versions": None}, "not a record"),
    ],
)
def test_unusable_record_says_why(tmp_path: Path, change: dict[str, object], said: str) -> None:
    content = json.loads(recording.RECORD.read_text(encoding="utf-8"))
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**content, **change}), encoding="utf-8")
    with pytest.raises(RecordError, match=said):
        read_record(path)


def test_missing_or_cut_record_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cxrbench stats record"):
        read_record(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text(recording.RECORD.read_text(encoding="utf-8")[:5000], encoding="utf-8")
    with pytest.raises(RecordError, match="cxrbench stats record"):
        read_record(tmp_path / "cut.json")


def test_without_rpy2_r_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rpy2.rinterface_lib.callbacks", None)
    with pytest.raises(NoRError, match="rpy2 is not installed"):
        ask_r(QUICK)


def test_r_itself_says_what_the_record_says(live: Referee) -> None:
    assert live.recorded is None
    assert [found.disagreements for found in verify(live, QUICK)] == [{}] * len(QUICK)


def test_r_is_silent_and_nothing_stays_in_it(live: Referee, capfd: pytest.CaptureFixture[str]) -> None:
    robjects = pytest.importorskip("rpy2.robjects")
    attached = list(robjects.r("search()"))
    # Constant data make R warn and stop.
    ask_r([question("paired_t_test")])
    assert tuple(capfd.readouterr()) == ("", "")
    assert list(robjects.r("search()")) == attached
    assert "package:pROC" not in attached
    assert list(robjects.globalenv) == []


def test_programs_started_after_asking_r_find_their_own_libraries(live: Referee) -> None:
    after = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    assert [line for line in after.splitlines() if line.startswith("LD_LIBRARY_PATH=") and "/R/" in line] == []
    assert "R_HOME" not in os.environ


def test_r_without_its_packages_is_named(live: Referee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "referee.R"
    script.write_text('versions <- function() as.character(packageVersion("nosuchpackage"))\n', encoding="utf-8")
    monkeypatch.setattr(r_referee, "SCRIPT", script)
    with pytest.raises(NoRError, match="nosuchpackage"):
        ask_r(QUICK)
