"""What a sender asks for and what it gets: A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3).

Read by hand: a library's decoder warns of what a stranger sent, in the stranger's words.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kiosk.inbound.dimse.message import Malformed
from kiosk.model.delivery import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"
IMPLICIT = "1.2.840.10008.1.2"
_STANDARD = "1.2.840.10008."
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_DATA_SET = re.compile(r"1\.2\.840\.10008\.1\.2(\.[0-9.]+)?")
# Pixels that lie elsewhere (JPIP) or are no DICOM stream (PS3.6 A: SMPTE 2110, MIME).
_NOT_WHOLE = re.compile(r"1\.2\.840\.10008\.1\.2\.(4\.9[45]|4\.20[45]|6\.|7\.)")
_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_MOST_CONTEXTS = 128  # the odd numbers of a byte (PS3.8 9.3.2.2)

_APPLICATION, _ASKED, _ANSWERED, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAXIMUM_LENGTH, _CLASS_UID, _ROLES, _VERSION_NAME = 0x51, 0x52, 0x54, 0x55
_ACCEPTED, _NO_CLASS, _NO_SYNTAX = 0, 3, 4  # PS3.8 table 9-18


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context as the sender asks for it."""

    number: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A presentation context that is open."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Asked:
    """An association request. The titles are printable and at most 16 long."""

    called: str
    calling: str
    application_context: str
    contexts: tuple[Proposed, ...]
    echoed: bytes  # both titles and what is reserved, which the answer repeats
    as_provider: frozenset[str] = frozenset()  # the classes of which it is the SCP (PS3.7 D.3.3.4)


def read_request(untrusted_body: bytes) -> Asked:
    """Raises Malformed."""
    if len(untrusted_body) < 68 or not untrusted_body[1] & 1:
        raise Malformed("it is no request of protocol version 1")
    application, contexts, roles = "", [], set()
    for kind, item in _items(untrusted_body[68:]):
        if kind == _APPLICATION:
            application = _uid(item)
        elif kind == _ASKED:
            contexts.append(_proposed(item))
        elif kind == _USER:
            roles |= {_role(value) for below, value in _items(item) if below == _ROLES}
    if len(contexts) > _MOST_CONTEXTS:
        raise Malformed("it proposes too many presentation contexts")
    called, calling = _title(untrusted_body[4:20]), _title(untrusted_body[20:36])
    provides = frozenset(uid for uid, provider in roles if provider)
    return Asked(called, calling, application, tuple(contexts), untrusted_body[4:68], provides)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise Malformed("an item is cut off")
        kind, length = struct.unpack_from(">BxH", data, at)
        at += 4
        if at + length > len(data):
            raise Malformed("an item does not fit its request")
        yield kind, data[at : at + length]
        at += length


def _proposed(item: bytes) -> Proposed:
    if len(item) < 4 or not item[0] & 1:
        raise Malformed("a presentation context has no odd number")
    below = list(_items(item[4:]))
    abstract = next((_uid(value) for kind, value in below if kind == _ABSTRACT), "")
    return Proposed(
        item[0], abstract, tuple(_uid(value) for kind, value in below if kind == _TRANSFER)
    )


def _role(item: bytes) -> tuple[str, bool]:
    """A class, and whether the peer is its SCP (PS3.7 D.3.3.4.1)."""
    length = int.from_bytes(item[:2], "big")
    if len(item) != length + 4:
        raise Malformed("a role selection does not fit")
    return _uid(item[2 : 2 + length]), bool(item[3 + length])


def _uid(untrusted: bytes) -> str:
    return untrusted[:66].decode("latin-1").strip("\0 ")


def _title(untrusted: bytes) -> str:
    title = untrusted.decode("latin-1").strip("\0 ")
    if not _TITLE.fullmatch(title):
        raise Malformed("it has no AE title")
    return title


def accept(
    asked: Asked, max_pdu: int, wanted: Callable[[str], bool]
) -> tuple[dict[int, Accepted], bytes]:
    """The contexts that are open from now on, those whose class is `wanted`, and the
    A-ASSOCIATE-AC that says so."""
    accepted: dict[int, Accepted] = {}
    items = [_item(_APPLICATION, APPLICATION_CONTEXT.encode())]
    for context in asked.contexts:
        result, syntax = _judge(context, wanted)
        answer = bytes((context.number, 0, result, 0)) + _item(_TRANSFER, syntax.encode())
        items.append(_item(_ANSWERED, answer))
        if result == _ACCEPTED:
            accepted[context.number] = Accepted(context.abstract_syntax, syntax)
    items.append(_item(_USER, _user_information(max_pdu, asked.as_provider & {COMMITMENT})))
    body = struct.pack(">HH", 1, 0) + asked.echoed + b"".join(items)
    return accepted, struct.pack(">BxI", 2, len(body)) + body


def _judge(context: Proposed, wanted: Callable[[str], bool]) -> tuple[int, str]:
    """Result and transfer syntax: the first that the sender names, since it knows its own file."""
    if not wanted(context.abstract_syntax):
        return _NO_CLASS, ""
    for syntax in context.transfer_syntaxes:
        if _DATA_SET.fullmatch(syntax) and not _NOT_WHOLE.match(syntax):
            return _ACCEPTED, syntax
    return _NO_SYNTAX, ""


def is_storage(abstract_syntax: str) -> bool:
    """Storage of any kind, a vendor's too: what cannot be used is told of, not lost."""
    if abstract_syntax.startswith(_STANDARD):
        return abstract_syntax.startswith(_STORAGE)
    return bool(abstract_syntax)


def _user_information(max_pdu: int, as_provider: frozenset[str]) -> bytes:
    roles = (
        struct.pack(">H", len(uid)) + uid.encode() + bytes((0, 1)) for uid in sorted(as_provider)
    )
    return (
        _item(_MAXIMUM_LENGTH, struct.pack(">I", max_pdu))
        + _item(_CLASS_UID, IMPLEMENTATION_CLASS_UID.encode())
        + b"".join(_item(_ROLES, role) for role in roles)
        + _item(_VERSION_NAME, IMPLEMENTATION_VERSION_NAME.encode())
    )


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value
