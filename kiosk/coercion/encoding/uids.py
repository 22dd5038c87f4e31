"""UIDs that are made here: always the same one from the same parts, so that doing it again, or
bringing the disc again, gives no second study (PS3.5 9, B.2)."""

from __future__ import annotations

import hashlib
import uuid
from functools import lru_cache

from pydicom.datadict import keyword_for_tag

# What names a kind of thing, not a thing: nobody but its author can say it better.
_KINDS = (
    *("SOPClass", "TransferSyntax", "CodingScheme", "ContextUID", "MappingResource"),
    *("PrivateRecord", "ImplementationClass", "TemplateExtension", "Applicable"),
)


def made_uid(*parts: str) -> str:
    digest = bytearray(hashlib.sha256("\0".join(("kiosk", *parts)).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # version 8, RFC 9562: what is in it is our own affair
    digest[8] = digest[8] & 0x3F | 0x80
    return f"2.25.{uuid.UUID(bytes=bytes(digest)).int}"


@lru_cache(maxsize=1024)
def names_a_thing(tag: int) -> bool:
    """Whether a UID attribute of the dictionary identifies an instance, a study, a frame of
    reference or the like."""
    keyword = keyword_for_tag(tag)
    return bool(keyword) and not any(kind in keyword for kind in _KINDS)
