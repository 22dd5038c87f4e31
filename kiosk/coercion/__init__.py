"""What we change: a header, a resolution and the policy become a new header and what it replaced.

`prepare` looks at what a medium's headers say and break, once, in a sandboxed child; `plan` decides
once per study what will be written; what HIM is shown is what `apply` then writes into each header,
byte for byte, however often it runs. Pixel data are never changed.
"""

from kiosk.coercion.applying import apply, sent_as
from kiosk.coercion.planning import for_writing, import_order, plan, unregistered
from kiosk.coercion.preparing import prepare
from kiosk.coercion.recalling import rejection_note, renamed
from kiosk.coercion.transcoding import transcoded

__all__ = [
    "apply",
    "for_writing",
    "import_order",
    "plan",
    "prepare",
    "rejection_note",
    "renamed",
    "sent_as",
    "transcoded",
    "unregistered",
]
