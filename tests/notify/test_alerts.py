"""Emergency access is told by mail to whoever answers for the screens, and names nobody."""

from __future__ import annotations

import pytest

from kiosk.engine.parts import Site
from kiosk.engine.telling import Notifier
from kiosk.model.work import Event
from kiosk.notify import Alert, tell
from kiosk.policy import Receiver
from tests.engine.conftest import Station
from tests.engine.conftest import here as here
from tests.notify.test_receivers import Sink, mail_to, smtp

AT = "2026-11-24T10:31:00+00:00"


def test_the_mail_says_where_and_when_and_neither_who_nor_why() -> None:
    sink = Sink()
    with smtp(sink) as port:
        tell(mail_to(port, of=("emergency",)), Alert("K9", AT, "City Hospital", "kiosk-3"))
    (mail,) = sink.mails
    assert "Subject: Emergency access was used at kiosk-3" in mail
    assert "City Hospital" in mail
    assert "Message-ID: <K9@hospital.example>" in mail


def test_the_journal_s_line_becomes_one_mail_for_those_who_want_it(here: Station) -> None:
    """With who and why, which may name a patient, left where they were written down."""
    sink = Sink()
    with smtp(sink) as port:
        for of in ("emergency", "held"):
            receiver = mail_to(port, of=(of,))
            notifier = Notifier(Site(here.rows, here.vault, here.policy, lambda: here.at), receiver)
            with here.rows.begin() as tx:
                data: dict[str, object] = {"station": "kiosk-3", "reason": "Mrs Doe bleeds"}
                tx.journal.write(Event("access.emergency", actor="emergency: Dr. Rose", data=data))
            while notifier.tend():
                pass
    assert len(sink.mails) == 1
    assert "kiosk-3" in sink.mails[0]
    assert not [told for told in ("Doe", "Rose", "bleeds") if told in sink.mails[0]]


def test_no_other_receiver_than_mail_is_told_of_it() -> None:
    with pytest.raises(ValueError, match="by mail only"):
        Receiver(name="X", kind="hl7", host="127.0.0.1", of=("emergency",))
