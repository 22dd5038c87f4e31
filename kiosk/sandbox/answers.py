"""How an answer goes through the pipe: in parts of bounded length, each checked as it comes.

A value is sent from the inside out: the members of its tuples first, each as a part of its own,
then the value with how many of them belong where. So neither side ever holds the whole as text,
and the parent holds no more than the parts that it allows, of the shapes that it asked for.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from struct import Struct
from typing import Any, TypeVar, cast

from kiosk.model.plain import NotPlain, from_plain, to_plain

T = TypeVar("T")

FRAME = Struct(">I")
LARGEST_PART = 6 << 20  # all texts of one header, as long as they may be, twice over
_ROOM = 16 << 20
_BYTES_A_FILE = 4096  # an instance takes about 600
_PARTS, _PARTS_A_FILE = 100_000, 8


class TooMuch(Exception):
    """More came than was allowed."""


@dataclass(slots=True)
class Allowance:
    """What one job's child may still send, in bytes and parts."""

    bytes: int
    parts: int

    @staticmethod
    def of_files(files: int) -> Allowance:
        return Allowance(_ROOM + files * _BYTES_A_FILE, _PARTS + files * _PARTS_A_FILE)

    def pay(self, length: int) -> None:
        self.bytes -= length
        self.parts -= 1
        if min(self.bytes, self.parts) < 0:
            raise TooMuch


def encode(message: dict[str, Any]) -> bytes:
    """One message as it goes through the pipe."""
    body = json.dumps(message).encode()
    return FRAME.pack(len(body)) + body


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """The messages that `value`, a dataclass, is sent as; the last is the `result`."""
    kind: Any = type(value)
    for name in _members(kind):
        for member in getattr(value, name):
            yield from _part(member)
    yield {"result": _hollow(value)}


def _part(value: Any) -> Iterator[dict[str, Any]]:
    kind: Any = type(value)
    for name in _members(kind):
        for member in getattr(value, name):
            yield from _part(member)
    yield {"part": [type(value).__name__, _hollow(value)]}


def _hollow(value: Any) -> Any:
    """The value as plain data, with a number in place of each tuple that went before."""
    kind: Any = type(value)
    counts = {name: len(getattr(value, name)) for name in _members(kind)}
    if not counts:
        return to_plain(value)
    return to_plain(replace(value, **dict.fromkeys(counts, ()))) | counts


@cache
def _members(shape: Any) -> dict[str, type]:
    """The fields of a dataclass that are tuples of any length of another, and which."""
    found = {}
    hints = typing.get_type_hints(shape)
    for field in dataclasses.fields(shape):
        inside = typing.get_args(hints[field.name])
        if len(inside) == 2 and inside[1] is Ellipsis and dataclasses.is_dataclass(inside[0]):
            found[field.name] = cast(type, inside[0])
    return found


@cache
def _shapes(shape: Any) -> dict[str, type]:
    """All dataclasses that are parts of `shape`, by name."""
    found: dict[str, type] = {}
    waiting = list(_members(shape).values())
    while waiting:
        one = waiting.pop()
        if one.__name__ not in found:
            found[one.__name__] = one
            waiting += _members(one).values()
    return found


class Answer(typing.Generic[T]):
    """Puts the parts of one value together again. Raises NotPlain on what does not fit."""

    def __init__(self, shape: type[T]) -> None:
        self._shape: Any = shape
        self._waiting: list[Any] = []

    def part(self, untrusted: Any) -> None:
        if not isinstance(untrusted, list) or len(untrusted) != 2:
            raise NotPlain("part: expected a name and a value")
        name, plain = untrusted
        shape = _shapes(self._shape).get(name) if isinstance(name, str) else None
        if shape is None:
            raise NotPlain("part: not of what was asked for")
        self._waiting.append(self._filled(shape, plain))

    def result(self, untrusted: Any) -> T:
        value: T = self._filled(self._shape, untrusted)
        if self._waiting:
            raise NotPlain(f"{len(self._waiting)} parts belong nowhere")
        return value

    def _filled(self, shape: Any, plain: Any) -> Any:
        members = _members(shape)
        if not members:
            return from_plain(shape, plain)
        if not isinstance(plain, dict):
            raise NotPlain(f"{shape.__name__}: expected an object")
        last_first = list(members.items())[::-1]
        below = {name: self._take(member, plain.get(name)) for name, member in last_first}
        hollow = plain | dict.fromkeys(members, ())
        return replace(from_plain(shape, hollow), **below)

    def _take(self, member: type, count: Any) -> tuple[Any, ...]:
        if type(count) is not int or not 0 <= count <= len(self._waiting):
            raise NotPlain(f"{member.__name__}: not so many parts came")
        at = len(self._waiting) - count
        taken = tuple(self._waiting[at:])
        del self._waiting[at:]
        if any(type(one) is not member for one in taken):
            raise NotPlain(f"{member.__name__}: parts of another kind")
        return taken
