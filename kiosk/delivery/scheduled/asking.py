"""Whom the modality worklist has appointments for (PS3.4 K.6): candidates for a disc's patient."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataset import Dataset
from pydicom.valuerep import PN_DELIMS
from pynetdicom.dsutils import decode, encode

from kiosk.delivery.dimse import (
    UNDECODABLE,
    Association,
    Command,
    Element,
    PeerProblem,
    Proposed,
    associate,
    encode_command,
    where,
)
from kiosk.delivery.querying import echo
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName, Visit
from kiosk.policy.sections import Destination
from kiosk.policy.sources import Source

WORKLIST_FIND = "1.2.840.10008.5.1.4.31"

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_STEP = ("ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality")
_PENDING = (0xFF00, 0xFF01)
_LONGEST = 250


def worklist(
    source: Source, calling_ae_title: str, stated: PatientIdentity, issuer: str
) -> tuple[LocalPatient, ...]:
    """The patients of that family name whom somebody has ordered something for, with their
    appointments; at most `source.most`. `issuer` gave their numbers where none is stated. Raises
    PeerProblem."""
    deadline = time.monotonic() + source.seconds
    authority = source.authority or issuer
    found: dict[str, LocalPatient] = {}
    proposed = [Proposed(WORKLIST_FIND, (_EXPLICIT, _IMPLICIT))]
    with associate(as_destination(source), calling_ae_title, proposed) as association:
        for item in _items(association, source, stated, deadline):
            local = _local(item, source.name, authority)
            if local is None or (issuer and local.identity.identifier.issuer != issuer):
                continue
            known = found.get(local.key, replace(local, visits=()))
            found[local.key] = replace(known, visits=(*known.visits, *local.visits))
            if len(found) == source.most:
                association.abort()  # nobody reads the rest
                break
    return tuple(found.values())


def reach(source: Source, calling_ae_title: str) -> str:
    """ "" when the worklist is there, else one sentence for IT."""
    return echo(as_destination(source), calling_ae_title)


def as_destination(source: Source) -> Destination:
    """The same address as the association's settings."""
    return Destination(
        name=source.name,
        host=source.host,
        port=source.port,
        ae_title=source.ae_title,
        connect_seconds=source.seconds,
        answer_seconds=source.seconds,
        tls=source.tls,
    )


def _items(
    association: Association, source: Source, stated: PatientIdentity, deadline: float
) -> Iterator[Dataset]:
    context = association.accepted(WORKLIST_FIND)
    name = where(as_destination(source))
    if context is None:
        raise PeerProblem(f"{name} offers no modality worklist. Ask its vendor.", retry=False)
    request = encode_command(
        {
            Element.AFFECTED_SOP_CLASS_UID: WORKLIST_FIND,
            Element.COMMAND_FIELD: Command.C_FIND_RQ,
            Element.MESSAGE_ID: 1,
            Element.PRIORITY: 0,
            Element.DATA_SET_TYPE: 0x0001,
        }
    )
    implicit = context.transfer_syntax == _IMPLICIT
    keys = encode(_keys(stated), implicit, True) or b""
    association.send_whole(context.context_id, request, keys)
    while (left := deadline - time.monotonic()) > 0:
        message = association.response(Command.C_FIND_RSP, 1, left)
        status = message.number(Element.STATUS)
        if status not in _PENDING:
            break
        try:
            yield decode(BytesIO(message.untrusted_data), implicit, True)
        except UNDECODABLE as e:
            raise PeerProblem(f"{name} gave an answer that cannot be read.") from e
    else:
        raise PeerProblem(f"{name} did not end its answer in time.", timed_out=True)
    if status:
        raise PeerProblem(f"{name} refused the question ({status:04X}). See its log.")


def _keys(stated: PatientIdentity) -> Dataset:
    """Matched is the beginning of the name, which every worklist must match (PS3.4 K.6-1)."""
    family = stated.name.family.replace("*", "").replace("?", "")
    words = family.replace(",", " ").split()
    keys = Dataset()
    keys.SpecificCharacterSet = "ISO_IR 192"
    for keyword in (*_PATIENT, "AccessionNumber", "RequestedProcedureID"):
        setattr(keys, keyword, "")
    keys.PatientName = f"{family if stated.name.given or not words else words[0]}*"
    step = Dataset()
    for keyword in _STEP:
        setattr(step, keyword, "")
    keys.ScheduledProcedureStepSequence = [step]
    return keys


def _local(untrusted: Dataset, source: str, authority: str) -> LocalPatient | None:
    text = {keyword: _text(untrusted, keyword) for keyword in (*_PATIENT, "AccessionNumber")}
    issuer = text["IssuerOfPatientID"] or authority
    name = PersonName.from_dicom(text["PatientName"])
    if not (text["PatientID"] and issuer and name) or "^" in text["PatientID"]:
        return None
    number = Identifier(text["PatientID"], issuer)
    born, sex = text["PatientBirthDate"], text["PatientSex"]
    identity = PatientIdentity(
        (number,),
        (name,),
        born if len(born) == 8 and born.isdecimal() else "",
        sex if sex in ("M", "F", "O") else "",
    )
    visit = _visit(untrusted, text["AccessionNumber"])
    return LocalPatient(f"?{number}", identity, visits=(visit,) if visit else (), source=source)


def _visit(untrusted: Dataset, accession: str) -> Visit | None:
    """The appointment: what the worklist of the desk is ordered by."""
    try:
        steps = untrusted.get("ScheduledProcedureStepSequence") or []
        day, at = (_text(steps[0], keyword) for keyword in _STEP[:2]) if steps else ("", "")
    except UNDECODABLE:
        return None
    starts = f"{day}{at[:4]}" if f"{day}{at}".isdecimal() else day
    return Visit(accession or starts, "O", "", starts, "planned") if day else None


def _text(untrusted: Dataset, keyword: str) -> str:
    """The value as text, clipped: pydicom's elements complain of odd values in the log."""
    try:
        element = untrusted.get_item(keyword)
        raw = (element.value if element is not None else None) or b""
        character_set = untrusted.get_item("SpecificCharacterSet")
        declared = (character_set.value if character_set is not None else None) or b""
        encodings = convert_encodings(declared.decode("ascii").split("\\"))
        text = decode_bytes(raw.rstrip(b"\0 "), encodings, PN_DELIMS)
    except UNDECODABLE:
        return ""
    return "".join(c for c in text[:_LONGEST] if c.isprintable()).strip()
