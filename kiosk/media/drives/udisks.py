"""What UDisks2 does for us on the system bus, where the kernel's own call does not help.

Each function is one short conversation on the caller's thread: nothing asynchronous leaks out.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_fast import BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusFastError

from kiosk.media.source import MediaError

_NAME = "org.freedesktop.UDisks2"
_SECONDS = 30.0


def eject(device: str) -> None:
    """Lets UDisks2 open the drive of this device node. Raises MediaError when there is no
    UDisks2, when it does not answer or when it refuses."""
    _run(_eject(device))


async def _eject(device: str) -> None:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        drive = await _drive_of(bus, device)
        await _call(bus, drive, f"{_NAME}.Drive", "Eject", "a{sv}", {})
    finally:
        bus.disconnect()


async def _drive_of(bus: MessageBus, device: str) -> str:
    where = {"path": Variant("s", device)}
    manager = f"/{_NAME.replace('.', '/')}/Manager"
    answer = await _call(bus, manager, f"{_NAME}.Manager", "ResolveDevice", "a{sv}a{sv}", where, {})
    if not answer or not answer[0]:
        raise _refused("it does not know this device")
    properties = "org.freedesktop.DBus.Properties"
    (drive,) = await _call(bus, answer[0][0], properties, "Get", "ss", f"{_NAME}.Block", "Drive")
    return str(drive.value)


async def _call(
    bus: MessageBus, path: str, interface: str, member: str, signature: str, *body: Any
) -> list[Any]:
    message = Message(
        destination=_NAME,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=list(body),
    )
    answer = await bus.call(message)
    if answer.message_type is MessageType.ERROR:
        raise _refused(str(answer.error_name))
    return list(answer.body)


def _run(conversation: Any) -> None:
    try:
        asyncio.run(asyncio.wait_for(conversation, _SECONDS))
    except (OSError, EOFError, TimeoutError, AuthError, DBusError, DBusFastError) as e:
        raise _refused(type(e).__name__) from e


def _refused(why: str) -> MediaError:
    return MediaError(
        "udisks-failed",
        f"The system's disk service did not help ({why}). Nothing that was read is lost. Tell IT "
        "to see that UDisks2 runs and that this account may use it.",
    )
