"""What a registration message says, once parsed: the roster applies it, the journal keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.model.patient import Identifier, PersonName, Visit


class Kept(StrEnum):
    """HL7 v2 has three states for a field: absent means unchanged, `""` means delete."""

    UNCHANGED = "unchanged"
    DELETED = "deleted"


NULL = '""'  # HL7's explicit null; the one component of a PersonName that is to be deleted


class Effect(StrEnum):
    """What a trigger does to the roster (IHE ITI-30 and ITI-31)."""

    UPSERT = "upsert"  # create or update the patient, and the visit
    VISIT = "visit"  # the visit only; the patient is created when unknown
    REMOVE = "remove"  # hidden from search, still resolvable
    MERGE = "merge"  # MRG-1 is merged into PID-3
    CHANGE_ID = "change-id"  # MRG-1 is renamed to PID-3
    MOVE_ID = "move-id"  # MRG-1 moves to the patient PID-3
    MOVE_VISIT = "move-visit"  # visit MRG-5 becomes PV1-19 of PID-3
    MERGE_ACCOUNT = "merge-account"  # account MRG-3 is given up for PID-18 of the same patient
    MOVE_ACCOUNT = "move-account"  # account MRG-3 moves to the patient PID-3
    LINK = "link"
    UNLINK = "unlink"
    NONE = "none"  # says nothing that the roster keeps

    @classmethod
    def of(cls, trigger: str) -> Effect | None:
        """The effect of a trigger; None for one that the roster does not know."""
        return _EFFECTS.get(trigger)


_EFFECTS: dict[str, Effect] = {
    trigger: effect
    for effect, triggers in {
        Effect.UPSERT: "A01 A02 A03 A04 A05 A06 A07 A08 A14 A28 A31",
        Effect.VISIT: "A09 A10 A11 A12 A13 A15 A16 A17 A21 A22 A23 A25 A26 A27 A32 A33 A38 A52 A53"
        " A54 A55 A60 A61 A62 S12 S13 S14 S15 S16 S17 S26 O01 O19 O23",
        Effect.REMOVE: "A29",
        Effect.MERGE: "A18 A30 A34 A36 A39 A40",
        Effect.CHANGE_ID: "A46 A47",
        Effect.MOVE_ID: "A43",
        Effect.MOVE_VISIT: "A42 A45 A50",
        Effect.LINK: "A24",
        Effect.UNLINK: "A37",
        Effect.MERGE_ACCOUNT: "A35 A41 A49",
        Effect.MOVE_ACCOUNT: "A44",
        Effect.NONE: "A20 A48 A51",
    }.items()
    for trigger in triggers.split()
}


@dataclass(frozen=True, slots=True)
class PatientFields:
    """A PID segment with what its PD1, PV1 and MRG add. A field that is `Kept.UNCHANGED` leaves
    the stored value alone, `Kept.DELETED` removes it; so does an empty component of a name, and
    one that is `NULL`."""

    identifiers: tuple[Identifier, ...] = ()
    names: tuple[PersonName, ...] | Kept = Kept.UNCHANGED
    birth_date: str | Kept = Kept.UNCHANGED
    sex: str | Kept = Kept.UNCHANGED
    address: str | Kept = Kept.UNCHANGED
    telephone: str | Kept = Kept.UNCHANGED
    mother_birth_name: str | Kept = Kept.UNCHANGED
    deceased: bool | Kept = Kept.UNCHANGED
    vip: bool | Kept = Kept.UNCHANGED  # PV1-16
    protected: bool | Kept = Kept.UNCHANGED  # PD1-12
    multiple_birth: bool | Kept = Kept.UNCHANGED
    temporary: bool = False  # PID-31/32: identity unknown or unreliable
    prior: tuple[Identifier, ...] = ()  # MRG-1, MRG-4 for old versions
    prior_names: tuple[PersonName, ...] = ()  # MRG-7
    visit: Visit | None = None
    prior_visit: str = ""  # MRG-5
    account: Identifier | None = None  # PID-18
    prior_account: Identifier | None = None  # MRG-3


@dataclass(frozen=True, slots=True)
class RegistrationEvent:
    """One HL7 v2 message about patients. `trigger` is MSH-9.2 (or EVN-1 of older senders);
    `recorded_at` EVN-2, else MSH-7, as sent. Sender and control id together tell a resend."""

    trigger: str
    control_id: str
    sender: str  # MSH-3|MSH-4
    recorded_at: str = ""
    patients: tuple[PatientFields, ...] = ()  # two for A24 and A37, one a group for A40
    digest: str = ""  # SHA-256 of the message without its carrier's line ends, hex
    version: str = ""
    charset: str = ""  # the codec that the message was decoded with

    @property
    def effect(self) -> Effect:
        return _EFFECTS.get(self.trigger, Effect.NONE)


class Disposition(StrEnum):
    APPLIED = "applied"
    IGNORED = "ignored"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Applied:
    """What the roster did with an event, and how it is acknowledged (HL7 v2 chapter 2.9).

    `ack` is AA, AE or AR; `error` the HL70357 code for ERR-3 (0 when none); `location` ERR-2;
    `exception` a stable code raised for HIM (`merge-target-was-merged`, `new-id-in-use` ...), ""
    when nothing is odd. `touched` are the roster keys whose records changed: cases that rest on
    them are looked at again.
    """

    disposition: Disposition
    ack: str = "AA"
    error: int = 0
    location: str = ""
    reason: str = ""
    exception: str = ""
    touched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RosterException:
    """Something odd in the feed that HIM should look at; never guessed, never dropped."""

    code: str
    trigger: str
    control_id: str
    touched: tuple[str, ...] = ()
    at: str = ""  # ISO 8601 UTC, when it arrived
