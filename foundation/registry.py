"""Things found by name: ours, those of installed plug-ins, and those of files a user includes."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Generic, TypeVar

from .errors import UserError, unknown_name
from .files import sha256_of_file

T = TypeVar("T")
Loader = Callable[[], object]
_INCLUDED = "cxrbench_included_"


class Registry(Generic[T]):
    """Named things of one kind, each imported only when it is asked for.

    Three sources answer for a name, in this order: `register` (our modules call it when they
    are imported, and so do files given to `include`), `builtin` (ours, not yet imported), and
    the entry points of the installed plug-ins in `group`.
    """

    def __init__(self, kind: str, group: str, builtin: Callable[[], Mapping[str, Loader]]):
        self.kind = kind
        self._group = group
        self._builtin = builtin
        self._registered: dict[str, T] = {}

    def register(self, name: str, thing: T) -> T:
        """Hand `thing` out under `name`. Raises UserError where the name already means something else."""
        known = self._registered.get(name)
        if known is not None and known is not thing:
            raise UserError(f"{self.kind} {name!r} is registered twice; rename one of the two")
        self._registered[name] = thing
        return thing

    def names(self) -> list[str]:
        """All names that `get` answers, sorted; nothing is imported."""
        return sorted({*self._registered, *self._builtin(), *self._plugins()})

    def get(self, name: str) -> T:
        """The thing called `name`. Raises UserError, with the nearest name, where there is none."""
        if name not in self._registered:
            loader = self._builtin().get(name) or self._plugins().get(name)
            if loader is None:
                raise unknown_name(self.kind, name, self.names())
            loaded = loader()
            # A module registers itself while it is imported; a plug-in's entry point is the thing itself.
            if name not in self._registered:
                self._registered[name] = loaded  # type: ignore[assignment]
        return self._registered[name]

    def _plugins(self) -> dict[str, Loader]:
        return {point.name: point.load for point in metadata.entry_points(group=self._group)}


def included_code(thing: object) -> str | None:
    """SHA-256 of the included file that defines the class of `thing`; None for installed code, whose version counts."""
    module = sys.modules.get(type(thing).__module__)
    file = getattr(module, "__file__", None)
    if file is None or not type(thing).__module__.startswith(_INCLUDED):
        return None
    return sha256_of_file(Path(file))


def modules_in(package: str) -> dict[str, Loader]:
    """One loader a module of `package`, under the module's own name."""
    path = import_module(package).__path__
    names = [module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_")]
    return {name: (lambda name=name: import_module(f"{package}.{name}")) for name in names}


def include(path: Path) -> None:
    """Run a user's Python file, so that the things it registers can be named.

    Raises UserError where the file is absent or does not run; the message says at which line.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise UserError(f"--include {path}: no such file")
    name = f"{_INCLUDED}{path.stem}"
    if getattr(sys.modules.get(name), "__file__", None) == str(path):
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"--include {path}: not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        sys.modules.pop(name)
        raise
    except Exception as error:
        sys.modules.pop(name)
        line = _line_in(error, path)
        raise UserError(f"--include {path}, line {line}: {type(error).__name__}: {error}") from error


def _line_in(error: BaseException, path: Path) -> int:
    """The deepest line of `path` in the traceback of `error`; 0 where the file is not in it."""
    line = error.lineno or 0 if isinstance(error, SyntaxError) else 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
