"""The catalog of a medium, completed for what coercion has to know before anything is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kiosk.coercion.applying import EXPANDED
from kiosk.coercion.documents import attached
from kiosk.coercion.encoding.elements import Malformed
from kiosk.coercion.encoding.mending import valid_uid
from kiosk.coercion.encoding.uids import made_uid
from kiosk.coercion.preparing.expanding import expanded
from kiosk.coercion.preparing.survey import Survey, pixels_of, survey, values_of
from kiosk.coercion.recoding import Privates
from kiosk.coercion.rewriting import series_uid_for
from kiosk.model.content import (
    Catalog,
    Finding,
    Instance,
    InstanceStatus,
    Mended,
    NewUid,
    Series,
    Severity,
    StatedPatient,
    Study,
)
from kiosk.model.delivery import CoercionRefused
from kiosk.model.medium import staged_name
from kiosk.policy.sections import Coercion, Limits

UNIQUE = 20  # characters: a shorter UID that is none may be on many discs


def prepare(
    folder: Path,
    catalog: Catalog,
    coercion: Coercion,
    limits: Limits,
    report: Callable[[int], None] = lambda _done: None,
) -> Catalog:
    """`catalog` with each instance's pixel hash, what the headers of each study say and break, and
    the UIDs that cannot stay replaced: the instance, series and study UIDs are those that will be
    sent. Deflated and big endian files are written anew beside the staged ones, and reports as
    DICOM objects of the studies that they belong to.

    The same for the same medium, however often it runs. What cannot be done ends in a finding;
    `apply` then refuses that instance. `report` is told how many instances were looked at.
    """
    privates = Privates(coercion.private_elements != "keep", frozenset(_listed(coercion)))
    look = _Look(folder, privates, limits, report)
    whole = attached(folder, catalog, coercion.attachments)
    patients = tuple(look.patient(patient) for patient in whole.patients)
    new = {
        stated.study_instance_uid: study.study_instance_uid
        for patient, now in zip(whole.patients, patients, strict=True)
        for stated, study in zip(patient.studies, now.studies, strict=True)
    }
    return replace(
        whole,
        patients=patients,
        findings=(*whole.findings, *look.findings),
        attachments=tuple(replace(a, study=new.get(a.study, "")) for a in whole.attachments),
    )


def _listed(coercion: Coercion) -> tuple[str, ...]:
    return coercion.private_creators if coercion.private_elements == "listed" else ()


@dataclass(slots=True)
class _Look:
    folder: Path
    privates: Privates
    limits: Limits
    report: Callable[[int], None]
    done: int = 0
    findings: list[Finding] = field(default_factory=list)

    def patient(self, patient: StatedPatient) -> StatedPatient:
        surveys = [Survey() for _ in patient.studies]
        studies = [
            _each(study, lambda i, s=s: self._instance(i, s))  # type: ignore[misc]
            for study, s in zip(patient.studies, surveys, strict=True)
        ]
        conflicts = _conflicts(studies)
        bad = {uid for s in surveys for _, _, text in s.bad_uids for uid in values_of(text)}
        uids = (*_invalid(patient, studies, bad), *conflicts)
        return replace(
            patient,
            studies=tuple(
                _finished(study, _named(study, uids, patient), s, uids)
                for study, s in zip(studies, surveys, strict=True)
            ),
        )

    def _instance(self, instance: Instance, into: Survey) -> Instance:
        self.done += 1
        self.report(self.done)
        if instance.status is not InstanceStatus.OK:
            return instance
        try:
            if instance.transfer_syntax_uid in EXPANDED:
                instance = expanded(self.folder, instance, self.limits.file_bytes)
            source = self.folder / staged_name(instance.file)
            survey(source, instance, self.privates, into)
            return replace(instance, pixels=pixels_of(source, instance))
        except (Malformed, CoercionRefused, OSError) as e:
            said = e.strerror if isinstance(e, OSError) else str(e)
            detail = f"Its header cannot be changed without risk ({said}). It will be held."
            self.findings.append(
                Finding("header-unchangeable", Severity.WARNING, instance.path, detail)
            )
            return instance


def _each(study: Study, change: Callable[[Instance], Instance]) -> Study:
    series = tuple(
        replace(one, instances=tuple(map(change, one.instances))) for one in study.series
    )
    return replace(study, series=series)


# -- UIDs ------------------------------------------------------------------------------------------


def _conflicts(studies: Iterable[Study]) -> tuple[NewUid, ...]:
    """Of different instances under one SOP Instance UID the one with the least hash keeps it: the
    same one on every disc."""
    files: dict[str, set[str]] = {}
    for study in studies:
        for each in study.instances:
            if each.status is InstanceStatus.OK and each.sop_instance_uid:
                files.setdefault(each.sop_instance_uid, set()).add(each.sha256)
    return tuple(
        NewUid(uid, made_uid("instance", uid, sha256), "conflict", sha256)
        for uid, found in files.items()
        for sha256 in sorted(found)[1:]
    )


def _invalid(
    patient: StatedPatient, studies: Iterable[Study], bad: Iterable[str]
) -> tuple[NewUid, ...]:
    own = {
        uid
        for study in studies
        for uid in (
            study.study_instance_uid,
            *(s.series_instance_uid for s in study.series),
            *(i.sop_instance_uid for i in study.instances),
        )
    }
    none = sorted(uid for uid in {*own, *bad} if uid and not valid_uid(uid))
    return tuple(NewUid(uid, made_uid("uid", uid, *_salt(uid, patient)), "invalid") for uid in none)


def _salt(uid: str, patient: StatedPatient) -> tuple[str, ...]:
    """What keeps apart the many studies that are called `1`: whose it is and what is in it."""
    if len(uid) >= UNIQUE:
        return ()
    identity = patient.identity
    content = sorted(i.sha256 for i in patient.instances)
    return (str(identity.identifier), identity.name.to_dicom(), identity.birth_date, *content)


def _named(study: Study, uids: Iterable[NewUid], patient: StatedPatient) -> Study:
    """The study under the UIDs that will be sent."""
    everywhere = {u.was: u.now for u in uids if u.why == "invalid"}
    alone = {(u.was, u.sha256): u.now for u in uids if u.why == "conflict"}
    uid = study.study_instance_uid or made_uid("study", *_salt("", patient))
    uid = everywhere.get(uid, uid)

    def instance(one: Instance) -> Instance:
        stated = one.sop_instance_uid
        if one.status is not InstanceStatus.OK:
            return one
        new = alone.get((stated, one.sha256)) or everywhere.get(stated, stated)
        return replace(one, sop_instance_uid=new or made_uid("instance", one.sha256))

    series = tuple(_series(one, uid, everywhere, instance) for one in study.series)
    return replace(study, study_instance_uid=uid, series=series)


def _series(
    series: Series,
    study_uid: str,
    everywhere: Mapping[str, str],
    instance: Callable[[Instance], Instance],
) -> Series:
    uid = series.series_instance_uid or series_uid_for(study_uid)
    return replace(
        series,
        series_instance_uid=everywhere.get(uid, uid),
        instances=tuple(map(instance, series.instances)),
    )


def _finished(was: Study, now: Study, found: Survey, uids: tuple[NewUid, ...]) -> Study:
    new = {u.was: u.now for u in uids if u.why == "invalid"}
    rows = [*found.mended(), *_replaced(found, new), *_given(was, now, new)]
    return replace(now, said=found.lines(), mended=tuple(rows), uids=uids)


def _replaced(found: Survey, new: Mapping[str, str]) -> Iterator[Mended]:
    """UIDs that are none, wherever they stand."""
    for (place, keyword, text), count in sorted(found.bad_uids.items()):
        now = "\\".join(new.get(uid, uid) for uid in values_of(text))
        yield Mended(place, keyword, text, now, count)


def _given(was: Study, now: Study, new: Mapping[str, str]) -> Iterator[Mended]:
    """UIDs that single instances get because they have none, or another's."""
    count = sum(i.status is InstanceStatus.OK for i in was.instances)
    if not was.study_instance_uid:
        yield Mended("(0020,000d)", "StudyInstanceUID", "", now.study_instance_uid, count)
    for before, after in zip(was.series, now.series, strict=True):
        if not before.series_instance_uid:
            uid, count = after.series_instance_uid, len(before.instances)
            yield Mended("(0020,000e)", "SeriesInstanceUID", "", uid, count)
    for one, other in zip(was.instances, now.instances, strict=True):
        stated, uid = one.sop_instance_uid, other.sop_instance_uid
        if one.status is InstanceStatus.OK and new.get(stated, stated) != uid:
            yield Mended("(0008,0018)", "SOPInstanceUID", stated, uid, 1)
