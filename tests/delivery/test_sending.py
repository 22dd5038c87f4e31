"""Sending to real archives: what was coerced arrives, byte for byte, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    generate_uid,
)

from kiosk.coercion import transcoded
from kiosk.delivery import send
from kiosk.model.delivery import (
    Answer,
    Attempt,
    Change,
    Coerced,
    CoercionRefused,
    InstanceResult,
    Outbound,
)
from tests.delivery.instances import CALLING, destination, outbound, sent_data_sets
from tests.peers.dcmqrscp import dcmqrscp
from tests.peers.orthanc import Orthanc
from tests.peers.scripted import Conversation, scripted
from tests.peers.storescp import StoreScp, storescp

NEVER: Callable[[], bool] = lambda: False  # noqa: E731


def nobody(result: InstanceResult) -> None:
    """A report that nobody reads."""


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[StoreScp]:
    with storescp(tmp_path) as running:
        yield running


def every_kind(folder: Path, study: str) -> list[Outbound]:
    return [
        outbound(folder, study=study),
        outbound(folder, study=study, pixels=3_000_001),
        outbound(folder, study=study, syntax=ImplicitVRLittleEndian),
        outbound(folder, study=study, syntax=JPEGBaseline8Bit, pixels=70_000),
        outbound(folder, study=study, syntax=RLELossless),
        outbound(folder, study=study, PatientName="Pröbe^Ânna=山田^太郎"),
    ]


def all_accepted(attempt: Attempt) -> bool:
    answers = {result.answer for result in attempt.results}
    return answers == {Answer.ACCEPTED} and attempt.problem == "" and not attempt.retry


def test_every_kind_of_instance_reaches_storescp_byte_for_byte(
    peer: StoreScp, tmp_path: Path
) -> None:
    originals = tmp_path / "originals"
    originals.mkdir()
    items = every_kind(originals, generate_uid())
    told: list[InstanceResult] = []
    attempt = send(destination(peer), CALLING, items, told.append, NEVER)
    assert all_accepted(attempt)
    assert told == list(attempt.results)
    assert peer.data_sets() == sent_data_sets(items)
    assert attempt.bytes == sum(len(data) for data in sent_data_sets(items).values())


def test_every_kind_of_instance_reaches_orthanc_byte_for_byte(
    archive: Orthanc, tmp_path: Path
) -> None:
    study = generate_uid()
    items = every_kind(tmp_path, study)
    assert all_accepted(send(destination(archive), CALLING, items, nobody, NEVER))
    assert archive.data_sets(study) == sent_data_sets(items)


def test_sending_again_changes_nothing_at_the_archive(archive: Orthanc, tmp_path: Path) -> None:
    study = generate_uid()
    items = every_kind(tmp_path, study)
    for _ in range(2):
        assert all_accepted(send(destination(archive), CALLING, items, nobody, NEVER))
    assert archive.data_sets(study) == sent_data_sets(items)


def test_a_syntax_that_the_archive_does_not_take_refuses_only_its_instances(
    tmp_path: Path,
) -> None:
    items = [outbound(tmp_path), outbound(tmp_path, syntax=JPEGBaseline8Bit), outbound(tmp_path)]
    with dcmqrscp(tmp_path) as peer:
        attempt = send(destination(peer), CALLING, items, nobody, NEVER)
    answers = [r.answer for r in attempt.results]
    assert answers == [Answer.ACCEPTED, Answer.REFUSED, Answer.ACCEPTED]
    assert attempt.results[1].comment == (
        "the archive does not take CT Image Storage encoded as JPEG Baseline (Process 1)"
    )


def test_an_archive_that_takes_implicit_only_is_sent_the_same_without_vrs(tmp_path: Path) -> None:
    """Header and pixel head are encoded anew, values and pixels are the same bytes."""
    items = [
        replace(outbound(tmp_path, pixels=pixels), transcode=transcoded)
        for pixels in (2048, 5_000_000)
    ]
    items.append(outbound(tmp_path, syntax=ImplicitVRLittleEndian))
    with storescp(tmp_path, "+xi") as peer:
        attempt = send(destination(peer), CALLING, items, nobody, NEVER)
        assert [r.answer for r in attempt.results] == [Answer.ACCEPTED] * 3
        got = {uid: dcmread(path) for uid, path in peer.files().items()}
    for item in items:
        found, sent = got[item.sop_instance_uid], read(item.coerce())
        assert found.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
        assert found.PixelData == sent.PixelData
        assert found.to_json_dict() == sent.to_json_dict()


def read(coerced: Coerced) -> Dataset:
    tail = coerced.tail.read_bytes()[coerced.tail_offset :][: coerced.tail_length]
    return dcmread(BytesIO(coerced.meta + coerced.header + tail))


def test_more_than_128_presentation_contexts_take_several_associations(tmp_path: Path) -> None:
    syntaxes = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(1, 101)]
    items = [outbound(tmp_path, sop_class=c, syntax=s) for c in classes for s in syntaxes]
    with scripted() as peer:
        attempt = send(destination(peer), CALLING, items, nobody, NEVER)
        assert {r.answer for r in attempt.results} == {Answer.ACCEPTED}
        assert sorted(peer.received) == sorted(item.sop_instance_uid for item in items)
        assert peer.associations == 2


def test_an_instance_whose_context_is_in_two_batches_is_sent_once(tmp_path: Path) -> None:
    """64 classes fill an association; a 65th syntax of the first class comes in the next."""
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(1, 65)]
    items = [outbound(tmp_path, sop_class=c) for c in classes]
    items += [outbound(tmp_path, sop_class=classes[0], syntax=JPEGBaseline8Bit)]
    items += [outbound(tmp_path, sop_class=classes[0], syntax=ImplicitVRLittleEndian)]
    with scripted() as peer:
        send(destination(peer), CALLING, items, nobody, NEVER)
        assert sorted(peer.received) == sorted(item.sop_instance_uid for item in items)
        assert peer.associations == 2


@pytest.mark.parametrize("max_pdu", [200, 4096, 16_384, 131_072])
def test_no_pdu_is_longer_than_the_peer_allows(tmp_path: Path, max_pdu: int) -> None:
    items = [outbound(tmp_path, pixels=pixels) for pixels in (2, max_pdu, 300_000)]
    with scripted(max_pdu=max_pdu) as peer:
        attempt = send(destination(peer), CALLING, items, nobody, NEVER)
        assert {r.answer for r in attempt.results} == {Answer.ACCEPTED}
        assert max_pdu - 2 <= peer.longest_pdu <= max_pdu
        assert peer.bytes == attempt.bytes


def test_a_peer_without_a_limit_gets_pdus_no_longer_than_our_own_limit(tmp_path: Path) -> None:
    with scripted(max_pdu=0) as peer:
        send(destination(peer), CALLING, [outbound(tmp_path, pixels=3_000_000)], nobody, NEVER)
        assert 1_000_000 < peer.longest_pdu <= 1_048_576


def test_instances_are_coerced_when_their_turn_comes_and_one_ahead_at_most(tmp_path: Path) -> None:
    events: list[str] = []
    ready = [outbound(tmp_path) for _ in range(3)]

    def late(item: Outbound) -> Outbound:
        def coerce() -> Coerced:
            events.append("coerced")
            return item.coerce()

        return Outbound(item.sop_instance_uid, item.sop_class_uid, item.transfer_syntax_uid, coerce)

    with scripted() as peer:
        report: Callable[[InstanceResult], None] = lambda r: events.append(r.answer)  # noqa: E731
        send(destination(peer), CALLING, [late(item) for item in ready], report, NEVER)
    assert events == ["coerced", "coerced", "accepted", "coerced", "accepted", "accepted"]


def test_an_instance_that_cannot_be_coerced_is_held_and_the_rest_goes_on(
    peer: StoreScp, tmp_path: Path
) -> None:
    def refuse() -> Coerced:
        raise CoercionRefused("its character set cannot be kept")

    first, last = outbound(tmp_path), outbound(tmp_path)
    bad = Outbound("1.2.3", first.sop_class_uid, first.transfer_syntax_uid, refuse)
    attempt = send(destination(peer), CALLING, [first, bad, last], nobody, NEVER)
    assert [r.answer for r in attempt.results] == [Answer.ACCEPTED, Answer.HELD, Answer.ACCEPTED]
    assert attempt.results[1].comment == "its character set cannot be kept"
    assert set(peer.data_sets()) == {first.sop_instance_uid, last.sop_instance_uid}


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_staged_file_that_cannot_be_read_holds_its_instance_only(
    peer: StoreScp, tmp_path: Path, damage: str
) -> None:
    items = [outbound(tmp_path) for _ in range(3)]
    tail = items[1].coerce().tail
    tail.unlink()
    if damage == "short":
        tail.write_bytes(b"what the disc said before ")
    attempt = send(destination(peer), CALLING, items, nobody, NEVER)
    assert [r.answer for r in attempt.results] == [Answer.ACCEPTED, Answer.HELD, Answer.ACCEPTED]
    assert "staged file" in attempt.results[1].comment
    assert attempt.problem == ""


def test_an_instance_without_a_valid_uid_is_held(peer: StoreScp, tmp_path: Path) -> None:
    good = outbound(tmp_path)
    coerced = good.coerce()
    bad = Coerced(
        coerced.sop_class_uid, "not/a/uid", *[getattr(coerced, f) for f in FIELDS_AFTER_UID]
    )
    item = Outbound("not/a/uid", good.sop_class_uid, good.transfer_syntax_uid, lambda: bad)
    attempt = send(destination(peer), CALLING, [item, good], nobody, NEVER)
    assert [r.answer for r in attempt.results] == [Answer.HELD, Answer.ACCEPTED]


@pytest.mark.parametrize("what", ["sop_class_uid", "transfer_syntax_uid"])
@pytest.mark.parametrize("uid", ["", "1.2.é", "not a uid", "1" * 65, "1.2\\\\1.3", "1.2\0"])
def test_a_disc_cannot_break_the_association_by_its_uids(
    peer: StoreScp, tmp_path: Path, what: str, uid: str
) -> None:
    good = outbound(tmp_path)
    bad = replace(outbound(tmp_path), **{what: uid})
    attempt = send(destination(peer), CALLING, [bad, good], nobody, NEVER)
    assert [r.answer for r in attempt.results] == [Answer.HELD, Answer.ACCEPTED]


FIELDS_AFTER_UID = ("transfer_syntax_uid", "meta", "header", "tail", "tail_offset", "tail_length")


def test_the_changes_of_an_instance_come_back_with_its_answer(
    peer: StoreScp, tmp_path: Path
) -> None:
    item = outbound(tmp_path)
    coerced = item.coerce()
    changes = (Change("(0010,0020)", "PatientID", "was", "now"),)
    changed = Coerced(
        coerced.sop_class_uid,
        coerced.sop_instance_uid,
        *[getattr(coerced, f) for f in FIELDS_AFTER_UID],
        changes,
    )
    sent = Outbound(
        item.sop_instance_uid, item.sop_class_uid, item.transfer_syntax_uid, lambda: changed
    )
    attempt = send(destination(peer), CALLING, [sent], nobody, NEVER)
    assert attempt.results[0].changes == changes


def test_stopping_releases_in_order_and_leaves_the_rest_pending(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(5)]
    told: list[InstanceResult] = []
    with scripted() as peer:
        attempt = send(destination(peer), CALLING, items, told.append, lambda: len(told) == 2)
        answers = [r.answer for r in attempt.results]
        assert answers == [Answer.ACCEPTED] * 2 + [Answer.PENDING] * 3
        assert attempt.problem == ""
        rest = [i for i, r in zip(items, attempt.results, strict=True) if r.answer == "pending"]
        again = send(destination(peer), CALLING, rest, told.append, NEVER)
        assert {r.answer for r in again.results} == {Answer.ACCEPTED}
        assert peer.received == [item.sop_instance_uid for item in items]
    assert peer.said.count(RELEASE_RQ) == 2


RELEASE_RQ, ABORT = 5, 7


def test_several_associations_share_the_work_and_report_one_at_a_time(
    peer: StoreScp, tmp_path: Path
) -> None:
    originals = tmp_path / "originals"
    originals.mkdir()
    items = [outbound(originals) for _ in range(40)]
    told: list[str] = []
    to = destination(peer, associations=4)
    attempt = send(to, CALLING, items, lambda r: told.append(r.sop_instance_uid), NEVER)
    assert {r.answer for r in attempt.results} == {Answer.ACCEPTED}
    assert sorted(told) == sorted(item.sop_instance_uid for item in items)
    assert peer.data_sets() == sent_data_sets(items)


def test_nothing_to_send_is_no_attempt_at_the_network(tmp_path: Path) -> None:
    with scripted() as peer:
        attempt = send(destination(peer), CALLING, [], nobody, NEVER)
        assert attempt.results == ()
        assert attempt.problem == ""
        assert peer.associations == 0


def test_a_file_that_ends_while_it_is_sent_is_held_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Half of the instance is out: only an abort ends that; the next has its own association."""
    items = [outbound(tmp_path, pixels=pixels) for pixels in (100, 30_000_000, 100)]
    tail = items[1].coerce().tail

    def cut(number: int, conversation: Conversation) -> None:
        if number == 2 and tail.stat().st_size > 1000:
            os.truncate(tail, 1000)

    with scripted(midway=cut) as peer:
        attempt = send(destination(peer), CALLING, items, nobody, NEVER)
        assert peer.received == [items[0].sop_instance_uid, items[2].sop_instance_uid]
    assert [r.answer for r in attempt.results] == [Answer.ACCEPTED, Answer.HELD, Answer.ACCEPTED]
    assert "shorter" in attempt.results[1].comment
    assert ABORT in peer.said
