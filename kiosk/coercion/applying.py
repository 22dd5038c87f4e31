"""Applying a plan to one instance: the new header's bytes, and where the original goes on."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from io import FileIO
from pathlib import Path

from kiosk.coercion.encoding.elements import EXPLICIT, IMPLICIT, Encoding, Malformed, encode
from kiosk.coercion.recoding import Privates
from kiosk.coercion.rewriting import rewrite
from kiosk.coercion.tail import Tail, find_tail
from kiosk.model.content import Instance, InstanceStatus
from kiosk.model.delivery import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    Coerced,
    CoercionRefused,
    Plan,
)

IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
EXPANDED = (DEFLATED, EXPLICIT_BE)  # `prepare` writes these anew, in Explicit VR Little Endian
GE_IMPLICIT = "1.2.840.113619.5.2"  # with pixel data of the other byte order
ENCODINGS = {IMPLICIT_LE: IMPLICIT, GE_IMPLICIT: IMPLICIT}  # every other one is Explicit VR LE

_UID = re.compile(r"[0-9.]{1,64}")
HEADER_BYTES = 256 * 1024 * 1024  # more before the pixels is no header


def sent_as(transfer_syntax_uid: str) -> str:
    """The transfer syntax in which an instance stored in this one is handed on."""
    return EXPLICIT_LE if transfer_syntax_uid in EXPANDED else transfer_syntax_uid


def apply(source: Path, instance: Instance, plan: Plan) -> Coerced:
    """The instance in the file `source` as `plan` has it. The same plan gives the same bytes.

    The pixel data are neither read nor changed: the original's bytes from `instance.pixel_offset`
    on (but for a digital signature, which no longer holds). Raises CoercionRefused where that
    cannot be done exactly.
    """
    if instance.status is not InstanceStatus.OK:
        raise CoercionRefused("The file is damaged or unsupported, so it is held and not sent.")
    uid = dict(plan.uids).get(instance.sop_instance_uid, instance.sop_instance_uid)
    try:
        meta = meta_group(instance.sop_class_uid, uid, instance.transfer_syntax_uid)
        data, tail = _read(source, instance, plan)
        header, changes = rewrite(data, encoding_of(instance), plan, uid)
    except Malformed as e:
        raise CoercionRefused(
            f"The header cannot be changed without risk: {e}. The image is held as it came; "
            "ask the sender for a new copy."
        ) from None
    except OSError as e:
        raise CoercionRefused(
            f"The staged file cannot be read ({e.strerror}). The image is held; "
            "read the disc again."
        ) from None
    return Coerced(
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        meta=meta,
        header=header,
        tail=source,
        tail_offset=tail.offset,
        tail_length=tail.length,
        changes=(*changes, *tail.changes),
        pixels=instance.pixels,
        pixels_at=tail.pixels_at - tail.offset,
        pixels_length=tail.pixels_length,
    )


def encoding_of(instance: Instance) -> Encoding:
    """How the data set is encoded. Raises CoercionRefused where it has to be written anew first."""
    if instance.transfer_syntax_uid in EXPANDED:
        raise CoercionRefused(
            "The file is deflated or big endian and could not be written anew. The image is held."
        )
    return ENCODINGS.get(instance.transfer_syntax_uid, EXPLICIT)


def _read(source: Path, instance: Instance, plan: Plan) -> tuple[bytes, Tail]:
    encoding = encoding_of(instance)
    length = instance.pixel_offset - instance.dataset_offset
    with FileIO(source) as f:
        size = f.seek(0, 2)
        if not 0 <= length <= size - instance.dataset_offset:
            raise Malformed("the file is shorter than when it was cataloged")
        if length > HEADER_BYTES:
            raise Malformed(f"what comes before the pixels is larger than {HEADER_BYTES} bytes")
        data = os.pread(f.fileno(), length, instance.dataset_offset)
        privates = Privates(plan.drop_private, frozenset(plan.private_creators))
        return data, find_tail(f.fileno(), instance.pixel_offset, size, encoding, privates)


def meta_group(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble, prefix and group 0002 (PS3.10 7.1): our own, nothing of the medium's survives."""
    before, after = _around(sop_class_uid, transfer_syntax_uid)
    content = before + _uid(0x00020003, sop_instance_uid) + after
    length = encode(0x00020000, b"UL", len(content).to_bytes(4, "little"), EXPLICIT)
    return bytes(128) + b"DICM" + length + content


@lru_cache(maxsize=256)
def _around(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    """What a meta group says before and after the instance's UID: the same for a whole series."""
    version = encode(0x00020001, b"OB", b"\0\1", EXPLICIT)
    name = IMPLEMENTATION_VERSION_NAME.encode("ascii")
    writer = _uid(0x00020012, IMPLEMENTATION_CLASS_UID) + encode(0x00020013, b"SH", name, EXPLICIT)
    return version + _uid(0x00020002, sop_class_uid), _uid(0x00020010, transfer_syntax_uid) + writer


def _uid(tag: int, uid: str) -> bytes:
    if not _UID.fullmatch(uid):
        raise Malformed("a UID has characters that no UID may have")
    return encode(tag, b"UI", uid.encode("ascii"), EXPLICIT)
