"""Findings, kept to a number that people can read, and what damage comes to, series by series."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from kiosk.model.content import (
    Finding,
    Instance,
    InstanceStatus,
    Series,
    Severity,
    StatedPatient,
)

# Every hurt image is named, for a person has to be told which; of the rest a sample is enough.
_MOST = {Severity.INFO: 20, Severity.WARNING: 100, Severity.ERROR: 2000, Severity.UNSAFE: 2000}


_MORE = "{count:,} more files like these, which are not named. {do}"
_COPY = "Clean the disc and read it again, or ask the sender for a copy."
_ANOTHER = "If the image is needed and cannot be seen after the import, ask the sender for another."
_ASK = "Ask the sender for another copy."
_NOTHING = "Nothing needs to be done."
TO_DO = {
    "acr-nema": "Ask the sender for a DICOM copy.",
    "bytes-behind-the-image": f"The image is whole. {_NOTHING}",
    "charset-guessed": "Compare the name on paper.",
    "conflicting-instance": "Compare the two before one of them is relied on.",
    "damaged-frames": _COPY,
    "damaged-instance": f"It is not forwarded as whole. {_COPY}",
    "deflated-too-large": "Ask the sender for a copy that is not compressed.",
    "directory-damaged": "If scans are missing, ask the sender for a copy.",
    "directory-disagrees": "Compare the name on the disc.",
    "encrypted": "Ask the sender for a copy without a password.",
    "file-id-outside": _NOTHING,
    "header-malformed": f"What can be read of it is used. {_ANOTHER}",
    "header-too-complex": _ASK,
    "hurt-file": f"What could be read of it is kept. {_COPY}",
    "listed-file-missing": "If it is a scan, it is missing: ask the sender for it.",
    "listed-file-unreadable": f"It is missing. {_COPY}",
    "music-or-film": f"They are left out. {_NOTHING}",
    "no-patient-object": _NOTHING,
    "not-importable": f"It is left out. {_NOTHING}",
    "packed": "If the scans are in it, unpack it on another computer and bring the folder.",
    "preamble-executable": _NOTHING,
    "sequence-too-deep": _ASK,
    "series-damaged": f"They are not imported. {_COPY}",
    "study-of-several-patients": "Compare the names before anything is released.",
    "transfer-syntax-disagrees": _ANOTHER,
    "uid-disagrees": f"The one among the image's own data counts. {_NOTHING}",
    "uid-invalid": _NOTHING,
    "uid-missing": _ANOTHER,
    "unlisted-file": _NOTHING,
    "unreadable-file": "It is not imported. Read the medium again; if that does not help, tell IT.",
    "with-program": "If one is the patient's, open the disc on another computer and hand it in.",
}
"""What a person does about each kind of finding: its last sentences."""


class Findings:
    """Collects findings; past a number of the same code and severity they are only counted. What
    happened and what it means is said by who adds it, what to do stands in the table."""

    def __init__(self, given: Iterable[Finding] = ()) -> None:
        self._kept: dict[Finding, None] = dict.fromkeys(given)
        self._counts: dict[tuple[str, Severity], int] = {}

    def add(self, code: str, severity: Severity, where: str = "", detail: str = "") -> None:
        finding = Finding(code, severity, where, f"{detail} {TO_DO[code]}")
        if finding in self._kept:
            return
        count = self._counts[code, severity] = self._counts.get((code, severity), 0) + 1
        if count <= _MOST[severity]:
            self._kept[finding] = None

    def all(self) -> tuple[Finding, ...]:
        more = (
            Finding(code, severity, "", _MORE.format(count=count - _MOST[severity], do=TO_DO[code]))
            for (code, severity), count in self._counts.items()
            if count > _MOST[severity]
        )
        return (*self._kept, *more)


def damage(patients: Iterable[StatedPatient]) -> Iterator[Finding]:
    """One finding for each series with hurt images: how many of how many, which numbers, and
    between which slice positions where every header has one."""
    for series in (s for p in patients for study in p.studies for s in study.series):
        images = {i.sop_instance_uid for i in series.instances}
        whole = {
            i.sop_instance_uid for i in series.instances if i.status is not InstanceStatus.DAMAGED
        }
        hurt = {i.sop_instance_uid: i for i in series.instances if i.sop_instance_uid not in whole}
        if hurt:
            said = f"{len(hurt)} of {len(images)} images of {_name(series)} are damaged"
            which = "; ".join(filter(None, (_numbers(hurt.values()), _slices(hurt.values()))))
            detail = f"{said}{': ' if which else ''}{which}."
            yield Finding("series-damaged", Severity.ERROR, "", detail)


_MOST_RANGES = 12


def _name(series: Series) -> str:
    """Coded words only: a description is free text, in which a name can stand."""
    words = [_coded(series.modality), _coded(series.body_part)]
    number = f"series {series.number}" if _is_number(series.number) else ""
    return " ".join(word for word in (*words, number) if word) or "one series"


def _coded(text: str) -> str:
    """A Code String (PS3.5 6.2), or nothing."""
    plain = text.isascii() and text.replace(" ", "").replace("_", "").isalnum()
    return text if plain and len(text) <= 16 else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12


def _numbers(hurt: Iterable[Instance]) -> str:
    """`numbers 3-7, 12`, of those whose header has one."""
    ranges: list[list[int]] = []
    for number in sorted({int(i.number) for i in hurt if _is_number(i.number)}):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return f"numbers {in_words(ranges)}" if ranges else ""


def in_words(ranges: Sequence[Sequence[int]]) -> str:
    """`3-7, 12`, and how many more."""
    shown = [f"{a}-{b}" if a != b else f"{a}" for a, b in ranges[:_MOST_RANGES]]
    more = f" and {len(ranges) - _MOST_RANGES} more ranges" if len(ranges) > _MOST_RANGES else ""
    return f"{', '.join(shown)}{more}"


def _slices(hurt: Iterable[Instance]) -> str:
    """`slice positions from -12.5 to 40 mm`, or nothing when one of them has none."""
    at = [_millimetres(i.slice_location) for i in hurt]
    known = [x for x in at if x is not None]
    if not known or len(known) < len(at):
        return ""
    low, high = min(known), max(known)
    return (
        f"slice positions from {low:g} to {high:g} mm"
        if low != high
        else f"slice position {low:g} mm"
    )


def _millimetres(text: str) -> float | None:
    try:
        value = float(text[:16])
    except ValueError:
        return None
    return value if math.isfinite(value) else None
