"""Which journal line is which audit event (DICOM PS3.15 A.5.3): one table, read from top to bottom.

A kind of line that is in neither table has no message; a test looks for such kinds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kiosk.audit.message import (
    MINOR,
    SERIOUS,
    SUCCESS,
    AuditMessage,
    Code,
    Participant,
    Thing,
)
from kiosk.model.content import Study
from kiosk.model.medium import Medium, MediumKind
from kiosk.model.patient import Identifier
from kiosk.model.work import Event

APPLICATION = Code("110150", "Application")
LAUNCHER = Code("110151", "Application Launcher")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")
SOURCE_MEDIA = Code("110155", "Source Media")

ACTIVITY = Code("110100", "Application Activity")
LOG_USED = Code("110101", "Audit Log Used")
BEGIN = Code("110102", "Begin Transferring DICOM Instances")
ACCESSED = Code("110103", "DICOM Instances Accessed")
TRANSFERRED = Code("110104", "DICOM Instances Transferred")
DELETED = Code("110105", "DICOM Study Deleted")
IMPORT = Code("110107", "Import")
QUERY = Code("110112", "Query")
RECORD = Code("110110", "Patient Record")
ALERT = Code("110113", "Security Alert")
AUTHENTICATION = Code("110114", "User Authentication")
LOGIN, LOGOUT = Code("110122", "Login"), Code("110123", "Logout")

STUDY_UID = Code("110180", "Study Instance UID")
PATIENT_NUMBER = Code("2", "Patient Number", "RFC-3881")
URI = Code("12", "URI", "RFC-3881")
USER = Code("11", "User Identifier", "RFC-3881")

MEDIA_TYPES = {  # CID 405; what the kernel calls optical may be a CD or a DVD
    MediumKind.OPTICAL: Code("110032", "CD"),
    MediumKind.USB: Code("110030", "USB Disk Emulation"),
}
A_FILE = Code("110037", "URI")
LARGEST_CD = 900_000_000  # bytes: past it the disc is a DVD
DVD = Code("110033", "DVD")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Where a delivery went: its destination's name and address."""

    name: str
    host: str
    ae_title: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A journal line, and what it is about as the rows know it."""

    event: Event
    station: str
    ae_title: str = ""
    medium: Medium | None = None
    operator: str = ""
    patients: tuple[Identifier, ...] = ()  # of the line's case, or of each case of its intake
    studies: tuple[Study, ...] = ()
    transfer: Transfer | None = None
    hurt: int = 0  # files of the medium that could not be read whole


Told = tuple[AuditMessage, ...]


def messages(subject: Subject) -> tuple[AuditMessage, ...]:
    """The audit messages of one line: most often one or none. A mixed outcome is two (A.5.2)."""
    told = AUDITED.get(subject.event.kind)
    return told(subject) if told else ()


def _activity(type: Code) -> Callable[[Subject], tuple[AuditMessage, ...]]:
    def told(subject: Subject) -> tuple[AuditMessage, ...]:
        us = Participant(subject.station, APPLICATION, alternative=_ae(subject.ae_title))
        by = Participant(subject.event.actor, LAUNCHER, requestor=True)
        return (_message(subject, ACTIVITY, "E", (us, by), (), type=type),)

    return told


def _import(subject: Subject) -> tuple[AuditMessage, ...]:
    """A.5.3.5 Data Import: the medium is the source, several patients are allowed."""
    outcomes = (SUCCESS, MINOR) if subject.hurt else (SUCCESS,)
    return tuple(_imported(subject, outcome) for outcome in outcomes)


def _import_failed(subject: Subject) -> tuple[AuditMessage, ...]:
    return (_imported(subject, SERIOUS),)


def _imported(subject: Subject, outcome: int) -> AuditMessage:
    who = _people(subject, DESTINATION)
    things = (*_studies(subject.studies), *_patients(subject.patients))
    failed = outcome in (MINOR, SERIOUS)
    description = ""
    if outcome == MINOR:
        description = f"{subject.hurt} files could not be read whole"
    elif failed:
        description = _code_of(subject.event)
    participants = (*who, *_source(subject.medium))
    return _message(subject, IMPORT, "C", participants, things, outcome, description)


def _people(subject: Subject, role: Code | None) -> tuple[Participant, ...]:
    """The station, and the person who asked, if a person did."""
    actor = subject.event.actor
    person = actor if actor not in MACHINE else subject.operator
    by_person = bool(person) and person not in MACHINE
    us = Participant(subject.station, role, not by_person, _ae(subject.ae_title))
    return (us, Participant(person, None, requestor=True)) if by_person else (us,)


MACHINE = frozenset({"engine", "matcher", "(sent here)"})


def _source(medium: Medium | None) -> tuple[Participant, ...]:
    if medium is None:
        return ()
    if medium.kind is MediumKind.NETWORK:
        return (Participant(medium.label or "unknown sender", SOURCE),)
    type = MEDIA_TYPES.get(medium.kind, A_FILE)
    if medium.kind is MediumKind.OPTICAL and medium.bytes > LARGEST_CD:
        type = DVD
    # The fingerprint names this medium and no patient; a label may be a patient's name.
    user = medium.fingerprint or medium.kind.value
    return (Participant(user, SOURCE_MEDIA, alternative=medium.fileset_id, medium=type),)


def _transferred(outcome: int) -> Callable[[Subject], tuple[AuditMessage, ...]]:
    def told(subject: Subject) -> tuple[AuditMessage, ...]:
        return (_transfer(subject, TRANSFERRED, "R", outcome),)

    return told


def _begins(subject: Subject) -> tuple[AuditMessage, ...]:
    return (_transfer(subject, BEGIN, "E", SUCCESS),)


def _transfer(subject: Subject, event: Code, action: str, outcome: int) -> AuditMessage:
    """A.5.3.3 and A.5.3.7: from us to the archive, about one patient."""
    to = subject.transfer or Transfer("unknown", "", "")
    there = Participant(to.name, DESTINATION, False, _ae(to.ae_title), to.host)
    things = (*_studies(subject.studies), *_patients(subject.patients[:1]))
    description = _code_of(subject.event) if outcome != SUCCESS else ""
    participants = (*_people(subject, SOURCE), there)
    return _message(subject, event, action, participants, things, outcome, description)


def _accessed(action: str) -> Callable[[Subject], tuple[AuditMessage, ...]]:
    def told(subject: Subject) -> tuple[AuditMessage, ...]:
        things = (*_studies(subject.studies), *_patients(subject.patients[:1]))
        return (_message(subject, ACCESSED, action, _people(subject, None), things),)

    return told


def _query(subject: Subject) -> tuple[AuditMessage, ...]:
    """A.5.3.10: who was asked about this patient; what came of it is not told."""
    asked = subject.event.data.get("source")
    there = Participant(str(asked or "unknown source"), DESTINATION)
    things = _patients(subject.patients[:1])
    return (_message(subject, QUERY, "E", (*_people(subject, SOURCE), there), things),)


def _record(subject: Subject) -> tuple[AuditMessage, ...]:
    things = _patients(subject.patients[:1])
    return (_message(subject, RECORD, "U", _people(subject, None), things),)


def _deleted(subject: Subject) -> tuple[AuditMessage, ...]:
    """A.5.3.8, one patient in each message."""
    things = (*_studies(subject.studies), *_patients(subject.patients))
    return (_message(subject, DELETED, "D", _people(subject, None), things),)


def _alert(type: Code) -> Callable[[Subject], tuple[AuditMessage, ...]]:
    def told(subject: Subject) -> tuple[AuditMessage, ...]:
        said = _code_of(subject.event)
        detail = (("Alert Description", said),) if said else ()
        thing = Thing(subject.station, URI, 2, 13, detail)
        people = _people(subject, None)
        return (_message(subject, ALERT, "E", people, (thing,), SERIOUS, type=type),)

    return told


def _authenticated(type: Code, outcome: int = SUCCESS) -> Callable[[Subject], Told]:
    """A.5.3.12: who, at which station, and why not. A name that nobody here has is not told: a
    password may have been typed there."""

    def told(subject: Subject) -> Told:
        description = _code_of(subject.event) if outcome != SUCCESS else ""
        people = _people(subject, None)
        return (
            _message(subject, AUTHENTICATION, "E", people, (), outcome, description, type=type),
        )

    return told


def _security_of(type: Code) -> Callable[[Subject], Told]:
    """A person's role, badge or secret was changed: whose, and what."""

    def told(subject: Subject) -> Told:
        data = subject.event.data
        detail = tuple((name, str(data[name])[:200]) for name in sorted(data) if data[name])
        thing = Thing(str(data.get("person") or "unknown"), USER, 1, 11, detail)
        return (_message(subject, ALERT, "E", _people(subject, None), (thing,), type=type),)

    return told


def _log_used(subject: Subject) -> tuple[AuditMessage, ...]:
    thing = Thing("journal", URI, 2, 13)
    return (_message(subject, LOG_USED, "R", _people(subject, None), (thing,)),)


def _message(
    subject: Subject,
    event: Code,
    action: str,
    participants: tuple[Participant, ...],
    things: Iterable[Thing],
    outcome: int = SUCCESS,
    description: str = "",
    type: Code | None = None,
) -> AuditMessage:
    at = subject.event.at
    return AuditMessage(event, action, outcome, at, participants, tuple(things), type, description)


def _patients(patients: Iterable[Identifier]) -> tuple[Thing, ...]:
    """By number alone: a name would be one more copy of it, and the repository can look it up."""
    numbers = dict.fromkeys(_cx(each) for each in patients)
    return tuple(Thing(number, PATIENT_NUMBER, 1, 1) for number in numbers if number)


def _cx(identifier: Identifier) -> str:
    """As HL7's CX, which ITI-20 asks for: the number and who assigned it."""
    if not identifier.value or not identifier.issuer:
        return identifier.value
    return f"{identifier.value}^^^{identifier.issuer}"


def _studies(studies: Iterable[Study]) -> tuple[Thing, ...]:
    return tuple(_study(study) for study in studies)


def _study(study: Study) -> Thing:
    classes = Counter(instance.sop_class_uid for instance in study.instances)
    accessions = (study.accession_number,) if study.accession_number else ()
    return Thing(
        study.study_instance_uid,
        STUDY_UID,
        2,
        3,
        sop_classes=tuple(sorted(classes.items())),
        accessions=accessions,
    )


def _ae(title: str) -> str:
    return f"AETITLES={title}" if title else ""


def _code_of(event: Event) -> str:
    """What went wrong, by its code: a sentence of ours may quote a peer."""
    for key in ("code", "problem", "reason"):
        said = event.data.get(key)
        if isinstance(said, str) and said:
            return said[:200]
    return ""


AUDITED: dict[str, Callable[[Subject], tuple[AuditMessage, ...]]] = {
    "engine.started": _activity(Code("110120", "Application Start")),
    "engine.stopped": _activity(Code("110121", "Application Stop")),
    "intake.cataloged": _import,
    "intake.failed": _import_failed,
    "intake.rejected": _import_failed,
    "intake.purged": _deleted,
    "case.resolved": _accessed("U"),  # whose the images are is what changes in them
    "case.decided": _accessed("U"),
    "case.first-decided": _accessed("R"),  # nothing is changed before a second person agrees
    "case.recalled": _accessed("U"),
    "case.rejected": _accessed("U"),
    "case.source-asked": _query,
    "decision.revoked": _record,
    "delivery.attempt": _begins,
    "delivery.sent": _transferred(SUCCESS),
    "delivery.held": _transferred(MINOR),
    "delivery.failed": _transferred(SERIOUS),
    "withdrawal.sent": _transferred(SUCCESS),
    "withdrawal.held": _transferred(MINOR),
    "policy.changed": _alert(Code("110129", "Security Configuration")),
    "adt.refused": _alert(Code("110126", "Node Authentication")),
    "access.signed-in": _authenticated(LOGIN),
    "access.resumed": _authenticated(LOGIN),
    "access.taken-over": _authenticated(LOGIN),
    "access.refused": _authenticated(LOGIN, MINOR),
    "access.locked-out": _authenticated(LOGIN, SERIOUS),
    "access.signed-out": _authenticated(LOGOUT),
    "access.emergency": _alert(Code("110127", "Emergency Override Started")),
    "access.emergency-ended": _alert(Code("110138", "Emergency Override Stopped")),
    "person.added": _security_of(Code("110137", "User security Attributes Changed")),
    "person.state": _security_of(Code("110137", "User security Attributes Changed")),
    "person.secret": _security_of(Code("110137", "User security Attributes Changed")),
    "person.badge": _security_of(Code("110137", "User security Attributes Changed")),
    "person.role": _security_of(Code("110136", "Security Roles Changed")),
    "database.restored": _alert(Code("110131", "Software Configuration")),
    "audit.exported": _log_used,
    "audit.viewed": _log_used,
}

# Steps on the way, and what says the same thing a second time.
SILENT = frozenset(
    """
    intake.received intake.read intake.verdict intake.picked intake.again intake.same-again
    intake.reopened intake.purging intake.closed intake.finished intake.returned
    intake.receipt-printed intake.patience case.chosen case.goes-on case.matched
    case.opened case.awaits case.assigned case.given-up case.to-him case.released case.kept
    case.done case.failed case.flagged case.reopened case.withdrawn case.refused-candidate
    case.recall-proposed case.withheld case.renewed
    delivery.queued delivery.waits delivery.retried delivery.commitment delivery.committed
    delivery.notified delivery.aborted
    withdrawal.committed withdrawal.aborted withdrawal.retried withdrawal.by-hand
    notice.sent notice.refused source.fails source.works
    access.screen-locked
    destination.paused destination.resumed drive.eject-asked drive.eject-failed
    """.split()
)
