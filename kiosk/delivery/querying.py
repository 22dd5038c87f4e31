"""Asking an archive what it has: C-ECHO, C-FIND of instance UIDs and of the patient they are under.

Nothing here raises for what a peer does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataset import Dataset
from pydicom.valuerep import PN_DELIMS
from pynetdicom.dsutils import decode, encode

from kiosk.delivery import dicomweb
from kiosk.delivery.dimse import (
    NO_DATA_SET,
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
from kiosk.delivery.identity import Match, differences
from kiosk.model.delivery import Verification
from kiosk.policy.sections import Destination

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_NATIVE = (_EXPLICIT, _IMPLICIT)
_MAX_MATCHES = 200_000


def echo(destination: Destination, calling_ae_title: str) -> str:
    """ "" when the destination answers as a DICOM or DICOMweb archive, else one sentence for IT."""
    try:
        if destination.kind == "stow":
            dicomweb.echo(destination)
        else:
            _echo(destination, calling_ae_title)
    except PeerProblem as e:
        return str(e)
    return ""


def _echo(destination: Destination, calling_ae_title: str) -> None:
    proposed = [Proposed(VERIFICATION, (_IMPLICIT,))]
    with associate(destination, calling_ae_title, proposed) as association:
        context = association.accepted(VERIFICATION)
        if context is None:
            raise PeerProblem(f"{where(destination)} does not offer C-ECHO. Ask its vendor.")
        request = encode_command(
            {
                Element.AFFECTED_SOP_CLASS_UID: VERIFICATION,
                Element.COMMAND_FIELD: Command.C_ECHO_RQ,
                Element.MESSAGE_ID: 1,
                Element.DATA_SET_TYPE: NO_DATA_SET,
            }
        )
        association.send(context.context_id, request)
        status = association.response(Command.C_ECHO_RSP, 1).number(Element.STATUS)
    if status:
        raise PeerProblem(f"{where(destination)} answered C-ECHO with {status:04X}. See its log.")


def verify(
    destination: Destination,
    calling_ae_title: str,
    study_instance_uid: str,
    expected: Mapping[str, str],
) -> Verification:
    """What the archive says it holds of one study, and under whose identity.

    `expected` maps keywords (PatientID, PatientName, PatientBirthDate, IssuerOfPatientID ...) to
    what we sent. Once for each study entry of the archive that differs, a difference is listed.
    Archives index late: ask again before a missing instance is believed missing.
    """
    try:
        if destination.kind == "stow":
            studies, present = dicomweb.find(destination, study_instance_uid, tuple(expected))
        else:
            studies, present = _find(
                destination, calling_ae_title, study_instance_uid, tuple(expected)
            )
    except PeerProblem as e:
        return Verification(problem=str(e), retry=e.retry)
    return Verification(present, differences(expected, studies))


def _find(
    destination: Destination, calling_ae_title: str, study: str, keywords: Sequence[str]
) -> tuple[list[Match], frozenset[str]]:
    proposed = [Proposed(STUDY_ROOT_FIND, _NATIVE)]
    with associate(destination, calling_ae_title, proposed) as association:
        if association.accepted(STUDY_ROOT_FIND) is None:
            raise PeerProblem(
                f"{where(destination)} does not offer Study Root C-FIND, so nothing can be "
                "checked there. Allow queries by our AE title, or set verify_level to 0 or 1.",
                retry=False,
            )
        keys = {"StudyInstanceUID": study}
        studies = list(_matches(association, "STUDY", keys, keywords))
        present: set[str] = set()
        for series in _uids(association, "SERIES", keys, "SeriesInstanceUID"):
            below = keys | {"SeriesInstanceUID": series}
            present |= _uids(association, "IMAGE", below, "SOPInstanceUID")
    return studies, frozenset(present)


def _uids(
    association: Association, level: str, keys: Mapping[str, str], keyword: str
) -> frozenset[str]:
    """The unique keys of the matches at one level, each of which must state it."""
    found = frozenset(
        match[keyword] or "" for match in _matches(association, level, keys, [keyword])
    )
    if "" in found:
        raise PeerProblem("The archive's answer to a query lacks a unique key. Look in its log.")
    return found


def _matches(
    association: Association, level: str, keys: Mapping[str, str], wanted: Sequence[str]
) -> Iterator[Match]:
    """The C-FIND matches at one level (PS3.4 C.4.1), `wanted` attributes only, bounded."""
    context = association.accepted(STUDY_ROOT_FIND)
    assert context is not None
    request = encode_command(
        {
            Element.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_FIND,
            Element.COMMAND_FIELD: Command.C_FIND_RQ,
            Element.MESSAGE_ID: 1,
            Element.PRIORITY: 0,
            Element.DATA_SET_TYPE: 0x0001,
        }
    )
    identifier = _identifier(level, keys, wanted)
    implicit = context.transfer_syntax == _IMPLICIT
    association.send_whole(context.context_id, request, encode(identifier, implicit, True) or b"")
    for _ in range(_MAX_MATCHES):
        message = association.response(Command.C_FIND_RSP, 1)
        status = message.number(Element.STATUS)
        if status not in (0xFF00, 0xFF01):
            break
        yield _read_match(message.untrusted_data, implicit, wanted)
    else:
        raise PeerProblem("The archive's answer to a query has no end. Look in its log.")
    if status:
        comment = message.text(Element.ERROR_COMMENT)
        raise PeerProblem(f"The archive refused a query ({status:04X} {comment}). See its log.")


def _identifier(level: str, keys: Mapping[str, str], wanted: Sequence[str]) -> Dataset:
    identifier = Dataset()
    identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = level
    for keyword in wanted:
        setattr(identifier, keyword, "")
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _read_match(untrusted: bytes, implicit: bool, wanted: Sequence[str]) -> Match:
    try:
        found = decode(BytesIO(untrusted), implicit, True)
        character_set = _raw(found, "SpecificCharacterSet") or b""
        encodings = convert_encodings(character_set.decode("ascii").split("\\"))
        return {keyword: _text(_raw(found, keyword), encodings) for keyword in wanted}
    except UNDECODABLE as e:
        raise PeerProblem("The archive's answer to a query cannot be read.") from e


def _raw(found: Dataset, keyword: str) -> bytes | None:
    """The value as sent: pydicom's elements complain of odd values by writing them to the log."""
    element = found.get_item(keyword)
    return None if element is None else element.value or b""


def _text(value: bytes | None, encodings: list[str]) -> str | None:
    if value is None:
        return None
    return decode_bytes(value.rstrip(b"\0 "), encodings, PN_DELIMS).strip()
