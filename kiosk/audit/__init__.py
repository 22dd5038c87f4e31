"""What we must prove: a journal line becomes audit messages (IHE ATNA, DICOM PS3.15 A.5), and they
go to the hospital's audit record repository by syslog over TLS (RFC 5425). Knows no rows."""

from kiosk.audit.events import AUDITED, SILENT, Subject, Transfer, messages
from kiosk.audit.message import AuditMessage, Source, to_xml
from kiosk.audit.syslog import Collector, CollectorAway, frame

__all__ = [
    "AUDITED",
    "SILENT",
    "AuditMessage",
    "Collector",
    "CollectorAway",
    "Source",
    "Subject",
    "Transfer",
    "frame",
    "messages",
    "to_xml",
]
