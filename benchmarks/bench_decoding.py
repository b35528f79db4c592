"""Decoding to the cached array against other libraries, scaled JPEGs against whole ones, and two cores against one."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from timing import report, verdict

from cxrbench.data import load
from cxrbench.data.decoding import Decoding
from cxrbench.data.image_reading import read_image, read_with_padding
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.preprocessing import preprocess

SIZE = 224
CHUNK = 32
Reader = Callable[[Path], np.ndarray]
_COUNT = "import time; t = time.perf_counter(); [None for _ in range(10**7)]; print(time.perf_counter() - t)"


def with_opencv(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    assert image is not None
    return image


def with_pillow(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def with_torchvision(path: Path) -> np.ndarray:
    from torchvision.io import ImageReadMode, decode_image

    return decode_image(str(path), ImageReadMode.GRAY)[0].numpy()


def processor_time(ways: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, list[float]]:
    """Seconds of the processor in this thread, the ways taking turns: other work on the machine counts for little."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, work in ways.items():
            start = time.thread_time()
            work()
            if number > 0:
                found[name].append(time.thread_time() - start)
    return found


def compare_readers(title: str, paths: list[Path]) -> None:
    """Files to squares in one thread: the same preprocessing after each library's decoder."""
    readers: dict[str, Reader] = {
        "cxrbench": lambda path: read_with_padding(path, shrinks_to=SIZE)[0],
        "OpenCV": with_opencv,
        "Pillow": with_pillow,
        "torchvision": with_torchvision,
    }

    def over(reader: Reader) -> Callable[[], object]:
        return lambda: [preprocess(reader(path), SIZE) for path in paths]

    medians = report(
        title, processor_time({name: over(each) for name, each in readers.items()}), len(paths) / 1e3, "ms"
    )
    fastest = min(medians[name] for name in readers if name != "cxrbench")
    verdict("speed against the fastest library", fastest / medians["cxrbench"], 0.95, at_least=True)


def compare_scaled(title: str, paths: list[Path]) -> None:
    """What decoding JPEGs at a part of their size gains, and what it changes in the squares."""

    def scaled() -> list[np.ndarray]:
        return [preprocess(read_with_padding(path, shrinks_to=SIZE)[0], SIZE) for path in paths]

    def whole() -> list[np.ndarray]:
        return [preprocess(read_image(path), SIZE) for path in paths]

    medians = report(title, processor_time({"whole": whole, "at a part": scaled}), len(paths) / 1000, "ms")
    print(f"  at a part of the size: {medians['whole'] / medians['at a part']:.2f} x as fast")
    difference = np.abs(np.stack(scaled()).astype(int) - np.stack(whole()))
    print(f"  grey levels that differ: mean {difference.mean():.3f}, most {difference.max()} of 255")


def cores_offered() -> float:
    """How many cores the machine has free for two processes, by two that do nothing but count."""

    def counting(processes: int) -> float:
        command = [sys.executable, "-S", "-c", _COUNT]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
        return max(float(each.communicate()[0]) for each in started)

    return 2 * counting(1) / counting(2)


def compare_cores(title: str, paths: Sequence[Path]) -> None:
    """One thread, two threads, two processes, from the first chunk to the last: how long workers start is left out."""
    names = [str(path) for path in paths]
    missing = [slice(first, min(first + CHUNK, len(names))) for first in range(0, len(names), CHUNK)]

    def measured(workers: int, processes: bool) -> float:
        chunks = Decoding(Path("/"), names, SIZE, "default", workers, processes).produce(missing)
        next(chunks)
        start = time.perf_counter()
        for images in chunks:
            assert images is not None
        return (time.perf_counter() - start) * len(missing) / (len(missing) - workers)

    ways = {"one thread": (1, False), "two threads": (2, False), "two processes": (2, True)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    offered = [cores_offered()]
    for _ in range(3):
        for name, (workers, processes) in ways.items():
            found[name].append(measured(workers, processes))
        offered.append(cores_offered())
    medians = report(title, found, len(paths) / 1000, "ms")
    shown = ", ".join(f"{each:.2f}" for each in offered)
    print(f"  two processes that only count got {shown} cores; below 1.9 what follows says nothing about two cores")
    print(f"  two threads: {medians['one thread'] / medians['two threads']:.2f} x one")
    verdict("two processes against one", medians["one thread"] / medians["two processes"], 1.8, at_least=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--realdata", type=Path, help="folder with real radiographs: nih and kermany/chest_xray")
    parser.add_argument("--files", type=int, default=3000, help="files of each kind for two cores against one")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        kinds: dict[str, list[Path]] = {}
        for side in (256, 1500):
            root = Path(scratch) / f"phantom-{side}"
            write_phantom_dataset("chexpert", root, 200 if side == 256 else 24, side, rib_free=False)
            kinds[f"phantom JPEG, {side} px"] = [root / path for path in load("chexpert", root).samples["path"]]
        large = kinds["phantom JPEG, 1500 px"]
        if given.realdata:
            kinds["NIH PNG, 1024 px"] = sorted(given.realdata.glob("nih/*/images/*.png"))[:60]
            kinds["paediatric JPEG, 224 px"] = sorted(given.realdata.glob("kermany/**/*.jpeg"))[:500]
        for title, paths in kinds.items():
            compare_readers(f"{title}, to {SIZE} px, one thread, an image", paths)
        compare_scaled(f"phantom JPEG, 1500 px, to {SIZE} px, one thread, an image", large)
        for title, paths in kinds.items():
            files = given.files if "1500" not in title and "NIH" not in title else given.files // 10
            many = [paths[number % len(paths)] for number in range(files)]
            compare_cores(f"{title}, {files} files to {SIZE} px, an image", many)


if __name__ == "__main__":
    main()
