"""Fetching a sample back and comparing its pixel data with what was sent: by C-GET (PS3.4 C.4.3),
or by WADO-RS (PS3.18 10.4) where the destination has a URL.

Nothing here raises for what a peer does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import dcmread
from pydicom.uid import UID
from pynetdicom.dsutils import decode, encode

from kiosk.delivery import dicomweb
from kiosk.delivery.dimse import (
    NO_DATA_SET,
    UNDECODABLE,
    Association,
    Command,
    Element,
    Message,
    PeerProblem,
    Proposed,
    associate,
    encode_command,
    where,
)
from kiosk.model.delivery import Comparison, Sample
from kiosk.policy.sections import Destination

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_PIXELS = (0x7FE00010, 0x7FE00008, 0x7FE00009)
_SLOWEST = 1_000_000  # bytes a second: an archive may fetch it from tape or a cloud first
_MARGIN = 16_777_216  # an archive may add to the header


def compare(
    destination: Destination, calling_ae_title: str, study: str, samples: Sequence[Sample]
) -> Comparison:
    """Whether the archive gives `samples` of a study back with the pixel data that were sent.
    Each is in memory whole while it is compared."""
    same: set[str] = set()
    other: set[str] = set()
    try:
        if destination.url:
            found = _by_wado(destination, study, samples)
        else:
            found = _by_c_get(destination, calling_ae_title, study, samples)
        for sample, pixels in found:
            (same if pixels == sample.pixels else other).add(sample.sop_instance_uid)
    except PeerProblem as e:
        return Comparison(frozenset(same), frozenset(other), str(e), e.retry)
    return Comparison(frozenset(same), frozenset(other))


def _most(sample: Sample) -> int:
    return sample.bytes + _MARGIN


def _patience(destination: Destination, sample: Sample) -> float:
    return destination.answer_seconds + sample.bytes / _SLOWEST


def _unlike(name: str) -> PeerProblem:
    return PeerProblem(
        f"{name} gave back what cannot be compared: another image, or the pixels encoded anew. "
        "Let it return what it was sent, or set verify_level to 2.",
        retry=False,
    )


def _pixels(name: str, found: Dataset) -> str:
    """The hash of the pixel data's value: of compressed data the items without what ends them."""
    raw = next((e for tag in _PIXELS if (e := found.get_item(tag)) is not None), None)
    if raw is None or not isinstance(raw.value, bytes):
        raise _unlike(name)
    return hashlib.sha256(raw.value).hexdigest()


# -- C-GET -------------------------------------------------------------------------------------


def _by_c_get(
    destination: Destination, calling_ae_title: str, study: str, samples: Sequence[Sample]
) -> Iterator[tuple[Sample, str]]:
    name = where(destination)
    pairs = dict.fromkeys((s.sop_class_uid, _syntaxes(s)) for s in samples)
    stores = [Proposed(sop_class, syntaxes, True) for sop_class, syntaxes in pairs]
    get = Proposed(STUDY_ROOT_GET, (_EXPLICIT, _IMPLICIT))
    with associate(destination, calling_ae_title, [get, *stores]) as association:
        if association.accepted(STUDY_ROOT_GET) is None:
            raise PeerProblem(
                f"{name} does not offer Study Root C-GET, so no image can be compared there. "
                "Allow it to our AE title, give the destination the url of its WADO-RS, or set "
                "verify_level to 2.",
                retry=False,
            )
        for sample in samples:
            message = _get(association, destination, study, sample)
            yield sample, _pixels(name, _data_set(name, association, message))


def _syntaxes(sample: Sample) -> tuple[str, ...]:
    """Those in which the pixel data's bytes are the ones that were sent."""
    if sample.transfer_syntax_uid in (_EXPLICIT, _IMPLICIT):
        return (_EXPLICIT, _IMPLICIT)
    return (sample.transfer_syntax_uid,)


def _get(association: Association, destination: Destination, study: str, sample: Sample) -> Message:
    """The C-STORE request with which the archive gives `sample` back."""
    context = association.accepted(STUDY_ROOT_GET)
    assert context is not None
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = study
    identifier.SeriesInstanceUID = sample.series_instance_uid
    identifier.SOPInstanceUID = sample.sop_instance_uid
    implicit = context.transfer_syntax == _IMPLICIT
    data = encode(identifier, implicit, True) or b""
    association.send_whole(context.context_id, _request(), data)
    stored: Message | None = None
    while True:
        patience = _patience(destination, sample)
        message = association.receive(patience, _most(sample))
        field = message.number(Element.COMMAND_FIELD)
        if field == Command.C_STORE_RQ and stored is None:
            stored = message
            association.send(message.context_id, _taken(message))
        elif field == Command.C_GET_RSP:
            if message.number(Element.STATUS) == 0xFF00:
                continue
            return _given(destination, sample, stored, message)
        else:
            raise _unlike(where(destination))


def _request() -> bytes:
    return encode_command(
        {
            Element.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_GET,
            Element.COMMAND_FIELD: Command.C_GET_RQ,
            Element.MESSAGE_ID: 1,
            Element.PRIORITY: 0,
            Element.DATA_SET_TYPE: 0x0001,
        }
    )


def _taken(message: Message) -> bytes:
    return encode_command(
        {
            Element.AFFECTED_SOP_CLASS_UID: message.text(Element.AFFECTED_SOP_CLASS_UID),
            Element.COMMAND_FIELD: Command.C_STORE_RSP,
            Element.MESSAGE_ID_RESPONDED_TO: max(0, message.number(Element.MESSAGE_ID)),
            Element.DATA_SET_TYPE: NO_DATA_SET,
            Element.STATUS: 0,
            Element.AFFECTED_SOP_INSTANCE_UID: message.text(Element.AFFECTED_SOP_INSTANCE_UID),
        }
    )


def _given(
    destination: Destination, sample: Sample, stored: Message | None, end: Message
) -> Message:
    status, name = end.number(Element.STATUS), where(destination)
    if stored is None:
        if status in (0x0000, 0xB000):
            raise _unlike(name)
        raise PeerProblem(f"{name} did not give an image back ({status:04X}). See its log.")
    if stored.text(Element.AFFECTED_SOP_INSTANCE_UID) != sample.sop_instance_uid:
        raise _unlike(name)
    return stored


def _data_set(name: str, association: Association, message: Message) -> Dataset:
    contexts = {c.context_id: c.transfer_syntax for c in association.contexts}
    syntax = UID(contexts.get(message.context_id, _EXPLICIT))
    try:
        return decode(BytesIO(message.untrusted_data), syntax.is_implicit_VR, True)
    except UNDECODABLE as e:
        raise _unlike(name) from e


# -- WADO-RS -----------------------------------------------------------------------------------


def _by_wado(
    destination: Destination, study: str, samples: Sequence[Sample]
) -> Iterator[tuple[Sample, str]]:
    name = dicomweb.name(destination)
    for sample in samples:
        path = (
            f"studies/{study}/series/{sample.series_instance_uid}"
            f"/instances/{sample.sop_instance_uid}"
        )
        patience = _patience(destination, sample)
        content = dicomweb.fetch(destination, path, _most(sample), patience)
        try:
            found = dcmread(BytesIO(content))
            uid = str(found.get("SOPInstanceUID", ""))
            syntax = str(found.file_meta.get("TransferSyntaxUID", ""))
        except (*UNDECODABLE, InvalidDicomError) as e:
            raise _unlike(name) from e
        if uid != sample.sop_instance_uid or syntax not in _syntaxes(sample):
            raise _unlike(name)
        yield sample, _pixels(name, found)
