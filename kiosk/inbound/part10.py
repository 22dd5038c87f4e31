"""The meta group of a PS3.10 file (PS3.10 7.1), written before a data set that came by C-STORE and
read from a file that came by STOW-RS; nothing behind it is looked at here."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from kiosk.model.delivery import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

HEAD = 4096  # the part of a file in which its meta group's UIDs must lie
STUDY_HEAD = 65_536  # and in which a Study Instance UID is looked for

_LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"OD", b"OF", b"OL", b"UC", b"UR")


@dataclass(frozen=True, slots=True)
class Meta:
    """What a file says it is."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def is_uid(text: str) -> bool:
    """Whether it may be shown and filed by: digits and dots, 64 at most (PS3.5 9.1)."""
    return re.fullmatch(r"[0-9.]{1,64}", text) is not None


def preamble_and_meta(meta: Meta, calling_ae_title: str) -> bytes:
    """What stands before the data set in a file (PS3.10 7.1), explicit VR little endian."""
    elements = b"".join(
        (
            struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2) + b"\0\1",
            _element(0x0002, b"UI", meta.sop_class_uid),
            _element(0x0003, b"UI", meta.sop_instance_uid),
            _element(0x0010, b"UI", meta.transfer_syntax_uid),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
            _element(0x0016, b"AE", calling_ae_title),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements)) + elements


def is_of_study(untrusted_head: bytes, study_instance_uid: str) -> bool:
    """Whether nothing speaks against it: among the Study Instance UIDs at the start of a file, be
    they in references, is this one, or there are none (they lie further on, or are packed)."""
    stated = [found[1].strip(b"\0 ") for found in _STUDY_UID.finditer(untrusted_head)]
    return not stated or study_instance_uid.encode() in stated


# (0020,000D) with its VR, or implicit with a length of four bytes; of either byte order.
_STUDY_UID = re.compile(
    rb"(?:\x20\0\x0d\0|\0\x20\0\x0d)(?:UI..|[\x01-\x40]\0\0\0)([0-9.]{1,64}[\0 ]?)", re.DOTALL
)


def _element(number: int, vr: bytes, value: str) -> bytes:
    raw = value.encode("ascii")
    raw += (b"\0" if vr == b"UI" else b" ") * (len(raw) % 2)
    return struct.pack("<HH2sH", 2, number, vr, len(raw)) + raw


def read_meta(untrusted_head: bytes) -> Meta | None:
    """The meta group at the start of a file; None where there is none with valid UIDs."""
    if untrusted_head[128:132] != b"DICM":
        return None
    values: dict[int, str] = {}
    at = 132
    while at + 8 <= len(untrusted_head):
        group, number, vr, length = struct.unpack_from("<HH2sH", untrusted_head, at)
        at += 8
        if group != 2:
            break
        if vr in _LONG:
            if at + 4 > len(untrusted_head):
                break
            (length,) = struct.unpack_from("<I", untrusted_head, at)
            at += 4
        values[number] = untrusted_head[at : at + length].decode("latin-1").strip("\0 ")
        at += length
    meta = Meta(*(values.get(number, "") for number in (0x0002, 0x0003, 0x0010)))
    known = all(map(is_uid, (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid)))
    return meta if known else None
