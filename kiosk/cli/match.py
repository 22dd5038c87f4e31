"""The core of `kiosk match`: JSON Lines in, JSON Lines out, in the same order, one at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kiosk.engine.casework import candidates
from kiosk.identity import propose
from kiosk.model.matching import Candidate, Evidence, IndexStatistics, Proposal
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PersonName
from kiosk.policy.sections import Identity
from kiosk.store import Store

# The roster's candidates for a stated patient and the patient the front desk picked, if any, with
# the picked record among them, and the statistics for their `identity.name_keys`.
Lookup = Callable[
    [PatientIdentity, Identifier | None], tuple[Sequence[LocalPatient], IndexStatistics]
]


class BadQuery(ValueError):
    """A line is no query. The text names the line and what is wrong, never a patient's data."""


def match(lines: Iterator[str], lookup: Lookup, settings: Identity) -> Iterator[str]:
    """One answer line for each query line (CLI `kiosk match`). Blank lines are skipped; raises
    BadQuery at the first line that is no query, after the answers before it."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _answer(_query(line, number), lookup, settings)


def _query(line: str, number: int) -> dict[str, Any]:
    try:
        query = json.loads(line)
    except ValueError:
        raise BadQuery(f"line {number} is not JSON: write one query object a line") from None
    if not isinstance(query, dict) or "id" not in query:
        raise BadQuery(f'line {number} is no query: an object with at least "id" is expected')
    return query


def _answer(query: dict[str, Any], lookup: Lookup, settings: Identity) -> str:
    began = time.perf_counter()
    stated, picked = stated_patient(query), _identifier(query.get("picked"))
    candidates, statistics = lookup(stated, picked)
    proposal = propose(stated, candidates, statistics, settings, picked)
    milliseconds = (time.perf_counter() - began) * 1000
    answer = {"id": query["id"], **_plain(proposal), "ms": round(milliseconds, 3)}
    return json.dumps(answer, ensure_ascii=False)


def stated_patient(query: dict[str, Any]) -> PatientIdentity:
    """What a query states; anything absent, null or of another type counts as unknown."""
    own = Identifier(_text(query, "patient_id"), _text(query, "issuer"))
    others = query.get("other_patient_ids")
    found = [_identifier(o) for o in others] if isinstance(others, list) else []
    name = PersonName.from_dicom(_text(query, "patient_name"))
    return PatientIdentity(
        identifiers=tuple(i for i in (own, *found) if i and i.value),
        names=(name,) if name else (),
        birth_date=_text(query, "birth_date"),
        sex=sex if (sex := _text(query, "sex").upper()[:1]) in ("M", "F", "O") else "",
        address=_text(query, "address"),
        telephone=_text(query, "telephone"),
        mother_birth_name=_text(query, "mother_birth_name"),
    )


def _text(query: dict[str, Any], key: str) -> str:
    value = query.get(key)
    return value.strip() if isinstance(value, str) else ""


def _identifier(value: object) -> Identifier | None:
    if not isinstance(value, dict):
        return None
    found = Identifier(_text(value, "value"), _text(value, "issuer"))
    return found if found.value else None


def _plain(proposal: Proposal) -> dict[str, Any]:
    return {
        "decision": proposal.recommendation.value,
        "why": list(proposal.why),
        "candidates": [_candidate(c) for c in proposal.candidates],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    identity, comparison = candidate.local.identity, candidate.comparison
    return {
        "identifiers": [
            {"value": i.value, "issuer": i.issuer or None} for i in identity.identifiers
        ],
        "name": identity.name.to_dicom(),
        "birth_date": identity.birth_date,
        "sex": identity.sex,
        "probability": candidate.probability,
        "agreements": _weights(e for e in comparison.evidence if e.weight > 0),
        "penalties": _weights(e for e in comparison.evidence if e.weight < 0),
        "capped_by": comparison.capped_by or None,
    }


def _weights(evidence: Iterator[Evidence]) -> dict[str, float]:
    return {e.field: round(e.weight, 3) for e in evidence}


def lookup_in(rows: Store) -> Lookup:
    """Candidates and statistics from the store's roster, as the engine looks them up."""

    def lookup(
        stated: PatientIdentity, picked: Identifier | None
    ) -> tuple[Sequence[LocalPatient], IndexStatistics]:
        with rows.read() as tx:
            return candidates(tx, stated, picked)

    return lookup
