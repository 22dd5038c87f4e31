"""HL7 v2 messages for tests, written as people write them."""

from __future__ import annotations

from typing import Any

from kiosk.adt import parse as parse_frame
from kiosk.model.registration import PatientFields, RegistrationEvent


def hl7(
    trigger: str = "A04",
    pid: str = "PID|1||1^^^MERCY^MR||SMITH^ANN^L^^^^L||19700203|F",
    *more: str,
    msh: str = "",
    at: str = "202601010900",
    control: str = "0001",
    **header: str,
) -> bytes:
    """A message; `header` sets MSH fields by number: `f11="T"`."""
    fields = {
        3: "ADT", 4: "MERCY", 5: "KIOSK", 6: "MERCY", 7: at, 9: f"ADT^{trigger}", 10: control,
        11: "P", 12: "2.5.1",
    }  # fmt: skip
    fields |= {int(name[1:]): value for name, value in header.items()}
    line = "|".join(fields.get(n, "") for n in range(3, max(fields) + 1))
    segments = [msh or rf"MSH|^~\&|{line}", f"EVN|{trigger}|{at}", pid, *more]
    return ("\r".join(s for s in segments if s) + "\r").encode()


def parse(raw: bytes, **settings: Any) -> RegistrationEvent:
    return parse_frame(raw, **{"default_charset": "utf-8", "default_authority": "", **settings})


def patient(raw: bytes, **settings: Any) -> PatientFields:
    return parse(raw, **settings).patients[0]
