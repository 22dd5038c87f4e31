"""What a sender asks for and what it gets: A-ASSOCIATE (PS3.8 9.3.2-9.3.4), decoded and encoded by
pynetdicom's ACSE classes."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext

from kiosk.model.delivery import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
_STANDARD = "1.2.840.10008."
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_DATA_SET = re.compile(r"1\.2\.840\.10008\.1\.2(\.[0-9.]+)?")
# Pixels that lie elsewhere (JPIP) or are no DICOM stream (PS3.6 A: SMPTE 2110, MIME).
_NOT_WHOLE = re.compile(r"1\.2\.840\.10008\.1\.2\.(4\.9[45]|4\.20[45]|6\.|7\.)")

# What pynetdicom's and pydicom's decoders raise on bytes that are not what they should be.
UNDECODABLE = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    NotImplementedError,
    OverflowError,
    EOFError,
    RecursionError,
    struct.error,
)
_ACCEPTED, _NO_CLASS, _NO_SYNTAX = 0, 3, 4  # PS3.8 table 9-18


@dataclass(frozen=True, slots=True)
class Accepted:
    """One presentation context that is open."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Asked:
    """An association request. The titles are printable and at most 16 long."""

    primitive: A_ASSOCIATE
    called: str
    calling: str


def read_request(untrusted_body: bytes) -> Asked:
    """A-ASSOCIATE-RQ. Raises one of UNDECODABLE."""
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(struct.pack(">BxI", 1, len(untrusted_body)) + untrusted_body)
    primitive = pdu.to_primitive()
    called, calling = (_title(t) for t in (primitive.called_ae_title, primitive.calling_ae_title))
    return Asked(primitive, called, calling)


def _title(untrusted: str) -> str:
    title = untrusted.strip()
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", title):
        raise ValueError("no AE title")
    return title


def accept(asked: Asked, max_pdu: int) -> tuple[dict[int, Accepted], bytes]:
    """The contexts that are open from now on, and the A-ASSOCIATE-AC that says so. Raises one of
    UNDECODABLE."""
    accepted: dict[int, Accepted] = {}
    results = []
    for context in asked.primitive.presentation_context_definition_list:
        result, syntax = _judge(
            str(context.abstract_syntax), [str(s) for s in context.transfer_syntax]
        )
        number = int(context.context_id or 0)
        answer = PresentationContext()
        answer.context_id, answer.result = number, result
        answer.transfer_syntax = [syntax]
        results.append(answer)
        if result == _ACCEPTED:
            accepted[number] = Accepted(str(context.abstract_syntax), syntax)
    return accepted, _encoded(asked, results, max_pdu)


def _judge(abstract_syntax: str, syntaxes: Sequence[str]) -> tuple[int, str]:
    """Result and transfer syntax: the first that the sender names, since it knows its own file."""
    first = syntaxes[0] if syntaxes else _STANDARD + "1.2"
    if not _is_wanted(abstract_syntax):
        return _NO_CLASS, first
    for syntax in syntaxes:
        if _DATA_SET.fullmatch(syntax) and not _NOT_WHOLE.match(syntax):
            return _ACCEPTED, syntax
    return _NO_SYNTAX, first


def _is_wanted(abstract_syntax: str) -> bool:
    """Storage of any kind, a vendor's too: what cannot be used is told of, not lost."""
    standard = abstract_syntax.startswith(_STANDARD)
    return abstract_syntax == VERIFICATION or abstract_syntax.startswith(_STORAGE) or not standard


def _encoded(asked: Asked, results: list[PresentationContext], max_pdu: int) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.called_ae_title = asked.primitive.called_ae_title
    primitive.calling_ae_title = asked.primitive.calling_ae_title
    primitive.result, primitive.result_source = 0, 1
    primitive.presentation_context_definition_results_list = results
    longest = MaximumLengthNotification()
    longest.maximum_length_received = max_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    primitive.user_information = [longest, implementation, version]
    return bytes(A_ASSOCIATE_AC(primitive).encode())
