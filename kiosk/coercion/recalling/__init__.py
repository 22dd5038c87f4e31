"""Putting a wrong import right: the note that takes back what was sent, and the new UIDs under
which it is sent again."""

from kiosk.coercion.recalling.note import rejection_note
from kiosk.coercion.recalling.renaming import renamed

__all__ = ["rejection_note", "renamed"]
