"""Damaged input of every reader: no exception but those that it documents. `benchmarks/fuzz_readers.py` digs deeper."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.fuzzing.targets import TOKENS, Target, targets

Edit = tuple[int, int, bytes]
# Where, how many bytes go, and what comes in their place.
EDITS = st.lists(
    st.tuples(
        st.integers(0, 1 << 16),
        st.sampled_from([0, 0, 1, 1, 2, 4, 40, 1 << 16]),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("fuzz"))


def damaged(seed: bytes, edits: list[Edit]) -> bytes:
    for where, gone, new in edits:
        at = where % (len(seed) + 1)
        seed = seed[:at] + new + seed[at + gone :]
    return seed


def check(target: Target, examples: int) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        # Shrinking would take longer than reading the whole file.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.sampled_from(target.seeds), EDITS)
    def reads_or_refuses(seed: bytes, edits: list[Edit]) -> None:
        data = damaged(seed, edits)
        try:
            target.run(data)
        except target.raises as error:
            message = str(error)
        else:
            return
        assert message.strip()

    reads_or_refuses()


@pytest.mark.filterwarnings("ignore")
def test_readers_refuse_damaged_input_in_words(readers: dict[str, Target]):
    for target in readers.values():
        if not target.slow:
            check(target, 150)


@pytest.mark.filterwarnings("ignore")
def test_readers_of_files_refuse_damaged_ones_in_words(readers: dict[str, Target]):
    for target in readers.values():
        if target.slow:
            check(target, 8)


def test_valid_input_is_read(readers: dict[str, Target]):
    for target in readers.values():
        for seed in target.seeds:
            target.run(seed)
