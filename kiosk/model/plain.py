"""Model values as JSON-ready data and back, checked on the way in.

One codec for the database's JSON columns, the manifest, and the pipe from a sandboxed child. What
comes back is checked field by field: a child that parsed hostile bytes is believed in nothing.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin

T = TypeVar("T")


class NotPlain(ValueError):
    """The data is not of the shape that was asked for. The text names the place, not the value."""


def to_plain(value: Any) -> Any:
    """Frozen dataclasses, enums and tuples as dicts, values and lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_plain(getattr(value, name)) for name, _, _ in _fields(type(value))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def from_plain(shape: type[T], data: Any) -> T:
    """The inverse of `to_plain`. Raises NotPlain on a missing, unknown or ill-typed field."""
    return cast(T, _read(shape, data, shape.__name__))


@cache
def _fields(shape: type) -> tuple[tuple[str, Any, bool], ...]:
    hints = typing.get_type_hints(shape)
    return tuple(
        (
            f.name,
            hints[f.name],
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(shape)
    )


def _read(shape: Any, data: Any, where: str) -> Any:
    if shape is Any:
        return data
    origin = get_origin(shape)
    if origin in (typing.Union, types.UnionType):
        return _read_union(get_args(shape), data, where)
    if origin is tuple:
        return _read_tuple(get_args(shape), data, where)
    if origin is dict:
        return _read_dict(get_args(shape), data, where)
    if dataclasses.is_dataclass(shape):
        return _read_dataclass(cast(type, shape), data, where)
    if isinstance(shape, type) and issubclass(shape, Enum):
        try:
            return shape(data)
        except ValueError:
            raise NotPlain(f"{where}: not one of {[m.value for m in shape]}") from None
    return _read_scalar(shape, data, where)


def _read_scalar(shape: Any, data: Any, where: str) -> Any:
    if shape is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if shape is int and isinstance(data, bool):
        raise NotPlain(f"{where}: expected int")
    if not isinstance(data, shape):
        raise NotPlain(f"{where}: expected {getattr(shape, '__name__', shape)}")
    return data


def _read_union(shapes: tuple[Any, ...], data: Any, where: str) -> Any:
    for shape in shapes:
        if shape is type(None):
            if data is None:
                return None
            continue
        try:
            return _read(shape, data, where)
        except NotPlain:
            continue
    raise NotPlain(f"{where}: no alternative fits")


def _read_tuple(shapes: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list | tuple):
        raise NotPlain(f"{where}: expected a list")
    if len(shapes) == 2 and shapes[1] is Ellipsis:
        return tuple(_read(shapes[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if len(shapes) != len(data):
        raise NotPlain(f"{where}: expected {len(shapes)} items")
    return tuple(_read(s, item, where) for s, item in zip(shapes, data, strict=True))


def _read_dict(shapes: tuple[Any, ...], data: Any, where: str) -> dict[Any, Any]:
    if not isinstance(data, dict):
        raise NotPlain(f"{where}: expected an object")
    return {
        _read(shapes[0], key, where): _read(shapes[1], item, f"{where}[]")
        for key, item in data.items()
    }


def _read_dataclass(shape: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise NotPlain(f"{where}: expected an object")
    known = _fields(shape)
    unknown = data.keys() - {name for name, _, _ in known}
    if unknown:
        raise NotPlain(f"{where}: {len(unknown)} unknown fields")
    values = {}
    for name, field_shape, required in known:
        if name in data:
            item = data[name]  # mostly of just the type that was asked for: no need to look closer
            plain = type(item) is field_shape
            values[name] = item if plain else _read(field_shape, item, f"{where}.{name}")
        elif required:
            raise NotPlain(f"{where}.{name}: missing")
    return shape(**values)
