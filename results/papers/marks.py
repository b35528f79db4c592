"""Signs of significance in a paper's table: the paper's own test, and the test that decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.progress import Progress
from ..record import Record
from .layout import Place, PlaceKey

if TYPE_CHECKING:
    from ...tasks.trial import PairedTest
    from ..comparison import EncoderComparison

# Records, task, two encoders and metrics -> one comparison a (variant, protocol, fraction, metric) that both have.
Compare = Callable[[Sequence[Record], str, str, str, Sequence[str]], "Sequence[EncoderComparison]"]
Pair = tuple[str, str]

PAPER, DECIDED = "*", "†"
ALPHA = 0.05


@dataclass(frozen=True)
class Marks:
    """What the tests say.

    Attributes:
        signs: (place, encoder) -> `*`, `†` or both.
        without_test: places for which a test of the layout was not made, though two encoders stand there.
        degenerate: reasons of flagged p-values that got no sign.
        units: (place, test) -> what the test counted, where it was made: replicates, images, patients.
    """

    signs: Mapping[tuple[PlaceKey, str], str]
    without_test: tuple[Place, ...]
    degenerate: tuple[str, ...]
    units: Mapping[tuple[PlaceKey, str], str] = field(default_factory=dict)


def significance(
    places: Iterable[Place],
    encoders: Mapping[PlaceKey, Sequence[str]],
    references: Mapping[PlaceKey, str],
    records: Iterable[Record],
    compare: Compare,
    progress: Progress,
    against_best: bool = True,
) -> Marks:
    """Test every encoder against its column's reference.

    Args:
        places: of the table; those without a test or a reference are passed over.
        encoders: place -> those with a value there.
        references: place -> encoder that the others are tested against.
        records: what the table shows.
        compare: makes the paired tests of two encoders.
        progress: who is told.
        against_best: whether the references are the best of their columns: `†` then asks that the encoder is worse.

    `*`: the paper's test against the reference has p < 0.05, unadjusted, as the papers do. `†`: the deciding test
    has p < 0.05 after Holm over all pairs of encoders of the column. A flagged p counts as 1: it never earns a
    sign, and never makes the others' adjustment milder.
    """
    tested = [
        place
        for place in places
        if (place.paper_test or place.deciding_test)
        and place.key in references
        and len(encoders.get(place.key, ())) > 1
    ]
    found = _comparisons(tested, encoders, records, compare, progress)
    signs: dict[tuple[PlaceKey, str], str] = {}
    without, degenerate, units = [], set(), {}
    for place in tested:
        here = {pair: rows[place.key] for pair, rows in found.items() if place.key in rows}
        reference = references[place.key]
        others = [encoder for encoder in encoders[place.key] if encoder != reference]
        own = _paper_signs(here, place.paper_test, reference, others)
        decided = _decided_signs(here, place.deciding_test, reference, others)
        if against_best:
            decided = {encoder for encoder in decided if _worse(here, encoder, reference)}
        for encoder in others:
            sign = PAPER * (encoder in own) + DECIDED * (encoder in decided)
            if sign:
                signs[place.key, encoder] = sign
        asked = {name for name in (place.paper_test, place.deciding_test) if name}
        made = [
            test
            for row in here.values()
            for test in row.tests
            if test.name in asked and (test.decides or test.name == place.paper_test)
        ]
        if asked - {test.name for test in made}:
            without.append(place)
        degenerate |= {test.degenerate for test in made if test.degenerate}
        units |= {(place.key, test.name): test.unit for test in made}
    return Marks(signs, tuple(without), tuple(sorted(degenerate)), units)


def _comparisons(
    places: Sequence[Place],
    encoders: Mapping[PlaceKey, Sequence[str]],
    records: Iterable[Record],
    compare: Compare,
    progress: Progress,
) -> dict[Pair, dict[PlaceKey, EncoderComparison]]:
    """Pair of encoders -> place -> comparison, for pairs that share a draw."""
    keys = {place.key[:4] for place in places}
    tested = [each for each in records if (each.task, each.variant, each.protocol, each.fraction) in keys]
    draws: dict[tuple[str, str], set[tuple[str, str, float, int]]] = defaultdict(set)
    for record in tested:
        draws[record.task, record.encoder].add((record.variant, record.protocol, record.fraction, record.replicate))
    work: list[tuple[str, Pair, tuple[str, ...]]] = []
    for task in dict.fromkeys(place.task for place in places):
        of_task = [place for place in places if place.task == task]
        names = dict.fromkeys(encoder for place in of_task for encoder in encoders[place.key])
        for a, b in combinations(names, 2):
            both = [place.metric for place in of_task if {a, b} <= set(encoders[place.key])]
            if both and draws[task, a] & draws[task, b]:
                work.append((task, (a, b), tuple(dict.fromkeys(both))))
    found: dict[Pair, dict[PlaceKey, EncoderComparison]] = defaultdict(dict)
    with progress.step("paired tests", len(work)) as step:
        for task, pair, metrics in work:
            for row in compare(tested, task, *pair, metrics):
                found[pair][task, row.variant, row.protocol, row.fraction, row.metric] = row
            step.advance(1, " / ".join(pair))
    return found


def _paper_signs(here: Mapping[Pair, EncoderComparison], name: str, reference: str, others: Iterable[str]) -> set[str]:
    return {encoder for encoder in others if _p(_test(here, (reference, encoder), name)) < ALPHA}


def _decided_signs(
    here: Mapping[Pair, EncoderComparison], name: str, reference: str, others: Iterable[str]
) -> set[str]:
    from ...stats import holm

    found = {pair: test for pair in here if (test := _test(here, pair, name)) is not None}
    # A test of one trained network against one says nothing of two losses, where the task says so.
    pairs = [pair for pair, test in found.items() if test.decides]
    if not pairs:
        return set()
    adjusted = dict(zip(pairs, holm(np.array([_p(_test(here, pair, name)) for pair in pairs])), strict=True))
    return {
        encoder
        for encoder in others
        if min(adjusted.get((reference, encoder), 1.0), adjusted.get((encoder, reference), 1.0)) < ALPHA
    }


def _worse(here: Mapping[Pair, EncoderComparison], encoder: str, reference: str) -> bool:
    """Whether the difference on the draws that both ran is in favour of the reference."""
    row = here.get((encoder, reference)) or here[reference, encoder]
    difference = row.difference or 0.0
    ahead = difference if row.higher_is_better else -difference
    return ahead < 0 if row.a == encoder else ahead > 0


def _test(here: Mapping[Pair, EncoderComparison], pair: Pair, name: str) -> PairedTest | None:
    """The test of that name between two encoders in either order."""
    row = here.get(pair) or here.get((pair[1], pair[0]))
    return row.test(name) if row is not None and name else None


def _p(test: PairedTest | None) -> float:
    """NaN without a test; 1 for a flagged one."""
    if test is None or test.p_value is None:
        return float("nan")
    return 1.0 if test.degenerate else test.p_value
