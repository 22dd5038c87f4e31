"""The same instance in another transfer syntax, for an archive that refuses the one it has: only
where nothing is lost by it (PS3.5 10.1). What is compressed is decoded in a child of its own
(kiosk.sandbox.decoding); here is what that does."""

from kiosk.coercion.transcoding.encapsulated import (
    LOSSLESS,
    Encapsulated,
    frames,
    load,
    pixel_head,
    plain,
)
from kiosk.coercion.transcoding.implicit import transcoded

__all__ = [
    "LOSSLESS",
    "Encapsulated",
    "frames",
    "load",
    "pixel_head",
    "plain",
    "transcoded",
]
