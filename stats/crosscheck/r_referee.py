"""R itself, asked through rpy2."""

from __future__ import annotations

import importlib
import logging
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .answers import RAnswer, Referee
from .case import Case, Input
from .questions import QUESTIONS, Question

SCRIPT = Path(__file__).with_name("referee.R")


class NoRError(Exception):
    """R cannot be asked; the message says what is missing."""


def ask_r(questions: Sequence[Question] = QUESTIONS) -> Referee:
    """R's answers to every case. Raises NoRError where rpy2, R, pROC or coin is missing. Takes seconds."""
    with _quiet_r() as robjects:
        before = set(robjects.globalenv)
        # The functions live in an environment of their own; what loading packages leaves goes again.
        functions = robjects.baseenv["new.env"]()
        robjects.baseenv["sys.source"](str(SCRIPT), envir=functions)
        try:
            versions = functions["versions"]()
        except Exception as error:
            raise NoRError(f"R lacks pROC or coin: {str(error).strip().splitlines()[-1].strip()}") from error
        answers = {
            question.name: {case.name: _answer(robjects, functions, question.name, case) for case in question.cases()}
            for question in questions
        }
        for name in set(robjects.globalenv) - before:
            del robjects.globalenv[name]
    return Referee(dict(zip(versions.names, versions, strict=True)), None, answers)


def _answer(robjects: Any, functions: Any, question: str, case: Case) -> RAnswer:
    found: dict[str, list[float]] = {}
    for row in case.rows():
        inputs = robjects.ListVector({name: _for_r(robjects, value) for name, value in row.items()})
        answer = functions["answer"](question, inputs)
        for name, values in zip(answer.names, answer, strict=True):
            if name == "error":
                return RAnswer(case.digest(), {}, " ".join(str(values[0]).split()))
            # R's NA becomes the ordinary NaN.
            found.setdefault(name, []).extend(math.nan if math.isnan(value) else float(value) for value in values)
    return RAnswer(case.digest(), found)


def _for_r(robjects: Any, value: Input) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    numbers = robjects.FloatVector(np.ravel(value, order="F").tolist())
    return numbers if value.ndim == 1 else robjects.baseenv["matrix"](numbers, nrow=value.shape[0])


@contextmanager
def _quiet_r() -> Iterator[Any]:
    """rpy2.robjects, with nothing printed by rpy2 or R meanwhile."""
    level = logging.getLogger("rpy2").level
    logging.getLogger("rpy2").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        stack.enter_context(_same_environment())
        stack.callback(logging.getLogger("rpy2").setLevel, level)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            # By name, because a machine without R has no rpy2 either and type checkers miss it there.
            callbacks = importlib.import_module("rpy2.rinterface_lib.callbacks")
            for name in ("consolewrite_print", "consolewrite_warnerror"):
                stack.enter_context(callbacks.obj_in_module(callbacks, name, lambda _: None))
            embedded = importlib.import_module("rpy2.rinterface_lib.embedded")
            if not embedded.isinitialized():
                # Without the .Rprofile of the folder we happen to be in.
                embedded.set_initoptions(("rpy2", "--quiet", "--no-save", "--no-restore", "--no-init-file"))
            robjects = importlib.import_module("rpy2.robjects")
        except ImportError as error:
            raise NoRError(f"rpy2 is not installed ({error})") from error
        except Exception as error:  # rpy2 raises whatever it meets where R is missing or broken
            raise NoRError(f"rpy2 finds no R ({error})") from error
        yield robjects


@contextmanager
def _same_environment() -> Iterator[None]:
    """The environment that programs started from this process get: afterwards as before.

    R puts its libraries, and all that lie beside them, before those that programs started from here were built for.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in {*os.environ, "LD_LIBRARY_PATH"} - set(before):
            os.environ.pop(name, None)
            os.unsetenv(name)
        os.environ.update(before)
