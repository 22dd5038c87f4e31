"""One short conversation with UDisks2 on the system bus, on the caller's thread: nothing
asynchronous leaks out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from dbus_fast import BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusFastError

NAME = "org.freedesktop.UDisks2"
ROOT = "/org/freedesktop/UDisks2"
_POLKIT = "org.freedesktop.PolicyKit1"
_PREFIX = f"{NAME}.Error."

T = TypeVar("T")
Known = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Object path, interface (without its prefix), property: what UDisks2 knows of block devices."""


class Refusal(Exception):
    """UDisks2 does not do what was asked; `why` is its error's name, or how it could not be
    asked. `absent`: there is nobody to ask."""

    def __init__(self, why: str, absent: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.absent = absent or why.endswith(".ServiceUnknown")


class UDisks2:
    """The service, for the length of one conversation. Its methods raise Refusal."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus

    async def call(
        self, path: str, interface: str, member: str, signature: str, *body: Any, fds: Any = ()
    ) -> list[Any]:
        """A method of one of its own interfaces."""
        return await self._call(path, f"{NAME}.{interface}", member, signature, *body, fds=fds)

    async def may(self, action: str) -> bool:
        """Whether polkit lets this process have it done without being asked anything."""
        subject = ["system-bus-name", {"name": Variant("s", str(self._bus.unique_name))}]
        message = Message(
            destination=_POLKIT,
            path="/org/freedesktop/PolicyKit1/Authority",
            interface=f"{_POLKIT}.Authority",
            member="CheckAuthorization",
            signature="(sa{sv})sa{ss}us",
            body=[subject, f"org.freedesktop.udisks2.{action}", {}, 0, ""],
        )
        (answer,) = await self._send(message)
        return bool(answer[0])

    async def known(self) -> Known:
        manager = "org.freedesktop.DBus.ObjectManager"
        (objects,) = await self._call(ROOT, manager, "GetManagedObjects", "")
        return {
            path: {
                interface.removeprefix(f"{NAME}."): {k: v.value for k, v in properties.items()}
                for interface, properties in interfaces.items()
            }
            for path, interfaces in objects.items()
        }

    async def _call(
        self, path: str, interface: str, member: str, signature: str, *body: Any, fds: Any = ()
    ) -> list[Any]:
        message = Message(
            destination=NAME,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
            unix_fds=list(fds),
        )
        return await self._send(message)

    async def _send(self, message: Message) -> list[Any]:
        answer = await self._bus.call(message)
        if answer.message_type is MessageType.ERROR:
            raise Refusal(str(answer.error_name).removeprefix(_PREFIX))
        return list(answer.body)


def converse(talk: Callable[[UDisks2], Awaitable[T]], seconds: float) -> T:
    """What `talk` comes to. Raises Refusal, also where there is no service or no answer."""

    async def on_the_bus() -> T:
        bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
        try:
            return await talk(UDisks2(bus))
        finally:
            bus.disconnect()

    try:
        return asyncio.run(asyncio.wait_for(on_the_bus(), seconds))
    except TimeoutError as e:
        raise Refusal("no answer in time") from e
    except (OSError, EOFError, AuthError, DBusError, DBusFastError) as e:
        raise Refusal(type(e).__name__, absent=True) from e
