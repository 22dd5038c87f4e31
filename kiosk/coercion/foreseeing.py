"""A plan in words: every change that `apply` will make in the headers of a study, and in how many
of them, from what a survey found there. What HIM is shown is this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from kiosk.coercion.encoding import charsets
from kiosk.coercion.provenance import ISSUER, PATIENT_ID
from kiosk.coercion.recoding import CHARSET
from kiosk.coercion.rewriting import (
    GUESSED,
    ORIGINAL,
    OTHER_IDS,
    SERIES,
    SOP_INSTANCE,
    STUDY,
    turns_to_utf8,
)
from kiosk.coercion.wording import change, describe
from kiosk.model.content import InstanceStatus, Said, Study
from kiosk.model.delivery import Attribute, Change, Plan

ROWS = 500  # a disc with more kinds of damage than that is read no further by people


def foreseen(plan: Plan, study: Study) -> tuple[Change, ...]:
    """The changes in the order of their tags; those of a study that was not surveyed only as far
    as the catalog knows its values."""
    said = _said(study)
    sent = max(1, sum(i.status is InstanceStatus.OK for i in study.instances))
    rows = [
        row
        for a in plan.attributes
        for row in _replaced(a, said.get(a.tag, (Said(a.tag, "", sent),)))
    ]
    to_utf8 = list(_to_utf8(plan, said.get(CHARSET, ())))
    rows += to_utf8
    rows += _mended(study, {a.tag for a in plan.attributes}, bool(to_utf8))
    rows += _renamed(study)
    rows += _appended(plan, said, rows, sent)
    return tuple(sorted(rows, key=lambda row: (row.tag, row.was))[:ROWS])


def _said(study: Study) -> dict[int, tuple[Said, ...]]:
    found: dict[int, tuple[Said, ...]] = {}
    for each in study.said:
        found[each.tag] = (*found.get(each.tag, ()), each)
    return found


def _replaced(a: Attribute, said: Iterable[Said]) -> Iterator[Change]:
    now = describe(a)
    for each in said:
        if each.text != now:
            yield change(a.tag, each.text, now, each.instances)


def _to_utf8(plan: Plan, said: Iterable[Said]) -> Iterator[Change]:
    for each in said:
        if turns_to_utf8(plan, charsets.terms(each.text.encode("ascii", "replace"))):
            yield change(CHARSET, each.text, charsets.UTF8, each.instances)


def _mended(study: Study, planned: set[int], to_utf8: bool) -> Iterator[Change]:
    places = {f"({tag >> 16:04x},{tag & 0xFFFF:04x})" for tag in planned}
    for each in study.mended:
        if each.now == GUESSED[1] and not to_utf8:
            continue
        if each.place[:11] not in places:
            yield Change(each.place, each.keyword, each.was, each.now, each.instances)


def _renamed(study: Study) -> Iterator[Change]:
    """The UIDs of a study that an archive has rejected."""
    was = {u.now: u.was for u in study.uids if u.why == "rejected"}
    sent = [i for i in study.instances if i.status is InstanceStatus.OK]
    if (uid := study.study_instance_uid) in was:
        yield change(STUDY, was[uid], uid, len(sent))
    for series in study.series:
        if (uid := series.series_instance_uid) in was:
            yield change(SERIES, was[uid], uid, len(series.instances))
    for each in sent:
        if each.sop_instance_uid in was:
            yield change(SOP_INSTANCE, was[each.sop_instance_uid], each.sop_instance_uid)


def _appended(
    plan: Plan, said: dict[int, tuple[Said, ...]], rows: list[Change], sent: int
) -> Iterator[Change]:
    """The sequences that get an item: the equipment's always, the old values' where any value
    changes, the stated number's where it is another one."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.tag] += row.instances
    for a in plan.appended:
        touched = max(counts.values(), default=0) if a.tag == ORIGINAL else sent
        if touched:
            yield change(a.tag, "", "one item more", min(touched, sent))
    if plan.keep_stated_id and (others := _other_numbers(plan, said)):
        yield change(OTHER_IDS, "", "one item more", others)


def _other_numbers(plan: Plan, said: dict[int, tuple[Said, ...]]) -> int:
    written = {a.tag: a.value for a in plan.attributes}
    numbers, issuers = said.get(PATIENT_ID, ()), said.get(ISSUER, ())
    other = sum(n.instances for n in numbers if n.text not in ("", written.get(PATIENT_ID)))
    of_others = sum(i.instances for i in issuers if i.text not in ("", written.get(ISSUER)))
    same = sum(n.instances for n in numbers if n.text == written.get(PATIENT_ID))
    return other + min(same, of_others)
