"""Patient Demographics Query in HL7 v2.5, without I/O (IHE ITI TF-2a 3.21): QBP^Q22 and RSP^K22."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import datetime

from kiosk.adt import er7, fields
from kiosk.adt.charset import decode
from kiosk.adt.query.exchange import SourceProblem, where
from kiosk.adt.query.naming import named
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.model.registration import Kept, PatientFields
from kiosk.policy.sources import Source

_SPECIAL = re.compile(r"[|^~\\&\x00-\x1f]")
_POINTER = 180  # DSC-1's length
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def tag() -> str:
    """A query tag or control id that nobody used before."""
    return uuid.uuid4().hex[:20].upper()


def question(
    source: Source,
    stated: PatientIdentity,
    sender: tuple[str, str],
    issuer: str,
    query: str = "",
    pointer: str = "",
) -> tuple[bytes, str]:
    """The message and its control id. Asked for is the family name with the birth date, or with
    the given name where there is no birth date: what else differs the matcher weighs. With the
    `pointer` of an answer (DSC-1) the same `query` goes on after it."""
    control_id = tag()
    now = datetime.now().astimezone().strftime("%Y%m%d%H%M%S")
    family, given = asked_name(stated)
    wanted = {"@PID.5.1.1": family}
    if stated.birth_date:
        wanted["@PID.7"] = stated.birth_date
    elif given:
        wanted["@PID.5.2"] = given
    parameters = "~".join(f"{name}^{_plain(value)}" for name, value in wanted.items())
    application, facility = (_plain(text) for text in sender)
    msh = (
        f"MSH|^~\\&|{application}|{facility}|{_plain(source.application)}|"
        f"{_plain(source.facility)}|{now}||QBP^Q22^QBP_Q21|{control_id}|P|2.5||||||UNICODE UTF-8"
    )
    domains = f"^^^{_plain(issuer)}" if issuer else ""
    asked = f"QPD|IHE PDQ Query^^IHE|{query or control_id}|{parameters}|||||{domains}".rstrip("|")
    on = [f"DSC|{pointer}|I"] if pointer else []
    text = "\r".join((msh, asked, f"RCP|I|{source.most}^RD", *on, ""))
    return text.encode(), control_id


def asked_name(stated: PatientIdentity) -> tuple[str, str]:
    """Family and given name to ask for; of a name in one piece (`DOE JANE`, `DOE, JANE`) the first
    word and the second."""
    name = stated.name
    if name.given or not re.search(r"[,\s]", name.family):
        return name.family, name.given
    words = [word for word in re.split(r"[,\s]+", name.family) if word]
    return words[0] if words else "", words[1] if len(words) > 1 else ""


def _plain(text: str) -> str:
    return _SPECIAL.sub(" ", text).strip()


def patients(
    source: Source, untrusted: bytes, control_id: str, issuer: str
) -> tuple[tuple[LocalPatient, ...], str]:
    """Those that the answer names, and the pointer to more of them (DSC-1), "" at the end. Raises
    SourceProblem for what is no answer to the question."""
    text, _ = decode(untrusted, _declared(untrusted), "utf-8")
    try:
        message = er7.read(_CONTROLS.sub("", text))
    except er7.NotEr7 as e:
        raise SourceProblem(f"{where(source)}: its answer is no HL7 message.") from e
    _check(source, message, control_id)
    found: dict[str, LocalPatient] = {}
    for told in _told(message, source.authority):
        local = _local(source, told, issuer)
        if local is not None and len(found) < source.most:
            found.setdefault(local.key, local)
    on = message.first("DSC")
    return tuple(found.values()), _plain(on.first(1))[:_POINTER] if on else ""


def _declared(untrusted: bytes) -> str:
    """MSH-18."""
    parts = untrusted[:4096].partition(b"\r")[0].split(b"|")
    return parts[17].decode("ascii", "replace").partition("~")[0] if len(parts) > 17 else ""


def _check(source: Source, message: er7.Message, control_id: str) -> None:
    msa, qak = message.first("MSA"), message.first("QAK")
    if msa is None or msa.first(2) != control_id:
        raise SourceProblem(f"{where(source)} answered something that was not asked.")
    status = qak.first(2) if qak else ""
    if msa.first(1) not in ("AA", "CA") or status not in ("OK", "NF", ""):
        raise SourceProblem(f"{where(source)} refused the question. Look in its log for the cause.")


def _told(message: er7.Message, authority: str) -> Iterator[PatientFields]:
    for segment in message.segments:
        if segment.name == "PID":
            yield fields.patient([segment], "A28", authority)


def _local(source: Source, told: PatientFields, issuer: str) -> LocalPatient | None:
    names = told.names if isinstance(told.names, tuple) else ()
    identity = PatientIdentity(
        told.identifiers,
        names[:1],
        _text(told.birth_date),
        _text(told.sex),
        _text(told.address),
        _text(told.telephone),
        _text(told.mother_birth_name),
    )
    return named(source, identity, issuer, names[1:], told.deceased is True)


def _text(value: str | Kept) -> str:
    return "" if isinstance(value, Kept) else value[:250]
