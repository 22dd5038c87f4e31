"""One question to one source, whichever protocol it speaks."""

from __future__ import annotations

from kiosk.adt.query import fhir, pdq
from kiosk.adt.query.exchange import SourceProblem, connected, http, mllp, where
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.policy.sources import Source


def ask(
    source: Source, stated: PatientIdentity, sender: tuple[str, str], issuer: str
) -> tuple[LocalPatient, ...]:
    """Whom the source names for this patient, at most `source.most`; `sender` is our MSH-3 and
    MSH-4, `issuer` is who gives this hospital's numbers. Raises SourceProblem."""
    if source.kind == "pdq":
        question, control_id = pdq.question(source, stated, sender, issuer)
        answer = mllp(source, question)
        return pdq.patients(source, answer, control_id, issuer)
    return _ask_fhir(source, stated, issuer)


def _ask_fhir(source: Source, stated: PatientIdentity, issuer: str) -> tuple[LocalPatient, ...]:
    if source.operation == "match":
        body = fhir.parameters(source, stated)
        status, bundle = http(source, "POST", "Patient/$match", json=body, headers=fhir.HEADERS)
    else:
        status, bundle = http(source, "GET", "Patient", params=fhir.search(source, stated))
    if status != 200:
        raise SourceProblem(f"{where(source)} answered with HTTP status {status}.")
    return fhir.patients(source, bundle, issuer)


def reach(source: Source) -> str:
    """ "" when the source is there, else one sentence for IT. No patient is asked for."""
    try:
        if source.kind == "fhir":
            status, _ = http(source, "GET", "metadata", params={"_summary": "true"})
            return "" if status == 200 else f"{where(source)} answers with HTTP status {status}."
        connected(source).close()
    except SourceProblem as e:
        return str(e)
    except OSError as e:
        return f"{where(source)} cannot be reached ({e.strerror or 'no answer'})."
    return ""
