"""Files as preprocessed squares, chunk by chunk: in threads where they are few, in processes where they are many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..foundation.errors import UserError
from .image_reading import read_with_padding
from .parallel import cores, in_order
from .preprocessing import Preset, preprocess

# Starting a process costs 0.27 s of processor time, about as much as decoding a thousand small images.
_WORTH_PROCESSES = 1000
# With so many unreadable images the dataset as a whole is wrong, and the others need not be tried.
MOST_FAILURES = 1000


@dataclass(frozen=True)
class Request:
    """Files to decode to squares of `size`."""

    paths: Sequence[str]
    size: int
    preset: Preset


@dataclass(frozen=True)
class Decoded:
    """What became of a request.

    Attributes:
        images: uint8 [number of paths, size, size]; None where a file could not be read, or all was stopped.
        failures: place in the request -> what is wrong with that file.
    """

    images: np.ndarray | None
    failures: dict[int, str]


def decode(request: Request, stopped: Callable[[], bool] = lambda: False) -> Decoded:
    """Read and preprocess each file; `stopped` is asked before each."""
    images = np.empty((len(request.paths), request.size, request.size), np.uint8)
    failures: dict[int, str] = {}
    for place, path in enumerate(request.paths):
        if stopped():
            return Decoded(None, failures)
        try:
            image, padding = read_with_padding(path, shrinks_to=request.size)
            images[place] = preprocess(image, request.size, request.preset, padding)
        except UserError as error:
            failures[place] = str(error).removeprefix(f"{path}: ")
    return Decoded(None if failures else images, failures)


def decode_in_process(request: Request) -> Decoded:
    """`decode` in a worker process, of which there is one a core: OpenCV starts no threads of its own."""
    cv2.setNumThreads(1)
    return decode(request)


class Decoding:
    """Decodes chunks of files for `resumable_array.fill`; what cannot be read is remembered and left out.

    Args:
        root: the folder of the files.
        names: paths below it.
        size: side of the squares.
        preset: see `preprocess`.
        workers: threads or processes; None takes one a core. One worker is always a thread.
        processes: None lets the number of files decide.
    """

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        size: int,
        preset: Preset,
        workers: int | None = None,
        processes: bool | None = None,
    ):
        self._root, self._names, self._size = root, names, size
        self._preset: Preset = preset
        self._workers = workers or cores()
        self._processes = processes
        self.failures: dict[int, str] = {}

    def produce(self, missing: Sequence[slice]) -> Iterator[np.ndarray | None]:
        """The images of each slice of files, in order; None where one of them cannot be read."""
        many = sum(rows.stop - rows.start for rows in missing) >= _WORTH_PROCESSES
        processes = self._workers > 1 and (many if self._processes is None else self._processes)
        stopped = threading.Event()
        in_thread = partial(decode, stopped=stopped.is_set)
        requests = map(self._request, missing)
        answers = in_order(decode_in_process if processes else in_thread, requests, self._workers, processes)
        try:
            for rows, decoded in zip(missing, answers, strict=True):
                self.failures.update({rows.start + place: why for place, why in decoded.failures.items()})
                yield decoded.images
                if len(self.failures) >= MOST_FAILURES:
                    return
        finally:
            # Threads look at this after each image, so an interruption does not wait for whole chunks.
            stopped.set()
            answers.close()

    def path(self, row: int) -> Path:
        """Where the file of `row` lies."""
        return self._root / self._names[row]

    def _request(self, rows: slice) -> Request:
        paths = [str(self.path(row)) for row in range(rows.start, rows.stop)]
        return Request(paths, self._size, self._preset)
