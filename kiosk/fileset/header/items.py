"""The items of one sequence, each on its own (PS3.5 7.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from kiosk.fileset.header.elements import ITEM, SEQUENCE_END, UNDEFINED, Encoding, Scan, scan
from kiosk.fileset.header.source import Source


def items(
    source: Source, start: int, stop: int, encoding: Encoding, wanted: frozenset[int], most: int
) -> Iterator[tuple[int, Scan]]:
    """The items of the sequence whose first item is at `start`, each with its own offset; at most
    `most`. Where no item stands, a Scan with the problem `broken` is given and the search goes on
    at the next item tag."""
    order: Literal["big", "little"] = "big" if encoding.big else "little"
    position = start
    tag, closing = (
        (t >> 16).to_bytes(2, order) + (t & 0xFFFF).to_bytes(2, order) for t in (ITEM, SEQUENCE_END)
    )
    for _ in range(most):
        head = source.read(position, 8) if position + 8 <= stop else b""
        if not head or head[:4] == closing:
            return
        if head[:4] != tag:
            yield position, Scan(problem="broken")
            position = _next_item(source, position + 1, stop, tag)
            continue
        length = int.from_bytes(head[4:], order)
        end = stop if length == UNDEFINED else position + 8 + length
        found = scan(
            source,
            position + 8,
            encoding,
            wanted,
            stop=min(end, stop),
            item=length == UNDEFINED,
            elements=10_000,
        )
        if end > stop:
            found.problem = "truncated"
        yield position, found
        if length != UNDEFINED:
            position = end
        elif found.problem:
            position = _next_item(source, max(found.end, position + 8), stop, tag)
        else:
            position = found.end


def _next_item(source: Source, position: int, stop: int, tag: bytes) -> int:
    """Where the bytes of an item tag stand next, `stop` when nowhere."""
    while position < stop:
        data = source.read(position, 1_000_000)
        at = data.find(tag)
        if at >= 0:
            return min(position + at, stop)
        if len(data) < 1_000_000:
            break
        position += len(data) - 3
    return stop
