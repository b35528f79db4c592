"""An audit in words for people, and as JSON for programs."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .findings import Audit, Finding, Kind
from .sides import Side, splits_of

SHOWN = 5
_SHOWN_IMAGES = 4
_JSON_GROUPS = 100_000


def report(audit: Audit) -> str:
    """Several lines: what was compared, each kind of finding with up to five examples, and the answer."""
    lines = [_title(audit)]
    for each in audit.findings:
        lines += _kind_lines(audit, each)
    lines += [f"note: {note}" for note in audit.notes]
    lines += [f"  {reason}" for reason in audit.unreadable[:SHOWN]]
    return "\n".join([*lines, verdict(audit)]) + "\n"


def verdict(audit: Audit) -> str:
    """The answer in one line."""
    if not audit.leak:
        return "no overlap found" if audit.b is not None else "no leak found"
    counts = audit.images_shared()
    images = ", ".join(f"{count} {split or 'listed'} images" for split, count in counts.items())
    patients = audit[Kind.patient].leaks
    persons = f"{_number(patients, 'patient')}" if patients else ""
    found = "; ".join(filter(None, [images, persons]))
    if audit.b is None:
        return f"LEAK: {found} on two sides of the split of {audit.a.title}; move each to one side"
    return f"OVERLAP: {audit.b.title} has {found} of {audit.a.title}"


def as_json(audit: Audit) -> dict[str, Any]:
    """Everything that was found, ready for JSON; of a kind at most 100,000 groups are listed, and all are counted."""
    return {
        "schema_version": 1,
        "a": _side(audit.a),
        "b": None if audit.b is None else _side(audit.b),
        "leak": audit.leak,
        "verdict": verdict(audit),
        "images_shared": dict(audit.images_shared()),
        "findings": [_finding(each) for each in audit.findings],
        "looked_at": audit.looked_at,
        "unread": audit.unread,
        "unreadable": list(audit.unreadable),
        "notes": list(audit.notes),
    }


def _title(audit: Audit) -> str:
    sides = [audit.a] if audit.b is None else [audit.a, audit.b]
    return " against ".join(map(_described, sides)) + f"; {audit.looked_at} files compared"


def _described(side: Side) -> str:
    splits = ", ".join(f"{count} {split}" for split, count in splits_of(side).items())
    synthetic = ", synthetic phantom" if side.synthetic else ""
    return f"{side.title} ({_number(len(side), 'image')}{': ' if splits else ''}{splits}{synthetic})"


def _kind_lines(audit: Audit, found: Finding) -> list[str]:
    if not len(found):
        return [f"{found.kind}: none"]
    parts = [f"{_number(len(found), 'group')} of {_number(int(found.groups['images'].sum()), 'image')}"]
    if found.leaks:
        parts.append(f"{found.leaks} {'on two sides of the split' if audit.b is None else 'on both sides'} (LEAK)")
    elif audit.b is None and (audit.a.images["split"] != "").any():
        parts.append("each within one split")
    for column, words in (("patients", "under two patients"), ("labels", "with different labels")):
        if found.groups[column].any():
            parts.append(f"{int(found.groups[column].sum())} {words}")
    lines = [f"{found.kind}: {'; '.join(parts)}"]
    # What matters first: leaks, then other contradictions.
    weight = found.groups["leak"] * 4 + found.groups["patients"] * 2 + found.groups["labels"]
    chosen = weight.sort_values(ascending=False, kind="stable").index[:SHOWN]
    members = found.members[found.members["group"].isin(chosen)]
    by_group = dict(list(members.groupby("group")))
    lines += [f"  {_example(audit, found, by_group[group])}" for group in chosen]
    rest = len(found) - len(chosen)
    return [*lines, f"  ... and {rest} more"] if rest else lines


def _example(audit: Audit, found: Finding, members: pd.DataFrame) -> str:
    shown = members.groupby("side", group_keys=False).head(_SHOWN_IMAGES)
    words = []
    for row in shown.rename(columns={"name": "image"}).itertuples():
        about = [str(row.split)] if row.split else []
        if found.kind is not Kind.patient and row.patient_id:
            about.append(f"patient {row.patient_id}")
        side = "" if audit.b is None else ("A " if row.side == 0 else "B ")
        words.append(f"{side}{row.image}" + (f" ({', '.join(about)})" if about else ""))
    more = f" and {len(members) - len(shown)} more" if len(members) > len(shown) else ""
    alike = f" [similarity {members['similarity'].min():.3f}]" if found.kind is Kind.near else ""
    who = f"patient {members['patient_id'].iloc[0]}: " if found.kind is Kind.patient else ""
    return f"{who}{' = '.join(words) if found.kind is not Kind.patient else ', '.join(words)}{more}{alike}"


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
