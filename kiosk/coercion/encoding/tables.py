"""What the room knows of the Standard, as a conformance statement lists it."""

from __future__ import annotations

from pydicom._uid_dict import UID_dictionary
from pydicom.charset import python_encoding

_STORAGE = "1.2.840.10008.5.1.4."


def storage_classes() -> tuple[tuple[str, str], ...]:
    """UID and name of every Storage SOP Class of a patient's objects that PS3.6 lists here, by
    name."""
    found = (
        (uid, name)
        for uid, (name, kind, _, retired, _) in UID_dictionary.items()
        if kind == "SOP Class" and uid.startswith(_STORAGE) and name.endswith("Storage")
        if not retired and not uid.startswith("1.2.840.10008.5.1.4.1.2")
    )
    return tuple(sorted(found, key=lambda entry: entry[1]))


def transfer_syntaxes() -> tuple[tuple[str, str], ...]:
    """UID and name of every transfer syntax of PS3.6 that is not retired, by UID."""
    found = (
        (uid, name)
        for uid, (name, kind, _, retired, _) in UID_dictionary.items()
        if kind == "Transfer Syntax" and not retired
    )
    return tuple(sorted(found, key=lambda entry: [int(n) for n in entry[0].split(".")]))


def character_sets() -> tuple[str, ...]:
    """The defined terms of (0008,0005) that are read (PS3.3 C.12.1.1.2)."""
    return tuple(sorted(term for term in python_encoding if term))
