"""One question to one source about one case, and what its answer is good for."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta

from kiosk import adt, delivery, identity
from kiosk.engine.parts import Site
from kiosk.model.matching import Recommendation
from kiosk.model.patient import LocalPatient, PatientIdentity
from kiosk.model.work import Case, CaseState
from kiosk.policy.sources import Source
from kiosk.store import Transaction

NAMED = "another register named candidates"


def consult(site: Site, source: Source) -> bool:
    """Asks the source about the oldest case that is open to it; whether there was one."""
    with site.store.read() as tx:
        if site.now().timestamp() < tx.sources.state(site.station, source.name).due:
            return False
        id = tx.sources.unasked(source.name)
        if id is None:
            return False
        case = tx.cases.get(id)
    if not _unsettled(case):
        with site.store.begin() as tx:
            tx.sources.passed_over(case.id, source.name)
        return True
    try:
        named = _ask(site, source, case.stated)
    except (adt.SourceProblem, delivery.PeerProblem) as e:
        _note_failure(site, source, str(e))
        return False
    with site.store.begin() as tx:
        tx.sources.works(site.station, source.name)
        news = tx.sources.answered(case, source.name, named)
        if news and tx.cases.get(case.id).state is CaseState.AWAITING:
            tx.cases.back_to_matching(case.id, "engine", NAMED)
    return True


def _unsettled(case: Case) -> bool:
    """Whether our own list left the question open: what waits for another reason needs no more
    candidates, and nobody can be asked for without a name."""
    accepted = case.proposal and case.proposal.recommendation is Recommendation.ACCEPT
    return bool(case.stated.name.family) and not accepted


def _ask(site: Site, source: Source, stated: PatientIdentity) -> tuple[LocalPatient, ...]:
    """Those of the answer that the roster's own blocking would compare: a source that names
    everybody, or somebody else, fills no list."""
    issuer, ours = site.policy.identity.local_issuer, site.policy.site
    if source.kind == "worklist":
        calling = source.calling_ae_title or ours.ae_title
        named = delivery.worklist(source, calling, stated, issuer)
    else:
        sender = ("KIOSK", ours.institution or ours.name)
        named = adt.ask(source, stated, sender, issuer)
    keys = identity.keys(stated)
    return tuple(each for each in named if keys & identity.keys_of(each))


def _note_failure(site: Site, source: Source, problem: str) -> None:
    retry = site.policy.retry
    with site.store.begin() as tx:
        failures = tx.sources.state(site.station, source.name).failures
        seconds = min(retry.longest_seconds, retry.first_seconds * 2 ** min(failures, 16))
        pause = timedelta(seconds=seconds * (0.75 + random.random() / 2))
        tx.sources.fails(site.station, source.name, problem, pause)


def named_for(tx: Transaction, case_id: int) -> tuple[LocalPatient, ...]:
    """Whom the sources named for this case, each once: as our own record wherever the feed has
    told of one of the numbers, else as the source has it."""
    found = (_as_registered(tx, each) for each in tx.sources.answers(case_id))
    return tuple(_first_of_each(found))


def _as_registered(tx: Transaction, named: LocalPatient) -> LocalPatient:
    records = (tx.roster.resolve(i) for i in named.identity.identifiers)
    return next((record for record in records if record), named)


def _first_of_each(found: Iterable[LocalPatient]) -> list[LocalPatient]:
    by_key: dict[str, LocalPatient] = {}
    for each in found:
        by_key.setdefault(each.key, each)
    return list(by_key.values())
