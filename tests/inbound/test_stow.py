"""Scans sent by STOW-RS, from clients that others wrote and from hostile ones."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file

from kiosk import inbound
from kiosk.inbound.dicomweb.body import Body, Malformed, Multipart, TooLarge
from kiosk.policy.sections import Limits, Stow, Tls
from tests.inbound.senders import CT, J2K, MR, Station, made, memory, stow, uid_of
from tests.peers import require
from tests.peers.certificates import Authority

KIND = 'multipart/related; type="application/dicom"; boundary=frontier'
PATH = "/dicom-web/studies"


@pytest.fixture(autouse=True)
def _refusals_are_logged(expected_logs: Callable[..., None]) -> None:
    expected_logs("A request from .* was refused", "TLS failed", "cannot be kept")


def receiver(
    folder: Path, station: Station, settings: Stow | None = None, limits: Limits | None = None
) -> inbound.Receiver:
    return inbound.listen(settings or stow(), "KIOSK", limits or Limits(), folder, station)


def multipart(*parts: bytes) -> bytes:
    head = b"Content-Type: application/dicom\r\n\r\n"
    return b"".join(b"\r\n--frontier\r\n" + head + p for p in parts) + b"\r\n--frontier--\r\n"


def files(*paths: Path) -> bytes:
    return multipart(*(p.read_bytes() for p in paths))


def post(port: int, body: Any, path: str = PATH, **headers: str) -> httpx2.Response:
    sent = {"Content-Type": KIND} | {k.replace("_", "-"): v for k, v in headers.items()}
    with httpx2.Client(trust_env=False, timeout=20) as client:
        return client.post(f"http://127.0.0.1:{port}{path}", content=body, headers=sent)


def uids(answer: httpx2.Response, sequence: str) -> list[str]:
    items = answer.json().get(sequence, {}).get("Value", [])
    return [i["00081155"]["Value"][0] for i in items]


STORED, FAILED = "00081199", "00081198"


def test_what_is_posted_is_staged_bit_for_bit_and_answered_for_each(tmp_path: Path) -> None:
    station = Station()
    with receiver(tmp_path, station) as here:
        answer = post(here.port, files(CT, MR, J2K))
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/dicom+json"
        assert uids(answer, STORED) == [uid_of(p) for p in (CT, MR, J2K)]
        staged = station.files()
    for path in (CT, MR, J2K):
        assert staged[uid_of(path)].read_bytes() == path.read_bytes()
    assert station.arrived[0].filesystem == "stow"


def test_a_body_whose_length_nobody_knows_is_taken_in_chunks(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        body = files(CT, MR)
        for at in range(0, len(body), 999):
            yield body[at : at + 999]

    station = Station()
    with receiver(tmp_path, station) as here:
        assert post(here.port, pieces()).status_code == 200
        assert station.files().keys() == {uid_of(CT), uid_of(MR)}


@pytest.mark.peer("curl")
def test_curl_is_told_to_go_on_and_sends(tmp_path: Path) -> None:
    """It asks first (Expect: 100-continue), as curl does with large bodies."""
    station = Station()
    body = tmp_path / "body"
    body.write_bytes(files(CT, made(tmp_path, 3_000_000)))
    with receiver(tmp_path / "in", station) as here:
        url = f"http://127.0.0.1:{here.port}{PATH}"
        command = [require("curl"), "-sS", "--noproxy", "*", "-H", f"Content-Type: {KIND}", "-H"]
        command += ["Expect: 100-continue", "--data-binary", f"@{body}", "-w", "%{http_code}", url]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert ended.stdout.endswith("200")
        assert len(station.files()) == 2


def test_what_is_no_dicom_file_fails_alone(tmp_path: Path) -> None:
    station = Station()
    with receiver(tmp_path, station) as here:
        answer = post(here.port, multipart(b"<html>", CT.read_bytes(), b""))
        assert answer.status_code == 202
        assert uids(answer, STORED) == [uid_of(CT)]
        reasons = [i["00081197"]["Value"] for i in answer.json()[FAILED]["Value"]]
        assert reasons == [[0xC000], [0xC000]]
        assert post(here.port, multipart(b"<html>")).status_code == 409
        assert station.files().keys() == {uid_of(CT)}


def study_of(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).StudyInstanceUID)


def test_a_request_for_one_study_takes_what_is_of_it(tmp_path: Path) -> None:
    """PS3.18 10.5: the others fail alone, and nothing of them is kept."""
    station = Station()
    with receiver(tmp_path, station) as here:
        answer = post(here.port, files(CT, MR), path=f"{PATH}/{study_of(CT)}")
        assert answer.status_code == 202
        assert uids(answer, STORED) == [uid_of(CT)]
        assert uids(answer, FAILED) == [uid_of(MR)]
        reasons = [i["00081197"]["Value"] for i in answer.json()[FAILED]["Value"]]
        assert reasons == [[0xA901]]
        assert post(here.port, files(MR), path=f"{PATH}/1.2.3").status_code == 409
        assert station.files().keys() == {uid_of(CT)}


@pytest.mark.parametrize("name", ["ExplVR_BigEnd.dcm", "rtplan.dcm", "image_dfl.dcm"])
def test_a_study_is_told_in_every_encoding(name: str, tmp_path: Path) -> None:
    """Big endian, implicit, and deflated, in which nothing speaks against it."""
    path = Path(str(get_testdata_file(name)))
    station = Station()
    with receiver(tmp_path, station) as here:
        answer = post(here.port, files(path), path=f"{PATH}/{study_of(path)}/")
        assert answer.status_code == 200


def test_only_who_knows_the_password_sends(tmp_path: Path) -> None:
    words = tmp_path / "passwords"
    words.write_text("portal:geheim:ü\n")
    words.chmod(0o600)
    station = Station()

    def basic(user: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    with receiver(tmp_path / "in", station, stow(password_file=words)) as here:
        for wrong in ("", "Basic", "Basic !", "Bearer x", basic("portal", "x"), basic("x", "")):
            answer = post(here.port, files(CT), Authorization=wrong)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
        good = basic("portal", "geheim:ü")
        assert post(here.port, files(CT), Authorization=good).status_code == 200
        assert station.files().keys() == {uid_of(CT)}
    assert station.arrived[0].label == "portal (127.0.0.1)"


def test_a_password_file_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    words = tmp_path / "passwords"
    words.write_text("portal:geheim\n")
    words.chmod(0o644)
    with pytest.raises(ValueError, match="read by others"):
        receiver(tmp_path / "in", Station(), stow(password_file=words))


def test_over_tls_only_who_shows_a_certificate_of_our_authority_sends(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("receiver"), authority.issue("sender")
    tls = Tls(ca=authority.ca, certificate=ours.certificate, key=ours.key)
    station = Station()
    body = tmp_path / "body"
    body.write_bytes(files(CT))
    with receiver(tmp_path / "in", station, stow(tls=tls)) as here:
        url = f"https://127.0.0.1:{here.port}{PATH}"
        command = [require("curl"), "-sS", "--noproxy", "*", "--cacert", str(authority.ca)]
        command += ["-H", f"Content-Type: {KIND}", "--data-binary", f"@{body}", url]
        assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0
        shown = ["--cert", str(theirs.certificate), "--key", str(theirs.key)]
        ended = subprocess.run([*command, *shown], capture_output=True, timeout=60, check=True)
        assert json.loads(ended.stdout)[STORED]
        assert station.files().keys() == {uid_of(CT)}


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/", KIND, 404),
        ("/dicom-web/studies/../../etc", KIND, 404),
        ("/dicom-web/studies/1.2/series", KIND, 404),
        ("/x/dicom-web/studies/1.2", KIND, 404),
        (PATH, "application/dicom", 415),
        (PATH, KIND.replace("dicom", "dicom+xml"), 415),
        (PATH, 'multipart/related; type="application/dicom"', 400),
        (PATH, KIND + "x" * 100, 400),
        (PATH, KIND.replace("frontier", "elsewhere"), 400),
    ],
)
def test_a_request_for_something_else_is_refused_in_a_sentence(
    tmp_path: Path, path: str, kind: str, status: int
) -> None:
    with receiver(tmp_path, Station()) as here:
        answer = post(here.port, files(CT), path, Content_Type=kind)
        assert answer.status_code == status
        assert answer.text.strip().endswith(".")


# -- hostile clients -----------------------------------------------------------------------------


def test_an_endless_body_is_cut_at_the_limit_and_costs_no_memory(tmp_path: Path) -> None:
    """Chunked, without an end: 413 once it is more than a medium may hold."""
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b"--frontier\r\n\r\n" + CT.read_bytes()
        while True:
            sent += 1 << 16
            yield bytes(1 << 16)

    station = Station()
    limits = Limits(medium_bytes=30_000_000)
    with receiver(tmp_path, station, limits=limits) as here:
        before = memory()
        try:
            assert post(here.port, endless()).status_code == 413
        except httpx2.TransportError:
            pass  # it was still sending when we had enough
        assert memory() - before < 30 << 20
        assert sent < 100_000_000
        assert post(here.port, files(MR)).status_code == 200
        assert station.files().keys() == {uid_of(MR)}


def test_a_length_above_the_limit_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with receiver(tmp_path, Station(), limits=Limits(medium_bytes=1000)) as here:
        assert post(here.port, files(CT)).status_code == 413


def raw(port: int, data: bytes) -> bytes:
    """What is answered until the receiver closes."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while some := connection.recv(65536):
                answer += some
        except ConnectionResetError:
            pass
        return answer


def dripped(slow: socket.socket) -> int:
    """How many single bytes the receiver stood."""
    for count in range(1000):
        try:
            slow.sendall(b"X")
            if slow.recv(1) == b"":
                return count
        except TimeoutError:
            continue
        except ConnectionError:
            return count
    return 1000


HEAD = f"POST {PATH} HTTP/1.1\r\nHost: kiosk\r\nContent-Type: {KIND}\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def test_who_stops_in_the_middle_is_cut_off_and_leaves_nothing(tmp_path: Path) -> None:
    """In the request line, in the headers, in the body, and byte by byte without an end."""
    station = Station()
    quick = stow(idle_seconds=0.3, request_seconds=0.6)
    half = HEAD + b"Content-Length: 99999\r\n\r\n" + files(CT)[:20000]
    with receiver(tmp_path, station, quick) as here:
        for data in (b"", b"POST ", HEAD, half):
            assert raw(here.port, data) == b""
        with socket.create_connection(("127.0.0.1", here.port), 20) as slow:
            slow.settimeout(0.02)
            assert dripped(slow) < 1000
        assert post(here.port, files(MR)).status_code == 200
        assert station.files().keys() == {uid_of(MR)}
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"-5\r\n", b"5\r\nabcdeXX", b"5" * 2000, b"ffffffffffffffff\r\n--frontier--\r\n"],
)
def test_a_chunk_that_lies_is_a_bad_request(tmp_path: Path, body: bytes) -> None:
    with receiver(tmp_path, Station(), stow(idle_seconds=0.5)) as here:
        assert raw(here.port, CHUNKED + body)[:12] in (b"HTTP/1.1 400", b"")


def test_other_methods_and_wild_requests_are_refused(tmp_path: Path) -> None:
    with receiver(tmp_path, Station()) as here:
        assert b" 501 " in raw(here.port, b"GET / HTTP/1.1\r\n\r\n").splitlines()[0]
        assert b"414" in raw(here.port, b"POST /" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n")[:200]
        assert b"411" in raw(here.port, HEAD + b"\r\n").splitlines()[0]
        assert raw(here.port, b"\x16\x03\x01\x02\0\r\n\r\n")


# -- the body's form -----------------------------------------------------------------------------


def parts_of(data: bytes, size: int, most: int = 1 << 20) -> list[bytes]:
    """The parts of a chunked body whose chunks have this size."""
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(data[at : at + size]), data[at : at + size])
        for at in range(0, len(data), size)
    )
    stream = BufferedReader(BytesIO(chunks + b"0\r\n\r\n"))
    return [b"".join(part) for part in Multipart(Body(stream, None, most), b"frontier").parts()]


@given(st.lists(st.binary(max_size=60) | st.just(b"\r\n--fronti"), max_size=4), st.integers(1, 90))
def test_parts_come_out_as_they_went_in_wherever_the_body_is_cut(
    parts: list[bytes], size: int
) -> None:
    parts = [p for p in parts if b"\r\n--frontier" not in b"\r\n" + p]
    assert parts_of(multipart(*parts), size) == parts


@given(st.binary(max_size=300), st.integers(1, 90))
def test_noise_has_no_parts_or_is_malformed(noise: bytes, size: int) -> None:
    for body in (noise, multipart(b"1234")[:-20] + noise):
        try:
            parts_of(body, size)
        except Malformed:
            continue


def test_more_than_the_most_is_not_read() -> None:
    with pytest.raises(TooLarge):
        parts_of(multipart(bytes(1000)), 100, most=500)
