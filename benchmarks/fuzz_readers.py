"""Coverage-guided fuzzing of every reader by atheris, in bounded time: executions, seconds, crashes.

atheris is no dependency, and is installed by hand: pip install atheris (Linux and macOS, Python 3.11 to 3.13).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What damaged input may make a reader allocate, and how long one input may take.
MEBIBYTES, SECONDS = 4096, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="for each reader (default 10)")
    parser.add_argument("--readers", default="", help="only those whose names hold one of these words, comma-separated")
    parser.add_argument("--keep", type=Path, help="folder for input that crashes a reader (default: not kept)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.exit("atheris is not installed here; install it with: pip install atheris")
    sys.path.insert(0, str(ROOT))
    if given.one:
        fuzz(given.one, given.folder, given.seconds)
    else:
        sys.exit(fuzz_all(given.seconds, [word for word in given.readers.split(",") if word], given.keep))


def fuzz_all(seconds: int, words: list[str], keep: Path | None) -> int:
    """Fuzz one reader after the other, each in a process of its own, and print a line each; 1 where one crashed."""
    from benchmarks.fuzzing.targets import targets

    crashes = executions = 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        names = [name for name in targets(Path(scratch)) if not words or any(word in name for word in words)]
        print(f"{'reader':44} {'executions':>10} {'seconds':>8} {'crashes':>8}")
        for name in names:
            began = time.perf_counter()
            count, trouble = fuzz_apart(name, Path(scratch), seconds, keep)
            executions += count
            crashes += bool(trouble)
            print(f"{name:44} {count:10} {time.perf_counter() - began:8.1f} {int(bool(trouble)):8}", flush=True)
            if trouble:
                print(trouble)
    print(f"{'all':44} {executions:10} {time.perf_counter() - start:8.1f} {crashes:8}")
    return int(crashes > 0)


def fuzz_apart(name: str, folder: Path, seconds: int, keep: Path | None) -> tuple[int, str]:
    """How often the reader ran, and the end of what its process said where it crashed."""
    command = [sys.executable, __file__, "--one", name, "--folder", str(folder), "--seconds", str(seconds)]
    with tempfile.TemporaryDirectory() as beside:
        place = beside if keep is None else str(keep.resolve())
        Path(place).mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, errors="replace", check=False)
    count = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    if done.returncode == 0:
        return int(count[-1]) if count else 0, ""
    # What comes before is libFuzzer's progress, and what Rust says of panics that the reader caught.
    _, _, said = done.stderr.rpartition("=== Uncaught Python exception: ===")
    lines = [line for line in said.splitlines() if not re.match(r"#\d+\t|stat::|INFO|MS:", line)]
    return int(count[-1]) if count else 0, "\n".join(f"    {line[:300]}" for line in lines[-25:])


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Run in a process of its own: libFuzzer ends it."""
    import atheris  # pyright: ignore[reportMissingImports, reportMissingModuleSource]

    with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue]
        include=["cxrbench.data", "cxrbench.foundation"]
    ):
        from benchmarks.fuzzing.targets import TOKENS, targets
    target = targets(folder)[name]

    def once(data: bytes) -> None:
        with contextlib.suppress(*target.raises):
            target.run(data)

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        words = Path(corpus).with_suffix(".words")
        escaped = ("".join(f"\\x{byte:02x}" for byte in token) for token in TOKENS)
        words.write_text("".join(f'"{token}"\n' for token in escaped))
        options = (f"max_total_time={seconds}", f"rss_limit_mb={MEBIBYTES}", f"timeout={SECONDS}", f"dict={words}")
        others = ("print_final_stats=1", "seed=1", f"max_len={2 * max(map(len, target.seeds))}")
        atheris.Setup([name, *(f"-{option}" for option in (*options, *others)), corpus], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
