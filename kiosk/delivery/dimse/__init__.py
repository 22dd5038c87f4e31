"""A blocking DICOM requestor of our own: associations, messages, and the connection below them."""

from kiosk.delivery.dimse.association import Association, associate
from kiosk.delivery.dimse.connection import NotReached, PeerProblem, client_context, where
from kiosk.delivery.dimse.message import (
    NO_DATA_SET,
    Command,
    Element,
    Message,
    encode_command,
)
from kiosk.delivery.dimse.negotiation import UNDECODABLE, Proposed

__all__ = [
    "NO_DATA_SET",
    "UNDECODABLE",
    "Association",
    "Command",
    "Element",
    "Message",
    "NotReached",
    "PeerProblem",
    "Proposed",
    "associate",
    "client_context",
    "encode_command",
    "where",
]
