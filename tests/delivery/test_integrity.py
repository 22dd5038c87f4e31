"""What lies in the vault is held against its hash while it is sent: what changed there is never
sent whole, by either way, and costs only itself (RELIABILITY I5)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.delivery import send
from kiosk.delivery.body import CHANGED, Buffers, opened
from kiosk.model.delivery import Answer, Coerced, CoercionRefused, Outbound
from tests.delivery.instances import CALLING, destination, outbound
from tests.peers.scripted import scripted
from tests.peers.storescp import storescp

SHORT, LONG = 2048, 5_000_000  # read at once, and piece by piece


def held(item: Outbound, how: str) -> Outbound:
    """With the hash of the whole file, or of the pixel data's value."""
    coerced = item.coerce()
    content = coerced.tail.read_bytes()
    if how == "file":
        return replace(item, sha256=hashlib.sha256(content).hexdigest())
    value = content[coerced.tail_offset + 12 :]
    known = replace(
        coerced,
        pixels=hashlib.sha256(value).hexdigest(),
        pixels_at=12,
        pixels_length=len(value),
    )
    return replace(item, coerce=lambda: known)


def rot(item: Outbound, at: int) -> None:
    """One bit of the staged file is another."""
    path = item.coerce().tail
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["file", "pixels"])
@pytest.mark.parametrize("pixels", [SHORT, LONG])
def test_what_has_not_changed_arrives_byte_for_byte(tmp_path: Path, pixels: int, how: str) -> None:
    (tmp_path / "peer").mkdir()
    item = held(outbound(tmp_path, pixels=pixels), how)
    with storescp(tmp_path / "peer") as peer:
        attempt = send(destination(peer), CALLING, [item], lambda r: None, lambda: False)
        (got,) = peer.data_sets().values()
    assert attempt.results[0].answer is Answer.ACCEPTED
    coerced = item.coerce()
    assert got == coerced.header + coerced.tail.read_bytes()[coerced.tail_offset :]


@pytest.mark.parametrize(
    ("how", "at"), [("file", 0), ("file", -1), ("file", 1000), ("pixels", 1000), ("pixels", -1)]
)
@pytest.mark.parametrize("pixels", [SHORT, LONG])
def test_one_bit_that_changed_is_held_and_the_archive_keeps_nothing_of_it(
    tmp_path: Path, pixels: int, how: str, at: int
) -> None:
    items = [held(outbound(tmp_path, pixels=pixels), how) for _ in range(3)]
    rot(items[1], at)
    with scripted() as peer:
        attempt = send(destination(peer), CALLING, items, lambda r: None, lambda: False)
    answers = [(r.answer, r.comment) for r in attempt.results]
    assert answers == [(Answer.ACCEPTED, ""), (Answer.HELD, CHANGED), (Answer.ACCEPTED, "")]
    assert items[1].sop_instance_uid not in peer.received
    assert len(peer.received) == 2


def test_a_short_one_that_changed_costs_no_association(tmp_path: Path) -> None:
    items = [held(outbound(tmp_path), "file") for _ in range(3)]
    rot(items[1], 500)
    with scripted() as peer:
        send(destination(peer), CALLING, items, lambda r: None, lambda: False)
    assert peer.associations == 1


def _pieces(item: Outbound, size: int) -> bytes:
    body = opened(item, Buffers())
    try:
        return b"".join(bytes(piece) for piece, _ in body.chunks(memoryview(bytearray(size))))
    finally:
        body.close()


def _long_header(coerced: Coerced) -> Coerced:
    return replace(coerced, header=coerced.header * 400)


def _no_tail(coerced: Coerced) -> Coerced:
    return replace(coerced, tail_length=0, tail_offset=coerced.tail.stat().st_size)


@pytest.mark.parametrize("shape", [_long_header, _no_tail, lambda c: _no_tail(_long_header(c))])
@pytest.mark.parametrize("pixels", [SHORT, LONG])
def test_header_and_tail_of_any_length_are_hashed_once(
    tmp_path: Path, pixels: int, shape: Callable[[Coerced], Coerced]
) -> None:
    item = held(outbound(tmp_path, pixels=pixels), "file")
    shaped = shape(item.coerce())
    item = replace(item, coerce=lambda: shaped)
    assert len(_pieces(item, 65536)) == len(shaped.header) + shaped.tail_length
    rot(item, 3)
    with pytest.raises(CoercionRefused, match="not any more"):
        _pieces(item, 65536)
