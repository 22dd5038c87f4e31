"""E-mail without patient data: the ticket says which disc, and the worklist says the rest."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import replace
from email.message import EmailMessage

from kiosk.notify.notice import Alert, Away, Notice, Refused, Topic, secret
from kiosk.policy.receivers import Receiver

_SUBJECTS = {
    Topic.AVAILABLE: "Outside scans have arrived",
    Topic.HELD: "Outside scans need a person",
    Topic.RECALLED: "Outside scans are being taken back",
}


def tell(receiver: Receiver, notice: Notice | Alert) -> None:
    try:
        with smtplib.SMTP(receiver.host, receiver.port, timeout=receiver.answer_seconds) as server:
            _log_in(server, receiver)
            refused = server.send_message(message(receiver, notice))
    except smtplib.SMTPResponseException as e:
        _judge(e.smtp_code)
    except smtplib.SMTPRecipientsRefused as e:
        _judge(min(code for code, _ in e.recipients.values()))
    except (smtplib.SMTPException, OSError) as e:
        raise Away(f"no answer ({type(e).__name__})") from e
    else:
        if refused:
            raise Refused(f"it did not take {len(refused)} of the addresses")


def _judge(code: int) -> None:
    """RFC 5321 4.2.1: 4xx is for another time, 5xx for ever."""
    raise (Refused if code >= 500 else Away)(f"it answered {code}")


def _log_in(server: smtplib.SMTP, receiver: Receiver) -> None:
    if receiver.tls is not None:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(receiver.tls.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        server.starttls(context=context)
    if receiver.username:
        if receiver.tls is None:
            raise Away("a password is never sent without tls")
        server.login(receiver.username, secret(receiver.password_file))


def message(receiver: Receiver, notice: Notice | Alert) -> EmailMessage:
    """Its Message-ID is the notice's: a mail server may drop a second copy."""
    if isinstance(notice, Alert):
        return _alerting(receiver, notice)
    mail = _mail(receiver, notice.id, f"{_SUBJECTS[notice.topic]} ({notice.ticket})")
    # What a disc states as its institution is a stranger's text: it stays out, too.
    said = replace(notice, institution="").sentence
    mail.set_content(
        f"{said}\n\nTicket {notice.ticket}, {notice.site}, {notice.station}.\n"
        "Look it up in the worklist: no patient data is sent by mail.\n"
    )
    return mail


def _alerting(receiver: Receiver, alert: Alert) -> EmailMessage:
    """To whoever answers for the screens; who it was and why stands at the IT desk."""
    mail = _mail(receiver, alert.id, f"Emergency access was used at {alert.station}")
    mail.set_content(
        f"Somebody opened the front desk's screen of {alert.station}, {alert.site}, by emergency "
        f"access, at {alert.at}.\n\nWho, and for what reason: see People and roles at the IT "
        "desk, or HIM's worklist.\n"
    )
    return mail


def _mail(receiver: Receiver, id: str, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = receiver.sender
    mail["To"] = ", ".join(receiver.recipients)
    mail["Message-ID"] = f"<{id}@{_host(receiver.sender)}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    return mail


def _host(sender: str) -> str:
    return sender.rpartition("@")[2].strip("> ") or "kiosk.invalid"
