"""Who must know: a study that arrived, is held or was taken back is told to the hospital's systems
as HL7 ORU^R01, FHIR ImagingStudy, signed webhook or e-mail. Knows no rows."""

from __future__ import annotations

from kiosk.notify import fhir, hl7, mail, webhook
from kiosk.notify.notice import Alert, Away, Notice, Refused, Topic
from kiosk.policy.receivers import Receiver

__all__ = ["Alert", "Away", "Notice", "Refused", "Topic", "tell"]

_KINDS = {"hl7": hl7.tell, "fhir": fhir.tell, "webhook": webhook.tell, "mail": mail.tell}


def tell(receiver: Receiver, notice: Notice | Alert) -> None:
    """When it returns, the receiver has said that it took the notice. Raises Away when it did not
    answer or asks to try again, Refused when it never will take this one. Telling twice is no
    harm: a notice keeps its id."""
    if isinstance(notice, Alert):
        mail.tell(receiver, notice)
    else:
        _KINDS[receiver.kind](receiver, notice)
