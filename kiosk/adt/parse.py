"""One frame's bytes to one RegistrationEvent, or the reason why not."""

from __future__ import annotations

import hashlib
import re

from kiosk.adt import er7, fields
from kiosk.adt.charset import codec_of, decode
from kiosk.adt.mllp import Cut
from kiosk.model.registration import (
    Applied,
    Disposition,
    Effect,
    PatientFields,
    RegistrationEvent,
)

# The message types that speak of patients and their visits, and how their triggers begin.
_TYPES = {"ADT": "A", "SIU": "S", "ORM": "O01", "OMG": "O19", "OMI": "O23"}
# Nothing that people see or a database keeps has any of these; a hostile sender's may.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NEEDS_PRIOR = frozenset({Effect.MERGE, Effect.CHANGE_ID, Effect.MOVE_ID})
_LISTS = {"PID": (3, 5), "MRG": (1,)}
_PAIRS = frozenset({Effect.LINK, Effect.UNLINK})


class Rejected(Exception):
    """The message cannot be used. `applied` says how to acknowledge it; the text has no patient
    data."""

    def __init__(self, applied: Applied, trigger: str = "", control_id: str = "") -> None:
        super().__init__(applied.reason)
        self.applied = applied
        self.trigger = trigger
        self.control_id = control_id


def parse(frame: bytes, *, default_charset: str, default_authority: str) -> RegistrationEvent:
    """The event that the frame tells of. Raises Rejected for what cannot be used."""
    if isinstance(frame, Cut):
        raise _rejected("AE", 102, "MSH^1", "The message is longer than the configured limit.")
    text, codec = decode(frame, _declared_charset(frame), default_charset)
    try:
        message = er7.read(_CONTROLS.sub("", text))
    except er7.NotEr7 as e:
        raise _rejected("AR", 100, "MSH^1", str(e)) from None
    trigger = _trigger(message)
    control_id = message.header.first(10)
    try:
        _check(message, trigger)
        patients = _patients(message, trigger, default_authority)
    except Rejected as e:
        raise Rejected(e.applied, trigger, control_id) from None
    header, evn = message.header, message.first("EVN")
    return RegistrationEvent(
        trigger=trigger,
        control_id=control_id,
        sender=f"{header.first(3)}|{header.first(4)}",
        recorded_at=(evn.first(2) if evn else "") or header.first(7),
        patients=patients,
        digest=_digest(frame),
        version=header.first(12),
        charset=codec,
    )


def _digest(frame: bytes) -> str:
    """SHA-256 of the content: line ends and what surrounds the message are the carrier's."""
    lines = frame.replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip(b"\r \t\x00")
    return hashlib.sha256(lines).hexdigest()


def _rejected(ack: str, error: int, location: str, reason: str, exception: str = "") -> Rejected:
    return Rejected(Applied(Disposition.REJECTED, ack, error, location, reason, exception))


def _declared_charset(frame: bytes) -> str:
    """MSH-18, read from the bytes: it must be known before they are text. Where it repeats, the
    first set that is more than ASCII counts: it contains the others."""
    start = frame.find(b"MSH")
    if start < 0:
        return ""
    header = frame[start : start + 4096].partition(b"\r")[0].partition(b"\n")[0]
    parts = header.split(header[3:4]) if len(header) > 3 else []
    if len(parts) < 18:
        return ""
    declared = [part.strip() for part in parts[17].decode("ascii", "replace").split("~")]
    return next((d for d in declared if codec_of(d) not in ("", "ascii")), declared[0])


def _trigger(message: er7.Message) -> str:
    """MSH-9.2, else EVN-1, in capitals without stray characters."""
    header = message.header
    parts = [*header.components(header.field(9)), "", ""]
    evn = message.first("EVN")
    code = header.text(parts[1]) or (evn.first(1) if evn else "")
    return "".join(c for c in code.upper() if c.isalnum())


def _check(message: er7.Message, trigger: str) -> None:
    header = message.header
    kind = header.first(9).upper()
    if kind not in _TYPES:
        raise _rejected("AR", 200, "MSH^1^9^1^1", "This message type is not for the roster.")
    if Effect.of(trigger) is None or not trigger.startswith(_TYPES[kind]):
        raise _rejected("AR", 201, "MSH^1^9^1^2", "This trigger event is not supported.")
    if header.first(11).upper() in ("T", "D"):
        raise _rejected("AR", 202, "MSH^1^11", "Training and debugging messages are not taken.")


def _patients(message: er7.Message, trigger: str, authority: str) -> tuple[PatientFields, ...]:
    effect = Effect.of(trigger)
    if effect is Effect.NONE:
        return ()
    _check_sizes(message)
    patients = tuple(fields.patient(g, trigger, authority) for g in _groups(message))
    if not patients:
        raise _rejected("AE", 100, "PID^1", "The message names no patient: it has no PID segment.")
    for number, patient in enumerate(patients, 1):
        by_account = effect is Effect.MERGE_ACCOUNT and patient.account and patient.prior_account
        if patient.identifiers or not by_account:
            _check_patient(patient, effect in _NEEDS_PRIOR, number)
    if effect in _PAIRS and len(patients) != 2:
        raise _rejected("AE", 100, "PID^2", "Linking and unlinking need two PID segments.")
    return patients


def _check_sizes(message: er7.Message) -> None:
    for segment in message.segments:
        for number in _LISTS.get(segment.name, ()):
            if segment.field(number).count(segment.separators.repetition) >= er7.MAX_REPETITIONS:
                where = f"{segment.name}^1^{number}"
                raise _rejected("AE", 102, where, "The field repeats more often than is sane.")


def _check_patient(patient: PatientFields, needs_prior: bool, number: int) -> None:
    if not patient.identifiers:
        raise _rejected("AE", 101, f"PID^{number}^3", "The patient has no identifier.")
    if needs_prior and not patient.prior:
        raise _rejected("AE", 101, f"MRG^{number}^1", "The prior identifier is missing.")
    for name, identifiers in (("PID^%d^3", patient.identifiers), ("MRG^%d^1", patient.prior)):
        if any(not (i.issuer or i.universal_id) for i in identifiers):
            where = name % number + "^1^4"
            reason = "The identifier names no assigning authority and none is configured."
            raise _rejected("AE", 101, where, reason, "no-authority")


def _groups(message: er7.Message) -> list[list[er7.Segment]]:
    """The segments by patient: each PID opens a group. What stands before the first PID (SCH)
    belongs to the first."""
    groups: list[list[er7.Segment]] = []
    before: list[er7.Segment] = []
    for segment in message.segments:
        if segment.name == "PID":
            groups.append([*before, segment])
            before = []
        elif groups:
            groups[-1].append(segment)
        else:
            before.append(segment)
    return groups
