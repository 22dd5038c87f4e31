"""STOW-RS: byte for byte to a real archive, and the right answer to every kind of reply."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import JPEGBaseline8Bit, generate_uid

from kiosk.delivery import echo, send, verify
from kiosk.delivery.dicomweb.exchange import MAX_REPLY, Reply
from kiosk.delivery.dicomweb.stow import judge
from kiosk.model.delivery import Answer, Attempt, Outbound
from kiosk.policy.sections import Destination
from tests.delivery.instances import CALLING, EXPECTED, destination, outbound, sent_data_sets
from tests.peers.orthanc import Orthanc
from tests.peers.web import Handler, Web, web

A, P, R, X = Answer.ACCEPTED, Answer.PENDING, Answer.RETRY, Answer.REFUSED


def never() -> bool:
    return False


def at(peer: Web, **settings: object) -> Destination:
    return destination(peer, **({"kind": "stow", "url": peer.url} | settings))


def attempt_at(peer: Web, items: list[Outbound], **settings: object) -> Attempt:
    return send(at(peer, **settings), CALLING, items, lambda r: None, never)


def answers(attempt: Attempt) -> list[Answer]:
    return [result.answer for result in attempt.results]


def instance_uid(handler: Handler) -> str:
    """The (0008,0018) of what was posted: explicit VR little endian."""
    body = handler.web.requests[-1][2]
    start = body.index(b"\x08\x00\x18\x00UI")
    length = int.from_bytes(body[start + 6 : start + 8], "little")
    return body[start + 8 : start + 8 + length].rstrip(b"\0").decode()


def stored(uid: str, warning: int | None = None) -> dict[str, Any]:
    item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}}
    if warning is not None:
        item["00081196"] = {"vr": "US", "Value": [warning]}
    return {"00081199": {"vr": "SQ", "Value": [item]}}


def failed(uid: str, reason: int) -> dict[str, Any]:
    item = {
        "00081155": {"vr": "UI", "Value": [uid]},
        "00081197": {"vr": "US", "Value": [reason]},
    }
    return {"00081198": {"vr": "SQ", "Value": [item]}}


def test_every_kind_of_instance_reaches_orthanc_byte_for_byte(
    archive: Orthanc, tmp_path: Path
) -> None:
    study = generate_uid()
    items = [
        outbound(tmp_path, study=study),
        outbound(tmp_path, study=study, pixels=5_000_001),
        outbound(tmp_path, study=study, syntax=JPEGBaseline8Bit, pixels=70_000),
        outbound(tmp_path, study=study, PatientName="Pröbe^Ânna"),
    ]
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    to = destination(
        archive, kind="stow", url=archive.url, username="kiosk", password_file=password
    )
    told: list[object] = []
    attempt = send(to, CALLING, items, told.append, never)
    assert answers(attempt) == [A] * 4
    assert told == list(attempt.results)
    assert attempt.problem == ""
    assert archive.data_sets(study) == sent_data_sets(items)


def test_the_body_is_one_part_with_the_file_as_coerced(tmp_path: Path) -> None:
    item = outbound(tmp_path)
    coerced = item.coerce()
    with web(lambda h: h.answer_json(200, stored(instance_uid(h)))) as peer:
        assert answers(attempt_at(peer, [item])) == [A]
        method, path, body = peer.requests[0]
    assert (method, path) == ("POST", "/dicom-web/studies")
    boundary = body.split(b"\r\n", 1)[0]
    head, part = body.split(b"\r\n\r\n", 1)
    assert head == boundary + b"\r\nContent-Type: application/dicom"
    data_set = sent_data_sets([item])[item.sop_instance_uid]
    assert part == coerced.meta + data_set + b"\r\n" + boundary + b"--\r\n"


MODULES = [
    (200, lambda uid: stored(uid), A, 0),
    (200, lambda uid: stored(uid, 0xB000), A, 0xB000),
    (202, lambda uid: stored(uid, 0xB006), A, 0xB006),
    (409, lambda uid: failed(uid, 0xA900), X, 0xA900),
    (409, lambda uid: failed(uid, 0xC122), X, 0xC122),
    (409, lambda uid: failed(uid, 0xA700), R, 0xA700),
    (409, lambda uid: failed(uid, 0x0110), R, 0x0110),
    (409, lambda uid: failed(uid, 0x0122), Answer.REFUSED, 0x0122),
    (200, lambda uid: failed(uid, 0xA900), X, 0xA900),
    (202, lambda uid: failed(uid, 0x0124), P, 0x0124),
    (202, lambda uid: None, A, 202),
    (409, lambda uid: None, X, 409),
    (200, lambda uid: stored("1.2.3"), R, 200),
    (200, lambda uid: [], R, 200),
    (413, lambda uid: None, X, 413),
    (400, lambda uid: None, X, 400),
    (415, lambda uid: None, X, 415),
    (401, lambda uid: None, P, 401),
    (403, lambda uid: None, P, 403),
    (404, lambda uid: None, P, 404),
    (429, lambda uid: None, P, 429),
    (503, lambda uid: None, P, 503),
    (500, lambda uid: None, R, 500),
    (302, lambda uid: None, P, 302),
]


@pytest.mark.parametrize(("status", "module", "answer", "code"), MODULES)
def test_the_response_module_counts_before_the_http_status(
    status: int, module: Callable[[str], Any], answer: Answer, code: int
) -> None:
    reaction, said, _ = judge(Reply(status, module("1.2.840.1")), "1.2.840.1")
    assert (reaction.answer, said) == (answer, code)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["00081198", "00081199", "00081155", "00081197", "Value", "vr"]), inner
        )
    ),
    max_leaves=20,
)


@given(st.integers(100, 599), JSON)
def test_no_reply_makes_judging_raise(status: int, untrusted: Any) -> None:
    reaction, _, _ = judge(Reply(status, untrusted), "1.2.3")
    assert reaction.answer is not Answer.VERIFIED


def test_one_refused_instance_does_not_fail_the_rest(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(3)]

    def respond(handler: Handler) -> None:
        uid = instance_uid(handler)
        if uid == items[1].sop_instance_uid:
            handler.answer_json(409, failed(uid, 0xA900))
        else:
            handler.answer_json(200, stored(uid))

    with web(respond) as peer:
        attempt = attempt_at(peer, items)
    assert answers(attempt) == [A, X, A]
    assert attempt.problem == ""


@pytest.mark.parametrize(
    ("status", "retry_after", "waits"),
    [(503, "120", 120.0), (429, "7", 7.0), (503, "99999999", 3600.0), (503, "tomorrow", 0.0)],
)
def test_a_server_that_asks_for_time_is_given_it(
    tmp_path: Path, status: int, retry_after: str, waits: float
) -> None:
    items = [outbound(tmp_path) for _ in range(3)]
    with web(lambda h: h.answer(status, Retry_After=retry_after)) as peer:
        attempt = attempt_at(peer, items)
        assert len(peer.requests) == 1
    assert answers(attempt) == [P, P, P]
    assert (attempt.pause, attempt.retry, attempt.wait_seconds) == (True, True, waits)


@pytest.mark.parametrize("status", [401, 403, 404, 301, 307])
def test_a_wrong_configuration_stops_the_destination_and_blames_no_instance(
    tmp_path: Path, status: int
) -> None:
    with web(lambda h: h.answer(status, Location="http://198.51.100.1/")) as peer:
        attempt = attempt_at(peer, [outbound(tmp_path), outbound(tmp_path)])
        assert len(peer.requests) == 1
        assert str(status) in echo(at(peer), CALLING)
    assert answers(attempt) == [P, P]
    assert (attempt.pause, attempt.retry) == (True, False)
    assert str(status) in attempt.problem


def test_three_unreadable_answers_in_a_row_stop_the_attempt(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(6)]
    with web(lambda h: h.answer(200, b"<html>Please log in</html>")) as peer:
        attempt = attempt_at(peer, items)
    assert answers(attempt) == [R, R, R, P, P, P]
    assert attempt.pause


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(10 * MAX_REPLY))
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(bytes(1_000_000))


def dribbling(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.web.over.wait(0.05):  # the server's slowness itself
        handler.wfile.write(b" ")


def silent(handler: Handler) -> None:
    handler.web.over.wait()
    handler.close_connection = True


def hangs_up(handler: Handler) -> None:
    handler.connection.close()
    handler.close_connection = True


@pytest.mark.parametrize("respond", [endless, dribbling, silent, hangs_up])
def test_a_reply_without_end_or_none_is_an_unknown_outcome(
    tmp_path: Path, respond: Callable[[Handler], None], capfd: pytest.CaptureFixture[str]
) -> None:
    items = [outbound(tmp_path) for _ in range(6)]
    with web(respond) as peer:
        attempt = attempt_at(peer, items, answer_seconds=0.5)
        found = verify(at(peer, answer_seconds=0.5), CALLING, generate_uid(), EXPECTED)
    assert answers(attempt)[0] is R
    assert answers(attempt)[-1] is P
    assert attempt.pause
    assert found.problem


def test_a_compressed_reply_is_not_decompressed(tmp_path: Path) -> None:
    item = outbound(tmp_path)
    reply = gzip.compress(json.dumps(stored(item.sop_instance_uid)).encode())
    with web(lambda h: h.answer(200, reply, Content_Encoding="gzip")) as peer:
        assert answers(attempt_at(peer, [item])) == [R]


def test_a_closed_port_leaves_everything_pending(tmp_path: Path) -> None:
    with web(silent) as peer:
        pass
    attempt = attempt_at(peer, [outbound(tmp_path)])
    assert answers(attempt) == [P]
    assert (attempt.pause, attempt.retry) == (True, True)
    assert "cannot be reached (Connection refused)" in attempt.problem


def test_a_password_does_not_travel_in_plain_text(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret")
    to = Destination(
        name="web",
        kind="stow",
        url="http://archive.example/dicom-web",
        username="kiosk",
        password_file=password,
    )
    assert "plain HTTP" in echo(to, CALLING)
    attempt = send(to, CALLING, [outbound(tmp_path)], lambda r: None, never)
    assert answers(attempt) == [P]
    assert not attempt.retry


@pytest.mark.parametrize(
    "settings",
    [
        {"url": ""},
        {"url": "ftp://x"},
        {"url": "http://[::"},
        {"username": "k", "password_file": "/no/file"},
    ],
)
def test_a_configuration_of_no_use_is_a_sentence(tmp_path: Path, settings: dict[str, str]) -> None:
    with web(silent) as peer:
        to = at(peer, **settings)
        assert echo(to, CALLING).endswith(".")
        attempt = send(to, CALLING, [outbound(tmp_path)], lambda r: None, never)
    assert answers(attempt) == [P]
    assert not attempt.retry


def test_the_environments_proxy_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    item = outbound(tmp_path)
    with web(lambda h: h.answer_json(200, stored(instance_uid(h)))) as peer:
        assert answers(attempt_at(peer, [item])) == [A]


def test_stopping_leaves_the_rest_pending(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(4)]
    told: list[object] = []
    with web(lambda h: h.answer_json(200, stored(instance_uid(h)))) as peer:
        attempt = send(at(peer), CALLING, items, told.append, lambda: len(told) == 2)
    assert answers(attempt) == [A, A, P, P]


def test_several_connections_share_the_work(tmp_path: Path) -> None:
    items = [outbound(tmp_path) for _ in range(20)]
    with web(lambda h: h.answer_json(200, stored(instance_uid(h)))) as peer:
        attempt = attempt_at(peer, items, associations=4)
        assert len(peer.requests) == 20
    assert answers(attempt) == [A] * 20


def many(number: int) -> list[dict[str, Any]]:
    return [{"00080018": {"vr": "UI", "Value": [f"1.2.{n}"]}} for n in range(number)]


def test_a_long_answer_is_asked_for_page_by_page() -> None:
    """Servers cut long answers (PS3.18 8.3.4.4)."""
    instances = many(2500)

    def respond(handler: Handler) -> None:
        if "/instances?" not in handler.path:
            handler.answer_json(200, [])
            return
        query = dict(part.split("=") for part in handler.path.partition("?")[2].split("&"))
        start, limit = int(query["offset"]), int(query["limit"])
        handler.answer_json(200, instances[start : start + min(limit, 1000)])

    with web(respond) as peer:
        found = verify(at(peer), CALLING, "1.2.3", EXPECTED)
    assert found.problem == ""
    assert len(found.present) == 2500


def test_a_server_that_ignores_paging_is_asked_no_further() -> None:
    with web(lambda h: h.answer_json(200, many(1000) if "instances" in h.path else [])) as peer:
        found = verify(at(peer), CALLING, "1.2.3", EXPECTED)
    assert len(found.present) == 1000
    assert found.problem == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[[[[",
        b'{"a": 1}',
        b"[" * 200_000,
        b"[1, null, {}]",
        b'[{"00080018": {"Value": [{}]}}]',
    ],
)
def test_an_answer_that_is_no_list_of_matches_never_raises(body: bytes) -> None:
    with web(lambda h: h.answer(200, body)) as peer:
        found = verify(at(peer), CALLING, "1.2.3", EXPECTED)
    assert found.present == frozenset()
    assert found.problem or found.differences
