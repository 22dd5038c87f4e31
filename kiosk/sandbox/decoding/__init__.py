"""Decompressing for an archive that does not take what a medium has, in a child of its own: what a
hostile image does to it ends with it. `parent` asks and believes only lengths, `inside` is the
child."""

from kiosk.sandbox.decoding.parent import Decoder, decodes

__all__ = ["Decoder", "decodes"]
