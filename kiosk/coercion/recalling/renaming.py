"""New UIDs for what an archive has rejected and will not take again under the old ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kiosk.coercion.encoding.uids import made_uid
from kiosk.coercion.rewriting import series_uid_for
from kiosk.model.content import NewUid, Series, Study


def renamed(studies: tuple[Study, ...], rejected: Iterable[str]) -> tuple[Study, ...]:
    """A case's `studies`, those whose Study Instance UID is `rejected` under new UIDs of their own,
    their series and instances too. Every study keeps the whole map (`Study.uids`), so that each
    reference between them still leads where it led. The same UIDs always get the same new ones."""
    gone = frozenset(rejected)
    new = {
        uid: now
        for study in studies
        if study.study_instance_uid in gone
        for uid, now in _anew(study)
        if uid
    }
    return tuple(_renamed(study, new) for study in studies)


def _anew(study: Study) -> Iterable[tuple[str, str]]:
    """Each UID of the study with its new one. The series of images that state none is called by
    its study, whatever that is called."""
    uid = study.study_instance_uid
    now = made_uid("rejected", uid)
    yield uid, now
    for each in study.series:
        unnamed = each.series_instance_uid == series_uid_for(uid)
        own = each.series_instance_uid
        yield own, series_uid_for(now) if unnamed else made_uid("rejected", own)
        yield from (
            (i.sop_instance_uid, made_uid("rejected", i.sop_instance_uid)) for i in each.instances
        )


def _renamed(study: Study, new: dict[str, str]) -> Study:
    uid = study.study_instance_uid
    # A UID that had been replaced before is replaced by the newest one: headers state the first.
    before = tuple(replace(u, now=new.get(u.now, u.now)) for u in study.uids)
    after = tuple(NewUid(was, now, "rejected") for was, now in new.items())
    series = tuple(_series(each, new) for each in study.series)
    return replace(
        study, study_instance_uid=new.get(uid, uid), series=series, uids=(*before, *after)
    )


def _series(series: Series, new: dict[str, str]) -> Series:
    uid = series.series_instance_uid
    instances = tuple(
        replace(i, sop_instance_uid=new.get(i.sop_instance_uid, i.sop_instance_uid))
        for i in series.instances
    )
    return replace(series, series_instance_uid=new.get(uid, uid), instances=instances)
