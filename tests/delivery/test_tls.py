"""DICOM over TLS: mutual authentication, and never plain text instead (PS3.15 B.12)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydicom.uid import generate_uid

from kiosk.delivery import echo, send
from kiosk.delivery.dimse import client_context
from kiosk.model.delivery import Answer
from kiosk.policy.sections import Destination, Tls
from tests.delivery.instances import CALLING, destination, outbound, sent_data_sets
from tests.peers import LOOPBACK, accepts, free_port, require, running
from tests.peers.certificates import Authority, Issued
from tests.peers.scripted import scripted
from tests.peers.storescp import StoreScp, storescp


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def peer(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreScp]:
    """Asks for a certificate of ours and has one of its own."""
    own = authority.issue("peer")
    options = ["+tls", str(own.key), str(own.certificate), "+cf", str(authority.ca), "-rc", "+xa"]
    with storescp(tmp_path_factory.mktemp("storescp"), *options) as running:
        yield running


def secured(peer: object, ca: Path, ours: Issued | None, **settings: object) -> Destination:
    files = {"certificate": ours.certificate, "key": ours.key} if ours else {}
    return destination(peer, tls={"ca": ca, **files}, **settings)


def test_instances_arrive_byte_for_byte_over_mutual_tls(
    peer: StoreScp, authority: Authority, tmp_path: Path
) -> None:
    study = generate_uid()
    items = [outbound(tmp_path, study=study, pixels=n) for n in (10, 70_000, 5_000_000)]
    to = secured(peer, authority.ca, authority.issue("kiosk"))
    attempt = send(to, CALLING, items, lambda r: None, lambda: False)
    assert [r.answer for r in attempt.results] == [Answer.ACCEPTED] * 3
    assert sent_data_sets(items).items() <= peer.data_sets().items()


def untrusted(authority: Authority, folder: Path) -> tuple[Path, Issued | None]:
    return Authority(folder, "stranger").ca, authority.issue("kiosk")


def without_ours(authority: Authority, folder: Path) -> tuple[Path, Issued | None]:
    return authority.ca, None


def ours_by_a_stranger(authority: Authority, folder: Path) -> tuple[Path, Issued | None]:
    return authority.ca, Authority(folder, "stranger").issue("kiosk")


def ours_too_old(authority: Authority, _folder: Path) -> tuple[Path, Issued | None]:
    return authority.ca, authority.issue("old", valid_days=-1)


def files_missing(authority: Authority, folder: Path) -> tuple[Path, Issued | None]:
    return folder / "nothing.pem", None


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (untrusted, "was not signed by an authority of the configured ca"),
        (without_ours, "asks for a certificate of ours, and none is configured"),
        (ours_by_a_stranger, "does not know who signed our certificate"),
        (ours_too_old, "says that our certificate has expired"),
        (files_missing, "TLS files of pacs cannot be used"),
    ],
)
def test_without_trust_on_both_sides_nothing_is_sent(
    peer: StoreScp,
    authority: Authority,
    tmp_path: Path,
    files: Callable[[Authority, Path], tuple[Path, Issued | None]],
    says: str,
) -> None:
    item = outbound(tmp_path)
    ca, ours = files(authority, tmp_path)
    attempt = send(secured(peer, ca, ours), CALLING, [item], lambda r: None, lambda: False)
    assert [r.answer for r in attempt.results] == [Answer.PENDING]
    assert says in attempt.problem
    assert (attempt.pause, attempt.retry) == (True, False)
    assert item.sop_instance_uid not in peer.files()


@pytest.mark.parametrize(
    ("issue", "says"),
    [
        ({"valid_days": -1}, "has expired. Have it renewed there"),
        ({"address": "127.0.0.2"}, "names another host"),
    ],
)
def test_a_certificate_that_does_not_hold_is_named_in_the_sentence(
    authority: Authority, tmp_path: Path, issue: dict[str, object], says: str
) -> None:
    own = authority.issue("bad", **issue)  # type: ignore[arg-type]
    options = ["+tls", str(own.key), str(own.certificate), "+cf", str(authority.ca), "+xa"]
    with storescp(tmp_path, *options) as peer:
        assert says in echo(secured(peer, authority.ca, authority.issue("kiosk")), CALLING)


def test_a_peer_without_tls_gets_nothing_in_plain_text(
    authority: Authority, tmp_path: Path
) -> None:
    with scripted() as peer:
        to = secured(peer, authority.ca, authority.issue("kiosk"), connect_seconds=0.5)
        attempt = send(to, CALLING, [outbound(tmp_path)], lambda r: None, lambda: False)
    assert [r.answer for r in attempt.results] == [Answer.PENDING]
    assert "did not agree on TLS" in attempt.problem
    assert peer.associations == 0


def test_only_what_bcp_195_allows_is_offered(authority: Authority) -> None:
    """TLS 1.2 or newer, keys that a recorded conversation does not give away, no check left out
    (RFC 9325 3.1, 4.1)."""
    context = client_context(Tls(ca=authority.ca))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    offered = context.get_ciphers()
    assert {c["kea"] for c in offered} <= {"kx-any", "kx-ecdhe", "kx-dhe"}
    assert {c["auth"] for c in offered} <= {"auth-any", "auth-rsa", "auth-ecdsa"}
    assert all(c["strength_bits"] >= 128 for c in offered)


def test_a_peer_with_an_older_tls_gets_nothing(authority: Authority, tmp_path: Path) -> None:
    own = authority.issue("ancient")
    port = free_port()
    words = ["-accept", str(port), "-cert", str(own.certificate), "-key", str(own.key), "-tls1_1"]
    command = [require("openssl"), "s_server", *words, "-cipher", "DEFAULT@SECLEVEL=0", "-quiet"]
    with running(command, tmp_path, lambda: accepts(port)):
        to = destination(
            SimpleNamespace(host=LOOPBACK, port=port, ae_title="OLD"), tls={"ca": authority.ca}
        )
        said = echo(to, CALLING)
    assert "did not agree on TLS" in said
