"""One question to one source, whichever protocol it speaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

from kiosk.adt.query import fhir, pdq
from kiosk.adt.query.exchange import SourceProblem, connected, http, mllp, where
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.policy.sources import Source

MAX_PAGES = 20  # of one answer


def ask(
    source: Source, stated: PatientIdentity, sender: tuple[str, str], issuer: str
) -> tuple[LocalPatient, ...]:
    """Whom the source names for this patient, at most `source.most`, in at most `source.seconds`;
    `sender` is our MSH-3 and MSH-4, `issuer` is who gives this hospital's numbers. Raises
    SourceProblem."""
    pages = _pdq if source.kind == "pdq" else _fhir
    found: dict[str, LocalPatient] = {}
    for page in islice(pages(source, stated, sender, issuer), MAX_PAGES):
        new = {each.key: each for each in page if each.key not in found}
        found |= new
        if not new or len(found) >= source.most:
            break
    return tuple(found.values())[: source.most]


Pages = Iterator[tuple[LocalPatient, ...]]


def _pdq(source: Source, stated: PatientIdentity, sender: tuple[str, str], issuer: str) -> Pages:
    deadline, query, pointer = time.monotonic() + source.seconds, pdq.tag(), ""
    while True:
        question, control_id = pdq.question(source, stated, sender, issuer, query, pointer)
        answer = mllp(source, question, deadline)
        named, pointer = pdq.patients(source, answer, control_id, issuer)
        yield named
        if not pointer:
            return


def _fhir(source: Source, stated: PatientIdentity, _sender: tuple[str, str], issuer: str) -> Pages:
    deadline, on = time.monotonic() + source.seconds, ""
    while True:
        if on:
            status, bundle = http(source, "GET", on, deadline)
        elif source.operation == "match":
            body, headers = fhir.parameters(source, stated), fhir.HEADERS
            path = "Patient/$match"
            status, bundle = http(source, "POST", path, deadline, json=body, headers=headers)
        else:
            asked = fhir.search(source, stated)
            status, bundle = http(source, "GET", "Patient", deadline, params=asked)
        if status != 200:
            raise SourceProblem(f"{where(source)} answered with HTTP status {status}.")
        yield fhir.patients(source, bundle, issuer)
        on = fhir.next_page(source, bundle)
        if not on:
            return


def reach(source: Source) -> str:
    """ "" when the source is there, else one sentence for IT. No patient is asked for."""
    try:
        if source.kind == "fhir":
            deadline = time.monotonic() + source.seconds
            status, _ = http(source, "GET", "metadata", deadline, params={"_summary": "true"})
            return "" if status == 200 else f"{where(source)} answers with HTTP status {status}."
        connected(source, source.seconds).close()
    except SourceProblem as e:
        return str(e)
    except OSError as e:
        return f"{where(source)} cannot be reached ({e.strerror or 'no answer'})."
    return ""
