"""K6 and D3 by hand: what is on a disc, what waits to be looked at, one study before one's eyes.

The pictures are made of numbers: no patient's."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace

from kiosk.desk.snapshots import (
    Chip,
    ChoiceGroup,
    Choose,
    Header,
    Mood,
    Notice,
    SeriesLine,
    StudyChoice,
    StudyLine,
    TriageRow,
    TriageSnapshot,
    ViewSnapshot,
    say,
)
from kiosk.model.patient import PatientIdentity
from kiosk.model.relevance.choice import Standing, Triage
from kiosk.model.relevance.picture import Channel, Picture, PictureKind, Window

AT = "2026-11-24T10:31:00+00:00"
SIDE = 64


def rings(side: int = SIDE) -> list[float]:
    """A picture of rings, 0 to 1."""
    middle = (side - 1) / 2
    return [
        0.5 + 0.5 * math.cos(math.hypot(x - middle, y - middle) / 4)
        for y in range(side)
        for x in range(side)
    ]


GREY = Picture(
    PictureKind.GREY,
    width=SIDE,
    height=SIDE,
    intercept=-1000.0,
    windows=(Window(40.0, 400.0, name="SOFT"), Window(500.0, 3000.0, "LINEAR_EXACT", "full")),
    data=zlib.compress(b"".join(struct.pack("<H", int(3000 * v)) for v in rings())),
)
SMALL = Picture(
    PictureKind.SHOWN,
    width=SIDE,
    height=SIDE,
    data=zlib.compress(bytes(int(255 * v) for v in rings())),
)
COLOUR = Picture(
    PictureKind.COLOUR,
    width=SIDE,
    height=SIDE,
    data=zlib.compress(b"".join(bytes((int(255 * v), 80, 120)) for v in rings())),
)
WAVE = Picture(
    PictureKind.WAVE,
    width=500,
    rate=250.0,
    channels=(Channel("I"), Channel("II"), Channel("V1")),
    data=zlib.compress(
        b"".join(
            struct.pack("<h", int(900 * math.sin(n / (5 + c)) ** 9))
            for c in range(3)
            for n in range(500)
        )
    ),
)
REPORT = Picture(
    PictureKind.TEXT,
    data=zlib.compress(b"Chest X-ray report\n\nFinding: no fracture\n    Rib: 7"),
)
DAMAGED = Picture(PictureKind.NOTHING, problem="damaged")


def study(description: str, modality: str, date: str, images: int, damaged: int = 0) -> StudyLine:
    return StudyLine(
        f"1.2.{date}.{images}",
        modality,
        description,
        date,
        "St. Mary, Springfield",
        images=images,
        damaged=damaged,
    )


STUDIES = (
    StudyChoice(1, study("CT chest", "CT", "20250502", 412), Chip.SUGGESTED, True, picture=SMALL),
    StudyChoice(
        2,
        study("X-ray left hand", "DX", "20250502", 3),
        Chip.SUGGESTED,
        True,
        seen_first=Triage.RADIOLOGIST,
        picture=COLOUR,
    ),
    StudyChoice(3, study("MR knee", "MR", "20190109", 212, 14), Chip.OLDER, picture=SMALL),
    StudyChoice(
        4, study("CT chest", "CT", "20241103", 300), Chip.HERE, tickable=False, picture=DAMAGED
    ),
    StudyChoice(5, study("Report", "SR", "20241103", 1), Chip.REPORT, True, picture=REPORT),
)


def choose(*people: PatientIdentity) -> Choose:
    """All studies of one person, or nothing ticked of several."""
    scratched = Notice(Mood.CARE, say("KX-120", n=14, m=928))
    groups = (ChoiceGroup(people[0], STUDIES),)
    if len(people) > 1:
        plain = tuple(replace(each, ticked=False) for each in STUDIES)
        groups = (ChoiceGroup(people[0], plain[:2]), ChoiceGroup(people[1], plain[2:]))
        name = people[0].name
        scratched = Notice(Mood.STOP, say("KX-131", n=len(people), name=name))
    ledger = (("ok", 914), ("damaged", 14), ("dicomdir", 1), ("report", 2), ("viewer", 21))
    return Choose("MAPLE-27", 7, groups, ledger, 952, (scratched,), "/dev/sr0")


def rows(stated: PatientIdentity) -> tuple[TriageRow, ...]:
    waits = TriageRow(
        1,
        9,
        "MAPLE-27",
        stated,
        STUDIES[0].line,
        Standing.TRIAGE,
        Triage.RADIOLOGIST,
        AT,
        "rule 1 (outside chests)",
        station="kiosk-3",
        mine=True,
        picture=SMALL,
    )
    held = replace(waits, study=3, line=STUDIES[2].line, standing=Standing.HELD)
    held = replace(held, triage=Triage.NOBODY, by="Dr. Lee", reason="wait for the report")
    left = replace(waits, study=4, line=STUDIES[3].line, standing=Standing.LEFT, by="anna")
    return waits, held, replace(left, triage=Triage.NOBODY, because="", picture=None)


def queue(header: Header, stated: PatientIdentity) -> TriageSnapshot:
    waits, held, left = rows(stated)
    return TriageSnapshot(header, (waits, held), (left,))


def view(header: Header, stated: PatientIdentity) -> ViewSnapshot:
    waits, held, _ = rows(stated)
    return ViewSnapshot(
        header,
        waits,
        (
            SeriesLine(11, "CT", "Axial 5 mm", 412, 14, SMALL),
            SeriesLine(12, "ECG", "12 leads", 1, 0, WAVE),
            SeriesLine(13, "SR", "Report", 1, 0, REPORT),
        ),
        (held,),
        ("PACS (the default)",),
        ("PACS", "HEART"),
        (("modality", "CT"), ("body-part", "CHEST"), ("series", "3"), ("images", "414")),
    )
