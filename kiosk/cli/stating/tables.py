"""Rows for the statements, each from the code that acts by them."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk import coercion
from kiosk.coercion.encoding import mending, tables
from kiosk.coercion.preparing.survey import PLANNED
from kiosk.delivery.outcome import Then, reaction
from kiosk.fileset.looking import PATIENTLESS
from kiosk.inbound.dimse.negotiation import is_storage
from kiosk.model.content import Said, StatedPatient, Study
from kiosk.model.delivery import Answer, Change, Code, ImportOrder
from kiosk.model.matching import Action, Resolution
from kiosk.model.patient import Identifier, PatientIdentity, PersonName
from kiosk.policy import Policy
from kiosk.sandbox.decoding import decodes

STATUSES = (
    (0x0000, "Success"),
    (0x0001, "Requested optional attributes are not supported"),
    (0x0107, "Attribute list error"),
    (0x0110, "Processing failure"),
    (0x0111, "Duplicate SOP instance: whose it is a query proves, at every verification level"),
    (0x0116, "Attribute value out of range"),
    (0x0117, "Invalid SOP instance"),
    (0x0122, "SOP class not supported"),
    (0x0124, "Not authorised"),
    (0x0213, "Resource limitation"),
    (0xA700, "Refused: out of resources (A7xx)"),
    (0xA900, "Data set does not match SOP class (A9xx)"),
    (0xB000, "Coercion of data elements"),
    (0xB006, "Elements discarded"),
    (0xB007, "Data set does not match SOP class"),
    (0xB0FF, "Any other warning (Bxxx)"),
    (0xC000, "Cannot understand (Cxxx)"),
    (0x01FF, "Any other status"),
)
_ANSWERS = {
    Answer.ACCEPTED: "stored; proved by what follows",
    Answer.REFUSED: "listed for a person, sent again only when that person asks; the others go on",
    Answer.RETRY: "sent again later, then listed for a person",
    Answer.PENDING: "not the instance's fault",
}
_THEN = {
    Then.GO_ON: "",
    Then.BUSY: "; several in a row pause the archive",
    Then.ANEW: "; tried once more on a new association first",
    Then.STOP: "; nothing more is sent until somebody has looked",
}


NATIVE = ("1.2.840.10008.1.2.1",)
REENCODED = "in Implicit VR Little Endian"
DECODED = "decompressed, in Explicit or Implicit VR Little Endian"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def sop_classes() -> list[tuple[str, str, str, str]]:
    """Name, UID, sent, received."""
    rows = []
    for uid, name in tables.storage_classes():
        sent = "no: it belongs to no patient" if uid in PATIENTLESS else "SCU"
        rows.append((name, uid, sent, "SCP" if is_storage(uid) else "no"))
    return rows


def transfer_syntaxes() -> list[tuple[str, str, str]]:
    """Name, UID, how an instance in it is handed on."""
    names = dict(tables.transfer_syntaxes())
    rows = []
    for uid, name in names.items():
        after = coercion.sent_as(uid)
        said = "as it is" if after == uid else f"written anew in {names[after]}"
        if decodes(after):
            said += "; where that is refused, " + (REENCODED if after in NATIVE else DECODED)
        rows.append((name, uid, said))
    return rows


def statuses() -> list[tuple[str, str, str]]:
    rows = []
    for status, meaning in STATUSES:
        what = reaction(status)
        rows.append((f"{status:04X}", meaning, _ANSWERS[what.answer] + _THEN[what.then]))
    return rows


def coerced_attributes() -> list[tuple[str, str, str]]:
    """Keyword, tag, what it becomes: of a plan that replaces all that a plan can."""
    return [(c.keyword, c.tag, _said(c)) for c in _everything() if c.keyword in SOURCES]


def _said(change: Change) -> str:
    return SOURCES[change.keyword]


SOURCES = {
    "AccessionNumber": "the import order's, else empty: a foreign one collides with local ones",
    "IssuerOfAccessionNumberSequence": "left out",
    "ProcedureCodeSequence": "the import order's, where there is one",
    "ReferencedStudySequence": "the import order's, where there is one",
    "PatientName": "the local record's name (HL7 PID-5)",
    "PatientID": "the local record's number (PID-3), or one made for who is not registered",
    "IssuerOfPatientID": "its assigning authority (CX-4), else the site's",
    "IssuerOfPatientIDQualifiersSequence": "its universal ID and type, where they are known",
    "PatientBirthDate": "the local record's (PID-7), where it is known",
    "PatientSex": "the local record's (PID-8), where it is known",
    "OtherPatientIDsSequence": "one item more: the number that the medium states",
    "ContributingEquipmentSequence": "one item more: (MEDIM, DCM), this product and station",
    "RequestAttributesSequence": "the import order's, else left out",
    "OriginalAttributesSequence": "one item more for each reason: COERCE, or CORRECT for what was "
    "mended; what breaks its VR as Nonconforming Modified Attributes",
}


def _everything() -> tuple[Change, ...]:
    local = PatientIdentity(
        (Identifier("L", "HERE", "MR", universal_id="1.2.3", universal_id_type="ISO"),),
        (PersonName("Local", "Name"),),
        "19700101",
        "F",
    )
    study = Study("1.2.3", said=tuple(Said(tag, "stated", 1) for tag in PLANNED))
    order = ImportOrder(
        "A1",
        requested_procedure_id="R1",
        procedure_codes=(Code("IMPORT", "99LOCAL", "Import"),),
        referenced_studies=(("1.2.840.10008.3.1.2.3.1", "1.2.3.4"),),
    )
    decided = Resolution(Action.LINK, "statement", "2026-01-01", local=local)
    patient = StatedPatient(PatientIdentity(), (study,))
    return coercion.plan(patient, study, decided, Policy(), "2026-01-01T00:00:00Z", order).changes


def mended_vrs() -> str:
    """The VRs whose rules are enforced."""
    known = {*mending.LEGAL, *mending.UNITS, *mending.TEXTS}
    return ", ".join(sorted(vr.decode() for vr in known))


def character_sets() -> str:
    return ", ".join(f"`{term}`" for term in tables.character_sets())
