"""An audit in words for people, and as JSON for programs."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd

from .findings import Audit, Finding, Kind
from .sides import Side, splits_of

SHOWN = 5
_SHOWN_IMAGES = 4
_JSON_GROUPS = 100_000
_COLUMNS = 80


def report(audit: Audit) -> str:
    """What was compared, each kind of finding with up to five examples, notes, and the answer; for 80 columns."""
    sections = [_kind_lines(audit, each) for each in audit.findings]
    notes = [line for note in audit.notes for line in _wrapped(f"note: {note}", "  ")]
    notes += [f"  {reason}" for reason in audit.unreadable[:SHOWN]]
    blocks = [_title(audit)]
    for previous, lines in zip([[], *sections], sections, strict=False):
        # Kinds of which nothing was found stand together.
        if previous and len(previous) == len(lines) == 1:
            blocks[-1] = [*blocks[-1], *lines]
        else:
            blocks.append(lines)
    blocks += [notes] if notes else []
    return "\n\n".join("\n".join(block) for block in [*blocks, [verdict(audit)]]) + "\n"


def verdict(audit: Audit) -> str:
    """The answer in one line."""
    by_id = " by id" if Kind.pixels in audit.not_compared else ""
    if audit.train_only:
        return f"overlap with train images only: no test image or test patient of {audit.a.short_title} is shared"
    if not audit.leak:
        return f"no overlap found{by_id}" if audit.b is not None else f"no leak found{by_id}"
    counts = audit.images_shared()
    images = ", ".join(_number(count, f"{split or 'listed'} image") for split, count in counts.items())
    patients = len(audit[Kind.patient])
    found = "; ".join(filter(None, [images, _number(patients, "patient") if patients else ""]))
    if audit.b is None:
        together = sum(counts.values()) + patients
        return (
            f"LEAK: {found} on two sides of the split of {audit.a.short_title};"
            f" move {'it' if together == 1 else 'each'} to one side"
        )
    return f"OVERLAP: {audit.b.short_title} has {found} of {audit.a.short_title}"


def as_json(audit: Audit) -> dict[str, Any]:
    """Everything that was found, ready for JSON; of a kind at most 100,000 groups are listed, and all are counted."""
    return {
        "schema_version": 1,
        "a": _side(audit.a),
        "b": None if audit.b is None else _side(audit.b),
        "leak": audit.leak,
        "train_only": audit.train_only,
        "verdict": verdict(audit),
        "images_shared": dict(audit.images_shared()),
        "findings": [_finding(each) for each in audit.findings],
        "looked_at": audit.looked_at,
        "unread": audit.unread,
        "unreadable": list(audit.unreadable),
        "not_compared": {str(kind): why for kind, why in audit.not_compared.items()},
        "notes": list(audit.notes),
    }


def _title(audit: Audit) -> list[str]:
    lines = [_described(audit.a)] if audit.b is None else [f"A: {_described(audit.a)}", f"B: {_described(audit.b)}"]
    return [*lines, f"{_number(audit.looked_at, 'file')} compared"]


def _described(side: Side) -> str:
    splits = ", ".join(f"{count} {split}" for split, count in splits_of(side).items())
    synthetic = ", synthetic phantom" if side.synthetic else ""
    return f"{side.title}, {_number(len(side), 'image')}{f' ({splits})' if splits else ''}{synthetic}"


def _kind_lines(audit: Audit, found: Finding) -> list[str]:
    if found.kind in audit.not_compared:
        return _wrapped(f"{found.kind}: not compared ({audit.not_compared[found.kind]})", "  ")
    if not len(found):
        return [f"{found.kind}: none"]
    listed = _listed_above(audit, found)
    parts = [_across(audit, found) if audit.b is not None else _within(audit, found)]
    for column, words in (("patients", "under two patients"), ("labels", "with different labels")):
        if found.groups[column].any():
            parts.append(f"{int(found.groups[column].sum())} {words}")
    if listed.all():
        parts.append("listed above")
    elif listed.any():
        parts.append(f"{int(listed.sum())} listed above")
    # What matters first: leaks, then other contradictions.
    weight = found.groups["leak"] * 4 + found.groups["patients"] * 2 + found.groups["labels"]
    order = weight[~listed].sort_values(ascending=False, kind="stable").index
    chosen = order[:SHOWN]
    members = found.members[found.members["group"].isin(chosen)]
    by_group = dict(list(members.groupby("group")))
    lines = _wrapped(f"{found.kind}: {'; '.join(parts)}", "  ")
    if found.kind is Kind.near and len(chosen):
        lines.append("  similarity: correlation of fine detail, 1 is equal")
    for group in chosen:
        lines += _example(audit, found, by_group[group])
    rest = len(order) - len(chosen)
    return [*lines, f"  ... and {rest} more"] if rest else lines


def _across(audit: Audit, found: Finding) -> str:
    """`28 images on both sides: 20 train, 8 test (LEAK)`."""
    images = [int((found.members["side"] == side).sum()) for side in (0, 1)]
    leak = " (LEAK)" if found.leaks else ""
    if found.kind is Kind.patient:
        held_out = ""
        if audit.a.has_splits:
            held_out = f", {found.leaks} of them with test or val images" if leak else ", with train images only"
        of_sides = f"{_number(images[0], 'image')} of A, {images[1]} of B"
        return f"{_number(len(found), 'patient')} on both sides{held_out}{leak}; {of_sides}"
    if images[0] == images[1] == len(found):
        what = f"{_number(images[0], 'image')} on both sides"
    else:
        what = f"{_number(images[0], 'image')} of A {'is' if images[0] == 1 else 'are'} {images[1]} of B"
    counts = found.members["split"][found.members["side"] == 0].value_counts()
    splits = ", ".join(f"{count} {split or 'of no split'}" for split, count in counts.items())
    return f"{what}{f': {splits}' if audit.a.has_splits else ''}{leak}"


def _within(audit: Audit, found: Finding) -> str:
    images = _number(int(found.groups["images"].sum()), "image")
    what = _number(len(found), "patient" if found.kind is Kind.patient else "group")
    if found.leaks == len(found):
        return f"{what} of {images} on two sides of the split (LEAK)"
    if found.leaks:
        return f"{what} of {images}, {found.leaks} on two sides of the split (LEAK)"
    return f"{what} of {images}{', each within one split' if audit.a.has_splits else ''}"


def _listed_above(audit: Audit, found: Finding) -> pd.Series:
    """Which groups of images stand under a kind before this one already, bool by group."""
    listed = pd.Series(np.zeros(len(found), bool), index=found.groups.index)
    if found.kind is Kind.patient:
        return listed
    for earlier in audit.findings[: audit.findings.index(found)]:
        known = earlier.members[["side", "row", "group"]].rename(columns={"group": "known"})
        together = found.members.merge(known, on=["side", "row"], how="left").groupby("group")["known"]
        listed |= (together.nunique() == 1) & (together.count() == together.size())
    return listed


def _example(audit: Audit, found: Finding, members: pd.DataFrame) -> list[str]:
    words = {side: _names(found, images) for side, images in members.groupby("side")}
    if audit.b is not None:
        words = {side: [f"{'AB'[int(str(side))]} {names[0]}", *names[1:]] for side, names in words.items()}
    if found.kind is Kind.patient:
        patient = f"patient {members['patient_id'].iloc[0]}: "
        texts = [", ".join(names) for names in words.values()]
        whole = f"  {patient}{'; '.join(texts)}"
        if len(whole) <= _COLUMNS:
            return [whole]
        return [f"  {patient.rstrip()}", *(line for text in texts for line in _wrapped(f"    {text}", "      "))]
    names = [name for names in words.values() for name in names]
    if found.kind is Kind.near:
        names[-1] += f", similarity {members['similarity'].min():.3f}"
    whole = f"  {' = '.join(names)}"
    return [whole] if len(whole) <= _COLUMNS else [f"  {names[0]}", *(f"    = {name}" for name in names[1:])]


def _names(found: Finding, images: pd.DataFrame) -> list[str]:
    """The first images of a group that lie on one side, with what is known of them."""
    shown = images.head(_SHOWN_IMAGES)
    names = []
    for name, split, patient in zip(shown["name"], shown["split"], shown["patient_id"], strict=True):
        told = found.kind is not Kind.patient and patient
        about = ", ".join(filter(None, [split, f"patient {patient}" if told else ""]))
        names.append(f"{name} ({about})" if about else name)
    if len(images) > len(shown):
        names[-1] += f" and {len(images) - len(shown)} more"
    return names


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _side(side: Side) -> dict[str, Any]:
    return {
        "title": side.title,
        "dataset": side.dataset or None,
        "images": len(side),
        "splits": dict(splits_of(side)),
        "synthetic": side.synthetic,
        "notes": list(side.notes),
    }


def _finding(found: Finding) -> dict[str, Any]:
    members = found.members[found.members["group"] < _JSON_GROUPS]
    images = [
        {
            "side": "ab"[side],
            "name": name,
            **({"split": split} if split else {}),
            **({"patient_id": patient} if patient else {}),
            **({"similarity": round(similarity, 4)} if similarity == similarity else {}),
        }
        for side, name, split, patient, similarity in zip(
            members["side"],
            members["name"],
            members["split"],
            members["patient_id"],
            members["similarity"],
            strict=True,
        )
    ]
    ends = members.groupby("group").size().cumsum().tolist()
    flags = found.groups[["leak", "patients", "labels"]].head(_JSON_GROUPS).to_dict("records")
    groups = [
        {
            "leak": bool(flag["leak"]),
            "different_patients": bool(flag["patients"]),
            "different_labels": bool(flag["labels"]),
            "images": images[start:end],
        }
        for start, end, flag in zip([0, *ends][: len(ends)], ends, flags, strict=True)
    ]
    return {
        "kind": str(found.kind),
        "groups": len(found),
        "images": int(found.groups["images"].sum()),
        "leaks": found.leaks,
        "a_by_split": found.shared(0),
        "b_by_split": found.shared(1),
        "listed": groups,
    }


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
