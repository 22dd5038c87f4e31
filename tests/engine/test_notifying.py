"""Those who must know are told once, in order, of what was proved and not before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiosk.engine.parts import Site
from kiosk.engine.telling import Notifier
from kiosk.policy import Condition, Receiver
from kiosk.policy.sections import Destination
from tests.engine.conftest import ARCHIBALD, PETER, Station, policy_for
from tests.peers.orthanc import orthanc
from tests.peers.web import Handler, web


@contextmanager
def hook(folder: Path, *statuses: int) -> Iterator[tuple[Receiver, list[dict[str, Any]]]]:
    """A webhook's receiver that answers with `statuses` in turn, then 204; and what it took."""
    key = folder / "key"
    key.write_text("sesame")
    left, taken = list(statuses), []

    def respond(handler: Handler) -> None:
        status = left.pop(0) if left else 204
        if status == 204:
            taken.append(json.loads(handler.web.requests[-1][2]))
        handler.answer(status)

    with web(respond) as server:
        receiver = Receiver(
            name="HOOK",
            kind="webhook",
            url=server.url,
            secret_file=key,
            of=("available", "held", "recalled"),
        )
        yield receiver, taken


def archive_at(port: int, ae_title: str) -> Destination:
    return Destination(name="A", port=port, ae_title=ae_title, commitment=False)


def notifier_of(here: Station, receiver: Receiver) -> Notifier:
    return Notifier(Site(here.rows, here.vault, here.policy, lambda: here.at), receiver)


def tell_all(notifier: Notifier) -> None:
    while notifier.tend():
        pass


def kinds(here: Station) -> list[str]:
    with here.rows.read() as tx:
        return [e.kind for e in tx.journal.since(0) if e.kind.startswith("notice.")]


def test_a_study_is_told_when_the_last_archive_has_it_and_once(
    tmp_path: Path, here: Station, known: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with orthanc(one) as first, orthanc(two) as second, hook(tmp_path) as (receiver, taken):
        here.use(
            policy_for(
                Destination(name="ONE", port=first.port, ae_title=first.ae_title, commitment=False),
                Destination(
                    name="TWO", port=second.port, ae_title=second.ae_title, commitment=False
                ),
            )
        )
        here.register()
        intake = here.insert(known)
        here.work()
        tell_all(notifier_of(here, receiver))
        tell_all(notifier_of(here, receiver))
    assert [(n["topic"], n["images"], n["expected"]) for n in taken] == [
        ("available", n["expected"], n["expected"]) for n in taken
    ]
    assert len(taken) == len({n["study_instance_uid"] for n in taken}) == 2
    assert sum(n["images"] for n in taken) == 7
    assert all(n["archives"] == ["ONE", "TWO"] for n in taken)
    assert len({n["id"] for n in taken}) == 2
    assert max(len(n["id"]) for n in taken) <= 20  # MSH-10 of HL7 v2.5.1
    resolution = here.case(intake).resolution
    assert resolution is not None
    assert resolution.local is not None
    assert taken[0]["patient"]["value"] == resolution.local.identifier.value
    assert kinds(here) == ["notice.sent"] * 2


def test_before_it_is_proved_nobody_is_told(here: Station, tmp_path: Path, known: Path) -> None:
    """The fixture's archive does not answer."""
    with hook(tmp_path) as (receiver, taken):
        here.register()
        here.insert(known)
        here.work()
        tell_all(notifier_of(here, receiver))
    assert taken == []


def test_who_was_never_told_of_a_study_hears_of_no_recall(
    here: Station, tmp_path: Path, known: Path
) -> None:
    """A note without what it takes back would only alarm."""
    with hook(tmp_path) as (receiver, taken):
        here.register()
        intake = here.insert(known)
        here.work()
        with here.rows.begin() as tx:
            tx.recall(here.case(intake), "113037", "lead", {"reason": "the wrong man"})
        tell_all(notifier_of(here, receiver))
    assert taken == []


def test_a_receiver_that_is_away_is_told_later_and_one_that_refuses_holds_up_nothing(
    tmp_path: Path, here: Station, known: Path, expected_logs: Callable[..., None]
) -> None:
    expected_logs("HOOK is not told", "HOOK refused a notice")
    (tmp_path / "orthanc").mkdir()
    with (
        orthanc(tmp_path / "orthanc") as archive,
        hook(tmp_path, 503, 422) as (receiver, taken),
    ):
        here.use(policy_for(archive_at(archive.port, archive.ae_title)))
        here.register()
        here.insert(known)
        here.work()
        notifier = notifier_of(here, receiver)
        tell_all(notifier)
        assert kinds(here) == []
        tell_all(notifier)  # not before its time
        assert kinds(here) == []
        here.pass_(seconds=2)
        tell_all(notifier)
    assert kinds(here) == ["notice.refused", "notice.sent"]
    assert len(taken) == 1


def test_a_new_receiver_is_not_told_of_old_discs(
    tmp_path: Path, here: Station, known: Path
) -> None:
    (tmp_path / "orthanc").mkdir()
    with orthanc(tmp_path / "orthanc") as archive, hook(tmp_path) as (receiver, taken):
        here.use(policy_for(archive_at(archive.port, archive.ae_title)))
        here.register()
        here.insert(known)
        here.work()
        notifier = notifier_of(here, receiver)
        notifier.begin()
        tell_all(notifier)
    assert taken == []


def test_who_hears_late_of_a_recall_hears_of_the_patient_and_the_studies_that_went_out(
    tmp_path: Path, here: Station, known: Path
) -> None:
    """The receiver was away until the scans had been taken back and sent as another man's."""
    (tmp_path / "orthanc").mkdir()
    with orthanc(tmp_path / "orthanc") as archive, hook(tmp_path) as (receiver, taken):
        here.use(policy_for(archive_at(archive.port, archive.ae_title)))
        here.register()
        intake = here.insert(known)
        here.work()
        tell_all(notifier_of(here, receiver))
        with here.rows.begin() as tx:
            tx.recall(here.case(intake), "113037", "lead", {"reason": "the wrong man"})
        here.work()
        here.decide(intake, PETER.number)
        here.work()
        tell_all(notifier_of(here, receiver))
    told = [(n["topic"], n["patient"]["value"], n["study_instance_uid"]) for n in taken]
    first, back, anew = told[:2], told[2:4], told[4:]
    assert {who for _, who, _ in first} == {ARCHIBALD.number}
    assert sorted(back) == sorted(("recalled", who, uid) for _, who, uid in first)
    assert {(topic, who) for topic, who, _ in anew} == {("available", PETER.number)}
    assert not {uid for *_, uid in anew} & {uid for *_, uid in first}
    assert all(n["archives"] == [] for n in taken[2:4])


def test_only_studies_that_fit_are_told(tmp_path: Path, here: Station, known: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    with orthanc(tmp_path / "orthanc") as archive, hook(tmp_path) as (receiver, taken):
        here.use(policy_for(archive_at(archive.port, archive.ae_title)))
        here.register()
        here.insert(known)
        here.work()
        none = receiver.model_copy(update={"name": "MG", "when": Condition(modality=("MG",))})
        tell_all(notifier_of(here, none))
        assert taken == []
        tell_all(notifier_of(here, receiver))
        assert len(taken) == 2
