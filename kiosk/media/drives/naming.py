"""Which device is which: a name that stays when it is plugged in again under another node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pyudev


def named(devices: Iterable[pyudev.Device]) -> Iterator[tuple[str, str, pyudev.Device]]:
    """(serial, name for people, device). Two of a kind without a serial number of their own are
    told apart by where they are plugged in."""
    found = list(devices)
    serials = Counter(_serial(device) for device in found)
    for device in found:
        serial = _serial(device)
        if serials[serial] > 1:
            serial = f"{serial}@{device.properties.get('ID_PATH') or device.sys_name}"
        name = str(device.properties.get("ID_MODEL") or "").replace("_", " ").strip()
        yield serial, name, device


def _serial(device: pyudev.Device) -> str:
    known = device.properties
    return str(known.get("ID_SERIAL") or known.get("ID_PATH") or device.sys_name)
