"""What an association is asked for and what the peer makes of it: A-ASSOCIATE (PS3.8 9.3.2-9.3.4).

Encoded and decoded by pynetdicom's ACSE classes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import build_context

from kiosk.delivery.dimse.connection import PeerProblem
from kiosk.model.delivery import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

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


@dataclass(frozen=True, slots=True)
class Proposed:
    """One presentation context to ask for (PS3.8 9.3.2.2); `as_provider` where we shall take what
    the peer stores (PS3.7 D.3.3.4)."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    as_provider: bool = False


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the peer said to one proposed context. `result` 0 is acceptance (PS3.8 9.3.3.2)."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    result: int


def encode_request(proposed: Sequence[Proposed], called: str, calling: str, max_pdu: int) -> bytes:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2) with odd context identifiers from 1 in `proposed`'s order."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.called_ae_title, primitive.calling_ae_title = called, calling
    contexts = [build_context(p.abstract_syntax, list(p.transfer_syntaxes)) for p in proposed]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    longest = MaximumLengthNotification()
    longest.maximum_length_received = max_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    provided = dict.fromkeys(p.abstract_syntax for p in proposed if p.as_provider)
    primitive.user_information = [longest, implementation, version, *map(_provider, provided)]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def _provider(sop_class: str) -> SCP_SCU_RoleSelectionNegotiation:
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = sop_class
    role.scu_role, role.scp_role = False, True
    return role


def read_acceptance(
    proposed: Sequence[Proposed], untrusted_body: bytes
) -> tuple[tuple[Negotiated, ...], int]:
    """Each proposed context with the peer's answer (2, no reason given, where it gave none), and
    the peer's maximum length (0: no limit). A syntax that was not proposed is no acceptance."""
    pdu = A_ASSOCIATE_AC()
    pdu.decode(struct.pack(">BxI", 2, len(untrusted_body)) + untrusted_body)
    said = {
        c.context_id: (c.result, str(c.transfer_syntax or "")) for c in pdu.presentation_context
    }
    contexts = []
    for number, context in enumerate(proposed):
        result, syntax = said.get(2 * number + 1, (2, ""))
        if result == 0 and syntax not in context.transfer_syntaxes:
            result = 4
        contexts.append(Negotiated(2 * number + 1, context.abstract_syntax, syntax, result or 0))
    information = pdu.user_information
    return tuple(contexts), (information and information.maximum_length) or 0


_REJECTIONS = {
    (1, 2): "does not speak DICOM's application context",
    (1, 3): "does not know our AE title. Enter it in the archive",
    (1, 7): "does not answer to the AE title we call. Correct ae_title of this destination",
    (2, 2): "does not support our protocol version",
    (3, 1): "is too busy now",
    (3, 2): "has too many associations open",
}


def rejected(name: str, called: str, calling: str, body: bytes) -> PeerProblem:
    """What an A-ASSOCIATE-RJ says (PS3.8 9.3.4: result 1 is permanent, 2 transient)."""
    result, source, reason = body[1:4] if len(body) >= 4 else (1, 0, 0)
    words = _REJECTIONS.get((source, reason), f"gives no usable reason ({source}, {reason})")
    return PeerProblem(
        f"{name} rejected the association: it {words} (called {called}, calling {calling}).",
        retry=result == 2,
    )
