"""Runs the pending trials of a plan and saves each as soon as it is there."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..data.private_ids import hashed
from ..foundation.errors import UserError
from ..foundation.progress import Progress, Step
from ..results.record import Record
from ..tasks.made_images import made_images_path
from ..tasks.task import Context
from .out_of_memory import is_out_of_memory, what_to_lower
from .plan import Group, Plan, PlannedTrial
from .provenance import provenance

if TYPE_CHECKING:
    from pathlib import Path

    from ..data.images import Images
    from ..results.store import Store
    from ..tasks.predictions import Predictions
    from ..tasks.trial import Trial, TrialResult

WAIT_SECONDS = 0.5


class Runner:
    """Works through a plan. Several runners, in any processes, can share one store: each trial is run once."""

    def __init__(self, store: Store, cache: Path, progress: Progress):
        self._store = store
        self._cache = cache
        self._progress = progress
        self._images: dict[tuple[str, int, str], Images] = {}

    def run(self, plan: Plan) -> list[str]:
        """Run what is pending. Returns one line for each group that could not be finished; the others are."""
        failures = []
        pending = len(plan.pending)
        with self._progress.step("trials", pending) as step:
            for group in plan.groups:
                if group.pending:
                    failures += self._run_group(group, step)
        return failures

    def prepare(self, group: Group) -> Images:
        """The decoded images of `group`, from the cache or made now."""
        from ..data import prepare_images

        data = group.data
        key = (data.fingerprint, data.task.image_size, data.task.preprocessing)
        if key not in self._images:
            self._images[key] = prepare_images(
                data.radiographs,
                data.task.image_size,
                data.task.preprocessing,
                cache=self._cache,
                progress=self._progress,
            )
        return self._images[key]

    def _run_group(self, group: Group, step: Step) -> list[str]:
        """Run a group's pending trials; one line for each that failed. A trial that fails stops no other."""
        try:
            images = self.prepare(group)
        except UserError as error:
            return [str(error)]
        failures: list[str] = []
        left = list(group.pending)
        while left:
            tried: list[PlannedTrial] = []
            try:
                self._run_trials(group, images, self._claimed(left, tried, step), step)
                return failures
            except UserError as error:
                failures.append(str(error))
            except (RuntimeError, MemoryError) as error:
                planned = tried[-1] if tried else group.trials[0]
                words = str(error).splitlines()[0] if str(error) else type(error).__name__
                if is_out_of_memory(error):
                    way_out = what_to_lower(planned, group)
                else:
                    self._progress.say(traceback.format_exc())
                    way_out = "its traceback is above"
                failures.append(f"{planned.trial} failed: {words}; {way_out}")
            if not tried:
                return failures
            left = [each for each in left if each not in tried and not self._store.has(each.place)]
        return failures

    def _run_trials(self, group: Group, images: Images, claimed: Iterator[Trial], step: Step) -> None:
        planned = {each.trial: each for each in group.trials}
        about = provenance()
        context = Context(
            self._cache,
            lambda trial: self._checkpoint(planned[trial]),
            self._progress,
            lambda trial: made_images_path(self._cache, planned[trial].fingerprint),
        )
        for result in group.data.task.run(group.encoder, claimed, images, context):
            finished = datetime.now(UTC).isoformat(timespec="seconds")
            record = make_record(planned[result.trial], group, result, {**about, "finished": finished})
            self._store.save(record, _stored(result.predictions, group.data.salt), result.history)
            self._checkpoint(planned[result.trial]).unlink(missing_ok=True)
            step.advance(1, str(result.trial))

    def _checkpoint(self, planned: PlannedTrial) -> Path:
        # By fingerprint: another setting, dataset or weight must never go on from it.
        return self._store.partial / f"{planned.fingerprint}.ckpt"

    def _claimed(self, pending: list[PlannedTrial], tried: list[PlannedTrial], step: Step) -> Iterator[Trial]:
        """Trials that nobody else runs, each claimed while it is worked on; those of others are awaited at the end.

        Whatever is handed out is put into `tried`.
        """
        while pending:
            taken_by_others = []
            for each in pending:
                with self._store.claim(each.fingerprint) as free:
                    if not free:
                        taken_by_others.append(each)
                    elif self._store.has(each.place):
                        step.advance(1)
                    else:
                        tried.append(each)
                        yield each.trial
            if len(taken_by_others) == len(pending):
                time.sleep(WAIT_SECONDS)
            pending = taken_by_others


def make_record(planned: PlannedTrial, group: Group, result: TrialResult, about: dict[str, object]) -> Record:
    """The record of a finished trial; its metrics come from the predictions alone."""
    metrics = group.data.task.score(result.predictions)
    identity = planned.identity
    meta = group.encoder.meta
    described = {
        "weights": meta.weights,
        "licence": meta.licence,
        "trained_on": meta.trained_on,
        "contamination": list(group.seen.datasets),
        # Only where it is so, as nearly every record says nothing about it.
        **({"unverified": True} if meta.unverified else {}),
    }
    return Record(
        fingerprint=planned.fingerprint,
        encoder=identity.encoder,
        task=identity.task,
        variant=identity.variant,
        protocol=identity.protocol,
        fraction=identity.fraction,
        replicate=identity.replicate,
        metrics=metrics,
        synthetic=group.data.radiographs.synthetic,
        task_version=identity.task_version,
        weights={**identity.weights, **described},
        dataset=identity.dataset,
        split={**result.split, "hash": identity.split, **_left_out(group)},
        settings=identity.settings,
        settings_hash=identity.settings_hash(),
        seed=identity.seed,
        resolved=result.resolved,
        code=identity.code,
        notes=[*group.data.radiographs.notes, *group.seen.notes, *result.notes],
        provenance={**about, "seconds": round(result.seconds, 3)},
        results_version=identity.results_version,
    )


def _stored(predictions: Predictions, salt: str | None) -> Predictions:
    """The predictions as they are kept: with hashed ids where a salt was given."""
    if salt is None:
        return predictions
    ids = {name: hashed(predictions.table[name], salt) for name in ("sample_id", "patient_id", "study_id")}
    return replace(predictions, table=predictions.table.assign(**ids))


def _left_out(group: Group) -> dict[str, object]:
    """Which images the user went on without, and why; ids and file names stay out of it where ids are hashed."""
    table = group.data.radiographs.left_out
    if table is None:
        return {}
    if group.data.salt is not None:
        return {"left_out": [{"sample_id": name} for name in hashed(table["sample_id"], group.data.salt)]}
    return {"left_out": table.to_dict("records")}
