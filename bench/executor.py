"""Runs a plan on this machine, in this process or in several."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ..foundation.errors import UserError
from ..foundation.progress import Progress, SilentProgress
from .config import RunConfig
from .plan import Plan, make_plan
from .runner import Runner

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from ..results.store import Store

POLL_SECONDS = 0.5


def execute(config: RunConfig, plan: Plan, store: Store, progress: Progress) -> list[str]:
    """Run what is pending; returns one line for each group that failed.

    Images and frozen features are made by this process with all cores, whatever `config.jobs` is, so
    that their values do not depend on it. With several jobs the fine-tuning trials go to worker
    processes, each with its share of the cores; they agree by claims in the store.
    """
    runner = Runner(store, config.cache, progress)
    if config.jobs == 1:
        return runner.run(plan)
    failures = runner.run(Plan(tuple(group for group in plan.groups if group.trials[0].trial.protocol == "frozen")))
    rest = Plan(tuple(group for group in plan.groups if group.trials[0].trial.protocol != "frozen" and group.pending))
    ready = []
    for group in rest.groups:
        try:
            runner.prepare(group)
            ready.append(group)
        except UserError as error:
            failures.append(str(error))
    return failures + (_in_workers(config, Plan(tuple(ready)), store, progress) if ready else [])


def _in_workers(config: RunConfig, plan: Plan, store: Store, progress: Progress) -> list[str]:
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    jobs = min(config.jobs, len(plan.pending))
    threads = max((os.cpu_count() or 1) // jobs, 1)
    workers, connections = [], []
    for _ in range(jobs):
        receive, send = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(config, threads, send))
        worker.start()
        send.close()
        workers.append(worker)
        connections.append(receive)
    waiting = list(plan.pending)
    try:
        with progress.step("trials", len(waiting)) as step:
            while any(worker.is_alive() for worker in workers):
                finished = [each for each in waiting if store.has(each.place)]
                waiting = [each for each in waiting if each not in finished]
                if finished:
                    step.advance(len(finished), str(finished[-1].trial))
                time.sleep(POLL_SECONDS)
            step.advance(sum(store.has(each.place) for each in waiting))
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
    failures = []
    for worker, connection in zip(workers, connections, strict=True):
        try:
            failures += connection.recv()
        except EOFError:
            failures.append(f"a worker process ended with code {worker.exitcode}; the same command goes on")
    return list(dict.fromkeys(failures))


def _work(config: RunConfig, threads: int, connection: Connection) -> None:
    """One worker: plans for itself, runs what the others have not claimed, and sends its failures."""
    from ..results.store import Store

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    store = Store(config.store)
    try:
        plan = make_plan(config, store, SilentProgress())
        rest = tuple(group for group in plan.groups if group.trials[0].trial.protocol != "frozen")
        failures = Runner(store, config.cache, SilentProgress()).run(replace(plan, groups=rest))
    except UserError as error:
        failures = [str(error)]
    connection.send(failures)


def _end_with_parent(parent: int) -> None:
    """A worker whose parent was killed must not go on by itself."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(1)
