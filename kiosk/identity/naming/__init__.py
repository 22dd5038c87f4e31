"""Person names: how they are read, folded, sound, and which everyday forms they have."""

from kiosk.identity.naming.names import Name, Reading, fold, parse, sound, words
from kiosk.identity.naming.nicknames import everyday_form, shared_forms
from kiosk.identity.naming.nicknames import formal as formal_names

__all__ = [
    "Name",
    "Reading",
    "everyday_form",
    "fold",
    "formal_names",
    "parse",
    "shared_forms",
    "sound",
    "words",
]
