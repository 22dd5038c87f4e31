"""Who we are over HTTP: a password, a bearer token, OAuth 2.0 client credentials."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kiosk.delivery import echo, send
from kiosk.model.delivery import Answer, Attempt, Outbound
from kiosk.policy.sections import Destination
from tests.delivery.instances import CALLING, destination, outbound
from tests.delivery.test_stow import instance_uid, stored
from tests.peers.web import Handler, Web, web


class Server:
    """A token server and an archive in one: each token is good for `uses` requests."""

    def __init__(self, uses: int = 1000, lasts: object = 3600, status: int = 200) -> None:
        self.uses, self.lasts, self.status = uses, lasts, status
        self.asked: list[tuple[str, bytes]] = []
        self.seen: list[str] = []
        self._left = 0

    def __call__(self, handler: Handler) -> None:
        if handler.path == "/token":
            self._issue(handler)
            return
        self.seen.append(handler.headers.get("Authorization", ""))
        if self._left == 0:
            handler.answer(401)
            return
        self._left -= 1
        if handler.command == "GET":
            handler.answer_json(200, [])
        else:
            handler.answer_json(200, stored(instance_uid(handler)))

    def _issue(self, handler: Handler) -> None:
        self.asked.append((handler.headers["Authorization"], handler.web.requests[-1][2]))
        self._left = self.uses
        token: dict[str, Any] = {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer"}
        if self.lasts is not None:
            token["expires_in"] = self.lasts
        handler.answer_json(self.status, token)


@contextmanager
def archive(server: Server, folder: Path) -> Iterator[tuple[Web, Destination]]:
    secret = folder / "secret"
    secret.write_text("s3cret\n")
    with web(server) as peer:
        root = peer.url.removesuffix("/dicom-web")
        oauth = {"token_url": f"{root}/token", "client_id": "kiosk", "secret_file": secret}
        yield peer, destination(peer, kind="stow", url=peer.url, oauth=oauth | {"scope": "store"})


def sent(to: Destination, items: list[Outbound]) -> Attempt:
    return send(to, CALLING, items, lambda r: None, lambda: False)


def answers(attempt: Attempt) -> list[Answer]:
    return [result.answer for result in attempt.results]


def test_one_token_is_fetched_for_all_that_is_sent(tmp_path: Path) -> None:
    server = Server()
    with archive(server, tmp_path) as (_, to):
        attempt = sent(to, [outbound(tmp_path) for _ in range(5)])
    assert answers(attempt) == [Answer.ACCEPTED] * 5
    assert server.seen == ["Bearer token-1"] * 5
    basic = base64.b64encode(b"kiosk:s3cret").decode()
    assert server.asked == [(f"Basic {basic}", b"grant_type=client_credentials&scope=store")]


@pytest.mark.parametrize("pixels", [2048, 5_000_000])
def test_a_token_that_the_archive_ends_early_is_fetched_again(tmp_path: Path, pixels: int) -> None:
    server = Server(uses=2)
    with archive(server, tmp_path) as (_, to):
        attempt = sent(to, [outbound(tmp_path, pixels=pixels) for _ in range(4)])
    assert answers(attempt) == [Answer.ACCEPTED] * 4
    assert len(server.asked) == 2


def test_a_token_that_lasts_no_time_is_fetched_for_each_request(tmp_path: Path) -> None:
    server = Server(lasts="soon")
    with archive(server, tmp_path) as (_, to):
        assert answers(sent(to, [outbound(tmp_path)])) == [Answer.ACCEPTED]
        assert echo(to, CALLING) == ""


@pytest.mark.parametrize(
    ("status", "retry"), [(400, False), (401, False), (429, True), (503, True)]
)
def test_no_token_stops_the_destination_and_blames_no_image(
    tmp_path: Path, status: int, retry: bool
) -> None:
    server = Server(status=status)
    with archive(server, tmp_path) as (_, to):
        attempt = sent(to, [outbound(tmp_path) for _ in range(2)])
    assert answers(attempt) == [Answer.PENDING] * 2
    assert f"the token server answered {status}" in attempt.problem
    assert (attempt.pause, attempt.retry) == (True, retry)
    assert server.seen == []


def test_an_archive_that_takes_no_token_is_for_it(tmp_path: Path) -> None:
    server = Server(uses=0)
    with archive(server, tmp_path) as (_, to):
        attempt = sent(to, [outbound(tmp_path)])
    assert answers(attempt) == [Answer.PENDING]
    assert "check user name, password or token" in attempt.problem
    assert len(server.asked) == 2


def test_a_token_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    server = Server()
    with archive(server, tmp_path) as (_, to):
        pass
    away = to.model_copy(update={"url": to.url})
    attempt = sent(away, [outbound(tmp_path)])
    assert answers(attempt) == [Answer.PENDING]
    assert attempt.retry


def test_a_bearer_token_is_read_from_its_file_for_each_attempt(tmp_path: Path) -> None:
    seen: list[str] = []

    def respond(handler: Handler) -> None:
        seen.append(handler.headers["Authorization"])
        handler.answer_json(200, stored(instance_uid(handler)))

    token = tmp_path / "token"
    with web(respond) as peer:
        to = destination(peer, kind="stow", url=peer.url, token_file=token)
        for word in ("one", "two"):
            token.write_text(f"{word}\n")
            assert answers(sent(to, [outbound(tmp_path)])) == [Answer.ACCEPTED]
    assert seen == ["Bearer one", "Bearer two"]


def _token_server(settings: dict[str, Any], folder: Path) -> None:
    settings |= {"url": "https://archive.example/dicom-web"}
    settings["oauth"] = {
        "token_url": "http://tokens.example/token",
        "client_id": "k",
        "secret_file": folder / "word",
    }


def _archive(settings: dict[str, Any], folder: Path) -> None:
    settings |= {"url": "http://archive.example/dicom-web", "token_file": folder / "word"}


@pytest.mark.parametrize("arrange", [_token_server, _archive])
def test_no_secret_travels_in_plain_text(
    tmp_path: Path, arrange: Callable[[dict[str, Any], Path], None]
) -> None:
    (tmp_path / "word").write_text("s3cret")
    settings: dict[str, Any] = {"name": "web", "kind": "stow"}
    arrange(settings, tmp_path)
    assert "plain HTTP" in echo(Destination.model_validate(settings), CALLING)


def test_two_ways_to_show_who_we_are_are_refused_by_the_policy(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="keep one"):
        Destination(name="web", username="kiosk", token_file=tmp_path)
