"""What a registration message says, once parsed: the roster applies it, the journal keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.model.patient import Identifier, PersonName, Visit


class Kept(StrEnum):
    """HL7 v2 has three states for a field: absent means unchanged, `""` means delete."""

    UNCHANGED = "unchanged"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class PatientFields:
    """A PID segment (with what PV1, PD1 and MRG add). A field that is `Kept.UNCHANGED` leaves the
    stored value alone, `Kept.DELETED` removes it."""

    identifiers: tuple[Identifier, ...] = ()
    names: tuple[PersonName, ...] | Kept = Kept.UNCHANGED
    birth_date: str | Kept = Kept.UNCHANGED
    sex: str | Kept = Kept.UNCHANGED
    address: str | Kept = Kept.UNCHANGED
    telephone: str | Kept = Kept.UNCHANGED
    mother_birth_name: str | Kept = Kept.UNCHANGED
    deceased: bool | Kept = Kept.UNCHANGED
    confidential: bool | Kept = Kept.UNCHANGED
    multiple_birth: bool | Kept = Kept.UNCHANGED
    temporary: bool = False  # PID-31/32: identity unknown or unreliable


@dataclass(frozen=True, slots=True)
class RegistrationEvent:
    """One HL7 v2 message about patients. `trigger` is MSH-9.2 (or EVN-1 of older senders);
    `recorded_at` EVN-2, else MSH-7, as sent; `key` (sender, control id) tells a resend."""

    trigger: str
    control_id: str
    sender: str  # MSH-3|MSH-4
    recorded_at: str
    processing_id: str = "P"  # MSH-11
    patients: tuple[PatientFields, ...] = ()  # two for A24 and A37
    prior: tuple[Identifier, ...] = ()  # MRG-1, MRG-4 for old versions
    prior_names: tuple[PersonName, ...] = ()  # MRG-7
    visit: Visit | None = None
    digest: str = ""  # SHA-256 of the raw message, hex
    version: str = ""
    extra: dict[str, str] = field(default_factory=dict)


class Disposition(StrEnum):
    APPLIED = "applied"
    IGNORED = "ignored"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Applied:
    """What the roster did with an event, and how it is acknowledged (STANDARDS 6.5). `ack` is AA,
    AE or AR; `error` the HL70357 code for ERR-3 (0 when none); `location` ERR-2; `exception` a
    stable code raised for HIM (`merge-cycle`, `new-id-in-use` ...), "" when nothing is odd.
    `touched` are the roster keys whose records changed: cases that rest on them are looked at
    again."""

    disposition: Disposition
    ack: str = "AA"
    error: int = 0
    location: str = ""
    reason: str = ""
    exception: str = ""
    touched: tuple[str, ...] = ()
