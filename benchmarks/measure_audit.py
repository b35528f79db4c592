"""What the audit finds of planted leaks, kind by kind, and how often it is wrong; also on real radiographs."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from planted_leaks import KINDS, drawn, plant, score
from timing import seconds, verdict

from cxrbench.data.audit import Audit, audit, read_side, side_of_list
from cxrbench.data.reading import Reading
from cxrbench.foundation.files import default_cache
from cxrbench.foundation.progress import progress_for_terminal

TARGETS = {"id": 0.99, "bit-equal": 0.99, "3 % crop": 0.8}
FALSE_ALARMS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="of both folders together")
    parser.add_argument("--each", type=int, default=200, help="planted copies of each kind")
    parser.add_argument("--size", type=int, default=160, help="side of the phantoms in pixels")
    parser.add_argument("--drawn", type=Path, default=default_cache() / "measure_audit", help="where phantoms are kept")
    parser.add_argument("--real", nargs="*", default=[], metavar="NAME=PATH", help="datasets without near-duplicates")
    given = parser.parse_args()
    progress = progress_for_terminal()
    images = drawn(given.drawn, given.images, given.size, progress)
    with tempfile.TemporaryDirectory() as scratch:
        a, b = Path(scratch) / "a", Path(scratch) / "b"
        planted = plant(images, a, b, given.each)
        result: list[Audit] = []
        took = seconds(lambda: result.append(audit(side_of_list(a), side_of_list(b), Path(scratch) / "c", progress)))
        recall, wrong = score(result[0], planted)
        print(f"{given.images} images of {given.size} px, {given.each} planted of each kind, audited in {took:.0f} s")
        for kind in KINDS:
            verdict(f"found, {kind}", recall[kind], TARGETS.get(kind, 0.95), at_least=True)
        verdict("images told wrongly", wrong["name_b"].nunique(), FALSE_ALARMS, at_least=False)
        print(wrong.head(10).to_string() if len(wrong) else "")
        for text in given.real:
            reading = Reading(progress=progress)
            found = audit(read_side(text, reading), None, Path(scratch) / "c", progress)
            counts = {each.kind.value: len(each) for each in found.findings}
            print(f"{text}: {len(found.a)} images, groups {counts}")


if __name__ == "__main__":
    main()
