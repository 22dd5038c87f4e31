"""The parent's side: asks for one instance after the other, keeps what comes in a file without a
name, ends a child that is stuck. Each frame is a length and its bytes; then comes `DONE`, or at any
place `NO` where the rest cannot be had."""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO

from kiosk.coercion import transcoding
from kiosk.coercion.applying import EXPLICIT_LE
from kiosk.coercion.encoding.elements import Malformed
from kiosk.model.delivery import Coerced, CoercionRefused
from kiosk.model.plain import to_plain
from kiosk.policy.sections import Limits

FRAME = struct.Struct(">I")
DONE, NO = 0, 0xFFFFFFFF
SECONDS = 60.0  # of silence; a frame takes a few at most

NOT_DECODED = "the archive does not take its compression, and it cannot be undone without loss"
NO_ROOM = "the archive does not take its compression, and there is no room here to undo it"

Child = subprocess.Popen[bytes]


class _Died(Exception):
    """The child ended, was stuck or talked nonsense before it had answered."""


class _No(Exception):
    """The child says that it cannot be had."""


def decodes(transfer_syntax_uid: str) -> bool:
    """Whether an instance in this syntax can be had in another one without loss."""
    return transfer_syntax_uid in (EXPLICIT_LE, *transcoding.LOSSLESS)


class Decoder:
    """Instances staged in `folder` in another transfer syntax. Its children start when they are
    needed, one for each syntax, and end with `close`. Safe to use from several threads."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._children: dict[str, Child] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            for syntax in tuple(self._children):
                self._end(syntax)

    def transcoded(self, coerced: Coerced, transfer_syntax_uid: str) -> Coerced:
        """`coerced` in Explicit or Implicit VR Little Endian, the changes among its own. Where it
        was compressed its tail is `made`. Raises CoercionRefused where nothing of that can be had
        without loss."""
        found = coerced
        if coerced.transfer_syntax_uid in transcoding.LOSSLESS:
            found = self._decoded(coerced)
        if found.transfer_syntax_uid == transfer_syntax_uid:
            return found
        try:
            return transcoding.transcoded(found, transfer_syntax_uid)
        except CoercionRefused:
            if found.made is not None:
                found.made.close()
            raise

    def _decoded(self, coerced: Coerced) -> Coerced:
        try:
            new, pixels = transcoding.plain(coerced)
        except (Malformed, OSError):
            raise CoercionRefused(NOT_DECODED) from None
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - the sender closes it
        try:
            with self._lock:
                digest = self._ask(pixels, file)
        except (_Died, _No):
            _thrown_away(file)
            raise CoercionRefused(NOT_DECODED) from None
        except OSError:
            _thrown_away(file)
            raise CoercionRefused(NO_ROOM) from None
        head, length = len(transcoding.pixel_head(pixels)), pixels.native_bytes
        length += length % 2
        return replace(
            new,
            tail=Path(f"/proc/self/fd/{file.fileno()}"),
            tail_offset=0,
            tail_length=head + length,
            pixels=digest,
            pixels_at=head,
            pixels_length=length,
            made=file,
        )

    def _ask(self, pixels: transcoding.Encapsulated, file: IO[bytes]) -> str:
        """Once more where the child had others before: it may have used up its time on them."""
        fresh = pixels.syntax not in self._children
        try:
            return self._heard_out(pixels, file)
        except _Died:
            if fresh:
                raise
        return self._heard_out(pixels, file)

    def _heard_out(self, pixels: transcoding.Encapsulated, file: IO[bytes]) -> str:
        """Or its child is ended: the frames that it still has to say would be taken for the next
        instance's."""
        try:
            return self._frames(pixels, file)
        except (_Died, OSError):
            self._end(pixels.syntax)
            raise

    def _frames(self, pixels: transcoding.Encapsulated, file: IO[bytes]) -> str:
        """The native pixel element into `file`; the SHA-256 (hex) of its value."""
        child, digest = self._child(pixels.syntax), hashlib.sha256()
        _tell(child, pixels)
        file.seek(0)
        file.write(transcoding.pixel_head(pixels))
        for _ in range(pixels.frames):
            _expect(child, pixels.frame_bytes)
            left = pixels.frame_bytes
            while left:
                piece = _some(child, left)
                digest.update(piece)
                file.write(piece)
                left -= len(piece)
        _expect(child, DONE)
        if pixels.native_bytes % 2:
            digest.update(b"\0")
            file.write(b"\0")
        file.flush()
        return digest.hexdigest()

    def _child(self, syntax: str) -> Child:
        if syntax not in self._children:
            limits = self._limits
            bounds = (limits.child_memory_bytes, 5 * limits.child_cpu_seconds)
            words = (os.getpid(), self._folder, *bounds, syntax)
            self._children[syntax] = subprocess.Popen(
                [sys.executable, "-m", "kiosk.sandbox.decoding.inside", *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a decoder's complaints may quote a patient's name
                start_new_session=True,
            )
        return self._children[syntax]

    def _end(self, syntax: str) -> None:
        """It holds nothing of ours: killed, whatever it does."""
        child = self._children.pop(syntax, None)
        if child is None:  # it could not even be started
            return
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()


def _thrown_away(file: IO[bytes]) -> None:
    try:
        file.close()
    except OSError:  # the disk has no room for what is left of it, which nobody wants
        pass


def _tell(child: Child, pixels: transcoding.Encapsulated) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(to_plain(pixels)).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        raise _Died from None


def _expect(child: Child, length: int) -> None:
    said = b""
    while len(said) < FRAME.size:
        said += _some(child, FRAME.size - len(said))
    if said == FRAME.pack(NO):
        raise _No
    if said != FRAME.pack(length):
        raise _Died


def _some(child: Child, most: int) -> bytes:
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(SECONDS):
            raise _Died
    piece = os.read(child.stdout.fileno(), min(most, 1 << 20))
    if not piece:
        raise _Died
    return piece
