"""Steps of a Case: whose scans these are, and what goes where once that is known."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from kiosk import coercion, identity
from kiosk.engine.choosing import judge
from kiosk.engine.consulting import named_for
from kiosk.engine.parts import Settlement, Site
from kiosk.engine.revisiting import CHANGED_AFTER_SENDING, differs
from kiosk.model.content import InstanceStatus, Study
from kiosk.model.delivery import CoercionRefused, ImportOrder
from kiosk.model.matching import (
    Action,
    IndexStatistics,
    Judgement,
    Proposal,
    Recommendation,
    Resolution,
)
from kiosk.model.patient import Identifier, LocalPatient, PatientIdentity, PatientStatus
from kiosk.model.plain import to_plain
from kiosk.model.relevance.choice import Choice
from kiosk.model.work import Case, CaseState
from kiosk.policy import Route
from kiosk.store import Held, Lease, Parcel, Transaction

COUNTED = 16  # of these it is counted how common their names are: it costs more than all the rest
CANDIDATES = 60  # the right record is among the first 60 as often as among the first 200

REVIEW_ONLY = "This site lets nobody through without a person yet."
STALE = "The list of patients is too old to decide alone."
REFUSED_BEFORE = "It was decided before that this is not the same person."
OTHERWISE_BEFORE = "It was decided otherwise before for the same number of the same hospital."
HERE_ALREADY = (
    "{n} of {of} images were sent from here before, under other numbers: they came with {tickets}."
)
FEW = 4  # less than a quarter
CONFLICT = "The disc has two different images under one number."
SHARED = "Another patient on this medium has a study under the same number."
MIXED = (
    "Another patient's scans were sent from this medium under the same study number: an archive "
    "would mix the two. Recall those first, or do not import these."
)
RECALLED = "These scans went out wrong before and were recalled."
DAMAGED = "It is damaged on the disc."
UNSUPPORTED = "It cannot be sent safely."


def match(site: Site, case: Case) -> Settlement:
    """OPEN -> RESOLVED when nothing speaks against it, else AWAITING with the reasons."""
    proposal = propose(site, case)
    reasons = (*_why_ask(site, case, proposal), *_here_already(site, case))
    at = site.now().isoformat(timespec="seconds")
    resolution = None if reasons else identity.resolve(proposal, at, site.policy.hash)
    if resolution is not None:
        resolution = replace(resolution, picked=case.picked)

    def settle(tx: Transaction, held: Lease) -> None:
        tx.cases.matched(held, proposal, resolution, () if resolution else reasons or proposal.why)
        judge(tx, site, case, resolution)

    return settle


def _here_already(site: Site, case: Case) -> tuple[str, ...]:
    """A hospital that imported our images gives them back under other UIDs and another name: said
    before they are sent again. A few alike may be chance (a logo, a blank frame)."""
    with site.store.read() as tx:
        known = tx.images.known(case.id)
    if not known.images or known.images * FEW < known.of:
        return ()
    tickets = ", ".join(known.tickets[:3])
    return (HERE_ALREADY.format(n=known.images, of=known.of, tickets=tickets),)


def propose(site: Site, case: Case) -> Proposal:
    """What the matcher says of a case, with the roster and the earlier decisions of now. Whom a
    person chose before for the same foreign identity is compared again, however unlike. Whom other
    registers named is compared too, unless our own list settles it without them."""
    settings, picked = site.policy.identity, case.picked
    with site.store.read() as tx:
        before = tx.decisions.about(case.stated)
        offered = [m.local_key for m in before if m.judgement is Judgement.SAME and m.offered]
        chosen = [local for key in offered if (local := tx.roster.get(key))]
        found = candidates(tx, case.stated, picked, chosen)
        named = named_for(tx, case.id)
        more = candidates(tx, case.stated, picked, (*chosen, *named)) if named else found
    proposal = identity.propose(case.stated, *found, settings, picked, offered)
    if more != found and proposal.recommendation is not Recommendation.ACCEPT:
        proposal = identity.propose(case.stated, *more, settings, picked, offered)
    return replace(proposal, remembered=before)


def candidates(
    tx: Transaction,
    stated: PatientIdentity,
    picked: Identifier | None,
    also: Iterable[LocalPatient] = (),
) -> tuple[tuple[LocalPatient, ...], IndexStatistics]:
    """The roster's records worth comparing, the picked one first, and how common their names;
    `also` are records that something else than the roster's keys led to."""
    chosen = tx.roster.resolve(picked) if picked else None
    first = [chosen] if chosen else []
    listed = (*first, *tx.roster.candidates(identity.keys(stated), CANDIDATES), *also)
    found = tuple({local.key: local for local in listed}.values())
    names = identity.name_keys(stated).union(*map(identity.name_keys_of, found[:COUNTED]))
    return found, tx.roster.statistics(names)


def _why_ask(site: Site, case: Case, proposal: Proposal) -> tuple[str, ...]:
    """Why a person must look although the matcher might accept; empty when none must."""
    with site.store.read() as tx:
        reasons = [RECALLED] if tx.recalls.recalled(case.id) else []
        reasons += [SHARED] if _sharing(tx, case) else []
    if proposal.recommendation is not Recommendation.ACCEPT:
        return (*reasons, *proposal.why)
    if site.policy.identity.review_only:
        reasons.append(REVIEW_ONLY)
    if _feed_is_stale(site):
        reasons.append(STALE)
    reasons += _said_before(proposal)
    with site.store.read() as tx:
        if any(_conflicting(study) for _, study in tx.cases.studies(case.id)):
            reasons.append(CONFLICT)
    return tuple(reasons)


def _sharing(tx: Transaction, case: Case) -> list[Case]:
    """The medium's other patients that have a study under the number of one of this one's."""
    own = _numbers(tx, case)
    others = (each for each in tx.cases.of_intake(case.intake) if each.id != case.id)
    return [each for each in others if own & _numbers(tx, each)]


def _numbers(tx: Transaction, case: Case) -> set[str]:
    return {outline.study.study_instance_uid for outline in tx.cases.outlines(case.id)}


def _mixed(tx: Transaction, case: Case, resolution: Resolution) -> str:
    """Why the case may not go out beside another of its medium; "" where nothing forbids it."""
    for each in _sharing(tx, case):
        out = each.state in (CaseState.RELEASED, CaseState.DONE, CaseState.RECALLED)
        if out and each.resolution and _whom(tx, each.resolution) != _whom(tx, resolution):
            return MIXED
    return ""


def _whom(tx: Transaction, resolution: Resolution) -> object:
    local = tx.roster.survivor(resolution.local_key) if resolution.local_key else None
    return local.key if local else resolution.local and resolution.local.identifiers


def _said_before(proposal: Proposal) -> list[str]:
    key = proposal.candidates[max(int(dict(proposal.basis)["picked"]), 0)].local.key
    against = [m.judgement for m in proposal.remembered if m.contradicts(key)]
    if Judgement.NOT_SAME in against:
        return [REFUSED_BEFORE]
    return [OTHERWISE_BEFORE] if against else []


def _feed_is_stale(site: Site) -> bool:
    with site.store.read() as tx:
        last = tx.roster.last_message_at()
    limit = timedelta(hours=site.policy.adt.max_age_hours)
    return not last or site.now() - datetime.fromisoformat(last) > limit


def release(site: Site, case: Case) -> Settlement:
    """RESOLVED -> RELEASED: the plan of what is written is fixed, the deliveries are queued.

    The local patient is looked up again: a merge that came meanwhile leads to the survivor, and a
    record that was closed or held meanwhile sends the case back to a person.
    """
    assert case.resolution is not None
    decided = case.resolution
    with site.store.read() as tx:
        resolution, why = _resolution_now(tx, site, case, decided)
        why = why or _mixed(tx, case, resolution)
        patient = tx.cases.patient(case)
        studies = _named(tx, site, case)
        reason = "CORRECT" if tx.recalls.rejected_uids(case.id) else "COERCE"
        order = _order(tx, site, resolution)
    if why:
        return lambda tx, held: tx.cases.reopen(held, (why,))
    at = site.now().isoformat(timespec="microseconds")
    try:
        plans = [
            (row, study, coercion.plan(patient, study, resolution, site.policy, at, order, reason))
            for row, study in studies
        ]
    except CoercionRefused as e:
        refusal = str(e)
        return lambda tx, held: tx.cases.reopen(held, (refusal,))

    def settle(tx: Transaction, held: Lease) -> None:
        if _resolution_now(tx, site, case, decided) != (resolution, ""):
            tx.cases.unclaim(held, site.now())  # the plan is another patient's by now: once more
            return
        judge(tx, site, case, resolution)
        if tx.choices.is_open(case.id):
            tx.cases.unclaim(held, site.now() + timedelta(hours=1))  # or when it is chosen
            return
        unwanted = tx.choices.unwanted(case.id)
        earlier = _brought_in_before(tx, case, resolution)
        queued = 0
        for row, study, plan in plans:
            if study != tx.cases.study(row):
                tx.recalls.renamed(row, study)
            tx.cases.set_plan(row, to_plain(plan))
            if row not in unwanted:
                queued += _send_out(tx, site, case, (row, study), resolution, earlier)
        local = tx.roster.get(resolution.local_key) if resolution.local_key else None
        if local is not None:
            tx.recalls.rest_on(case.id, local)
        tx.cases.released(held, queued, resolution)
        if unwanted:
            tx.end_case(case.id)

    return settle


def release_late(site: Site, choice: Choice) -> Settlement:
    """A study that was chosen, or let go by triage, after others of its case had gone out: as the
    patient is registered now."""
    row = choice.study
    with site.store.read() as tx:
        case = tx.cases.get(choice.case)
        assert case.resolution is not None
        decided = case.resolution
        resolution, why = _resolution_now(tx, site, case, decided)
        why = why or _mixed(tx, case, resolution)
        patient, order = tx.cases.patient(case), _order(tx, site, resolution)
        study = dict(_named(tx, site, case))[row]
        reason = "CORRECT" if tx.recalls.rejected_uids(case.id) else "COERCE"
    if why:
        return lambda tx, held: tx.choices.fail(held, why)
    at = site.now().isoformat(timespec="microseconds")
    try:
        plan = coercion.plan(patient, study, resolution, site.policy, at, order, reason)
    except CoercionRefused as e:
        refusal = str(e)
        return lambda tx, held: tx.choices.fail(held, refusal)

    def settle(tx: Transaction, held: Lease) -> None:
        now = tx.cases.get(case.id)
        if differs(tx, now):
            tx.choices.fail(held, CHANGED_AFTER_SENDING)
            return
        same = _resolution_now(tx, site, case, decided) == (resolution, "")
        if not same or now.resolution != decided or now.state not in SENT:
            tx.choices.settle(held, False, site.now())
            return
        tx.more_of(case.id)
        tx.cases.set_plan(row, to_plain(plan))
        earlier = _brought_in_before(tx, case, resolution)
        _send_out(tx, site, case, (row, study), resolution, earlier)
        tx.choices.settle(held, True)

    return settle


SENT = (CaseState.RELEASED, CaseState.DONE)


def _send_out(
    tx: Transaction,
    site: Site,
    case: Case,
    found: tuple[int, Study],
    resolution: Resolution,
    earlier: list[int],
) -> int:
    """Queues one study for its archives: for how many."""
    row, study = found
    if site.policy.procedure_step.host:
        tx.steps.begin(case.id, row, f"2.25.{uuid.uuid4().int}")
    routes = _routes(tx, site, study, resolution)
    if row in (overrides := tx.choices.overrides(case.id)):
        to, by = overrides[row]
        whole = frozenset(range(len(study.series)))
        routes = tuple(Route(name, whole, f"triage ({by})") for name in to)
    for route in routes:
        _queue(tx, site, case, (row, study), route, earlier)
    tx.choices.released((row,))
    return len(routes)


def _order(tx: Transaction, site: Site, resolution: Resolution) -> ImportOrder | None:
    """The local order under which the scans are imported, where the site has such orders."""
    linked = resolution.action is Action.LINK
    local = tx.roster.get(resolution.local_key) if linked else None
    return coercion.import_order(local.visits, site.policy) if local else None


def _named(tx: Transaction, site: Site, case: Case) -> tuple[tuple[int, Study], ...]:
    """The case's studies under the UIDs to send: new ones for what was taken back before."""
    found = tx.cases.studies(case.id)
    rejected = tx.recalls.rejected_uids(case.id)
    if not rejected or site.policy.recall.uids == "keep":
        return found
    named = coercion.renamed(tuple(study for _, study in found), rejected)
    return tuple((row, study) for (row, _), study in zip(found, named, strict=True))


def _routes(tx: Transaction, site: Site, study: Study, resolution: Resolution) -> tuple[Route, ...]:
    linked = resolution.action is Action.LINK
    patient = tx.roster.get(resolution.local_key) if linked else None
    return site.policy.routes_of(study, patient, site.now().date())


def _queue(
    tx: Transaction,
    site: Site,
    case: Case,
    found: tuple[int, Study],
    route: Route,
    earlier: list[int],
) -> None:
    row, study = found
    uid = study.study_instance_uid
    there = _there(tx, earlier, study, route.destination)
    parcel = Parcel(_positions(study, route.series), route.because, site.policy.hash)
    tx.deliveries.queue(case.id, row, uid, route.destination, _held(study), there, parcel)


def _positions(study: Study, series: frozenset[int]) -> frozenset[int]:
    """The instances of these series, by position in the study."""
    of_each = (n for n, each in enumerate(study.series) for _ in each.instances)
    return frozenset(position for position, n in enumerate(of_each) if n in series)


def _brought_in_before(tx: Transaction, case: Case, resolution: Resolution) -> list[int]:
    """Earlier cases whose scans were sent as this same patient's, in the same words: what was
    written under another name or number is another version, and is sent."""
    if resolution.action is not Action.LINK:
        return []
    sent = (CaseState.RELEASED, CaseState.DONE)
    return [
        each.id
        for each in tx.cases.resting_on((resolution.local_key,))
        if each.id != case.id
        and each.state in sent
        and each.resolution is not None
        and each.resolution.local == resolution.local
    ]


def _there(tx: Transaction, earlier: list[int], study: Study, destination: str) -> frozenset[int]:
    """By position in the study: the instances that were proved to be at the destination, byte for
    byte the same. They are not sent again, unless the proof finds them missing."""
    if not earlier:
        return frozenset()
    proved = tx.deliveries.proved_before(earlier, study.study_instance_uid, destination)
    return frozenset(
        position
        for position, each in enumerate(study.instances)
        if (each.sop_instance_uid, each.sha256) in proved
    )


def _resolution_now(
    tx: Transaction, site: Site, case: Case, resolution: Resolution
) -> tuple[Resolution, str]:
    if resolution.action is Action.IMPORT_ONLY:
        otherwise = f"{tx.intakes.get(case.intake).ticket}-{case.id}"
        made = coercion.unregistered(case.stated, otherwise, site.policy)
        return replace(resolution, local=made), ""
    local = tx.roster.survivor(resolution.local_key)
    if local is None or local.status is not PatientStatus.ACTIVE:
        return resolution, "The local record was closed or put on hold after it was chosen."
    written = coercion.for_writing(local.identity, site.policy)
    return replace(resolution, local=written, local_key=local.key), ""


def _conflicting(study: Study) -> bool:
    """Whether two different images state one SOP Instance UID: one of them gets a new one."""
    return any(uid.why == "conflict" for uid in study.uids)


def _held(study: Study) -> dict[int, Held]:
    """By position in the study: the instances that are not sent, and why."""
    held = {}
    for position, each in enumerate(study.instances):
        if each.status is not InstanceStatus.OK:
            damaged = each.status is InstanceStatus.DAMAGED
            held[position] = Held(DAMAGED if damaged else UNSUPPORTED)
    return held
