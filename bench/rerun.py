"""A baseline's trials run afresh, for `cxrbench check run --rerun`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..foundation.errors import UserError
from ..foundation.progress import Progress
from ..pretrain.specs import parse_spec
from ..results.record import Record
from ..results.regression.pairing import difference_between
from ..results.store import Store
from .config import RunConfig, run_config
from .executor import execute
from .plan import Plan, PlannedTrial, make_plan


@contextmanager
def rerun_trials(
    records: Sequence[Record],
    specs: Sequence[str],
    given: Mapping[str, Any],
    assignments: Iterable[str],
    file: Path | None,
    progress: Progress,
) -> Iterator[Store]:
    """A temporary store in which the trials of `records` were run again.

    Decoded images and features are made again too, in an empty cache, unless `given` names one: what lies in a
    cache was made by earlier code.

    Args:
        specs: `NAME=PATH` for names of encoders that are checkpoints; other names are looked up as `run` does.
        given: options of `run_config`.
        assignments: texts of `--set`.
        file: configuration file.

    Raises:
        UserError: what `run` raises, settings, data, code or task versions that are not those of `records`, or trials
                that failed.
    """
    with tempfile.TemporaryDirectory(prefix="cxrbench-check-") as scratch:
        store = Store(Path(scratch) / "store")
        fresh = {"cache": Path(scratch) / "cache", **{key: value for key, value in given.items() if value is not None}}
        config = run_config({**fresh, "store": store.path}, assignments, file, needs_grid=False)
        plans = []
        for one, asked in _configs(config, specs, records):
            plans.append((one, _restricted(make_plan(one, store, progress), asked)))
        for one, plan in plans:
            failures = execute(one, plan, store, progress)
            if failures:
                raise UserError("\n".join(dict.fromkeys(failures)))
        yield store


def _configs(
    config: RunConfig, specs: Sequence[str], records: Sequence[Record]
) -> Iterator[tuple[RunConfig, list[Record]]]:
    """One configuration a (task, protocol): more do not fit into one."""
    spec_of = {parse_spec(spec).name: spec for spec in (*config.encoders, *specs)}
    unknown = sorted({parse_spec(spec).name for spec in specs} - {record.encoder for record in records})
    if unknown:
        raise UserError(f"--encoder {unknown[0]}: the baseline has no trials of it")
    for task, protocol in dict.fromkeys((record.task, record.protocol) for record in records):
        asked = [record for record in records if (record.task, record.protocol) == (task, protocol)]
        encoders = dict.fromkeys(spec_of.get(record.encoder, record.encoder) for record in asked)
        yield (
            config.model_copy(
                update={
                    "encoders": tuple(encoders),
                    "tasks": (task,),
                    "protocol": protocol,
                    "variants": tuple(dict.fromkeys(record.variant for record in asked)),
                    "fractions": tuple(dict.fromkeys(float(record.fraction) for record in asked)),
                    "replicates": max(record.replicate for record in asked) + 1,
                }
            ),
            asked,
        )


def _restricted(plan: Plan, asked: Sequence[Record]) -> Plan:
    """The trials of `plan` that are in `asked`. Raises UserError, before any runs, where one is made otherwise."""
    wanted = {_key(record): record for record in asked}
    groups = []
    for group in plan.groups:
        kept = tuple(each for each in group.trials if _key(each.trial) in wanted)
        for each in kept:
            _refuse_unlike(each, wanted[_key(each.trial)])
        if kept:
            groups.append(replace(group, trials=kept))
    return Plan(tuple(groups))


def _key(trial: Any) -> tuple[str, str, str, str, float, int]:
    return (trial.encoder, trial.task, trial.variant, trial.protocol, float(trial.fraction), trial.replicate)


def _refuse_unlike(planned: PlannedTrial, record: Record) -> None:
    differing = difference_between(record, planned.identity)
    if differing:
        raise UserError(
            f"{planned.trial}: this run would not be made as the baseline was: {differing}; give the same --data, "
            "--preset, --set and --include as then, or save a new baseline"
        )
