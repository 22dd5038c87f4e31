"""What a disk may hold after the power was lost, from a trace of what was written to it.

A program's writes are recorded by strace and replayed onto a model of a file system that promises
what POSIX promises and no more: what was written is there after an fsync of the file, that a name
leads to it after an fsync of the folder. Everything else may be there or not, in any combination,
and a write may be there in part.

What this does not show: what a disk does that ignores a flush, or a file system that breaks POSIX;
memory that was mapped (SQLite's -shm, which it builds anew); orders between files that real
journals keep (they only make fewer states possible).
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

CALLS = (
    "open,openat,creat,close,lseek,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,"
    "fallocate,copy_file_range,sendfile,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,"
    "link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,sendmsg,sendto"
)
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Op:
    """One thing that was done: `what` to `path` (relative to the traced folder)."""

    what: str  # write, truncate, sync, create, rename, unlink, mkdir, say
    path: str = ""
    to: str = ""
    at: int = 0
    data: bytes = b""


# -- the trace -------------------------------------------------------------------------------------

_LINE = re.compile(r"^(?:\[pid +)?(\d+)\]? +(\w+)\((.*)\)\s+= (-?\d+)(?:<.*?>)?(?: .*)?$", re.S)
_FD = re.compile(r"^(\d+)<(.*?)(?: \(deleted\))?>$")


class Unknown(ValueError):
    """The trace has something that the model does not know: it would show too little."""


def arguments(text: str) -> list[str]:
    """A call's arguments: commas outside quotes and brackets part them."""
    found, depth, quoted, start = [], 0, False, 0
    for n, c in enumerate(text):
        if c == '"' and text[n - 1] != "\\":
            quoted = not quoted
        elif not quoted and c in "[{(":
            depth += 1
        elif not quoted and c in "]})":
            depth -= 1
        elif not quoted and not depth and c == ",":
            found.append(text[start:n].strip())
            start = n + 1
    return [*found, text[start:].strip()]


def _bytes(text: str) -> bytes:
    if text.endswith("..."):
        raise Unknown("strace cut a buffer short")
    value = ast.literal_eval("b" + text)
    assert isinstance(value, bytes)
    return value


class Trace:
    """The operations below `root`, from strace's lines (-f -xx -y)."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._at: dict[tuple[str, str], int] = {}  # process and descriptor: file position
        self._append: set[tuple[str, str]] = set()
        self._sizes: dict[str, int] = {
            p.relative_to(root).as_posix(): p.stat().st_size for p in root.rglob("*") if p.is_file()
        }

    def read(self, lines: Iterator[str]) -> Iterator[Op]:
        for line in lines:
            found = _LINE.match(line.rstrip("\n"))
            if found is None or int(found[4]) < 0:
                continue
            yield from self._call(found[1], found[2], arguments(found[3]), int(found[4]))

    def _call(self, pid: str, call: str, args: list[str], result: int) -> Iterator[Op]:
        if call in ("sendmsg", "sendto"):
            yield Op("say", data=b"".join(map(_bytes, re.findall(r'"(?:\\x..)*"', " ".join(args)))))
        elif call in ("open", "openat", "creat"):
            yield from self._open(pid, args, result)
        elif call in ("rename", "renameat", "renameat2"):
            old, new = [self._named(a) for a in args if a.startswith('"')]
            if old is not None and new is not None:
                self._sizes[new] = self._sizes.pop(old, 0)
                yield Op("rename", old, new)
        elif call in ("mkdir", "mkdirat", "unlink", "unlinkat", "rmdir"):
            path = self._named(next(a for a in args if a.startswith('"')))
            if path is not None:
                yield Op("mkdir" if call.startswith("mkdir") else "unlink", path)
        elif call == "truncate":
            if (path := self._named(args[0])) is not None:
                yield Op("truncate", path, at=int(args[1]))
        else:
            yield from self._on_descriptor(pid, call, args, result)

    def _named(self, argument: str) -> str | None:
        path = PurePosixPath(_bytes(argument).decode())
        if not path.is_absolute():
            return None  # nobody here works with relative paths below the traced folder
        inside = path.is_relative_to(self._root)
        return path.relative_to(self._root).as_posix() if inside else None

    def _open(self, pid: str, args: list[str], result: int) -> Iterator[Op]:
        name, flags = next((a, args[n + 1]) for n, a in enumerate(args) if a.startswith('"'))
        if (path := self._named(name)) is None:
            return
        key = (pid, str(result))
        self._at[key] = 0
        self._append.discard(key)
        if "O_APPEND" in flags:
            self._append.add(key)
        if "O_CREAT" in flags and path not in self._sizes:
            self._sizes[path] = 0
            yield Op("create", path)
        if "O_TRUNC" in flags:
            self._sizes[path] = 0
            yield Op("truncate", path, at=0)

    def _on_descriptor(self, pid: str, call: str, args: list[str], result: int) -> Iterator[Op]:
        found = _FD.match(args[0])
        path = PurePosixPath(_bytes(f'"{found[2]}"').decode()) if found else None
        if found is None or path is None or not path.is_relative_to(self._root):
            return
        name, key = path.relative_to(self._root).as_posix(), (pid, found[1])
        if call in ("fsync", "fdatasync"):
            yield Op("sync", name)
        elif call == "lseek":
            self._at[key] = result
        elif call == "write":
            at = self._sizes.get(name, 0) if key in self._append else self._at.get(key, 0)
            self._at[key] = at + result
            yield self._wrote(name, at, _bytes(args[1])[:result])
        elif call == "pwrite64":
            yield self._wrote(name, int(args[3]), _bytes(args[1])[:result])
        elif call == "ftruncate":
            self._sizes[name] = int(args[1])
            yield Op("truncate", name, at=int(args[1]))
        elif call not in ("close", "sync_file_range") and not name.endswith("-shm"):
            raise Unknown(f"{call} on {name}")

    def _wrote(self, name: str, at: int, data: bytes) -> Op:
        self._sizes[name] = max(self._sizes.get(name, 0), at + len(data))
        return Op("write", name, at=at, data=data)


# -- the disk --------------------------------------------------------------------------------------


@dataclass(eq=False)
class Node:
    """A file or a folder. Of a file: what is on the platter, and what was written since. Of a
    folder: the names that are on the platter, and what became of names since."""

    folder: bool
    kept: bytes = b""
    since: list[Op] = field(default_factory=list)
    names: dict[str, Node] = field(default_factory=dict)
    changes: list[tuple[str, Node | None]] = field(default_factory=list)

    def content(self, writes: list[Op]) -> bytes:
        content = bytearray(self.kept)
        for op in writes:
            if op.what == "truncate":
                content = content[: op.at].ljust(op.at, b"\0")
            else:
                content = content.ljust(op.at, b"\0")
                content[op.at : op.at + len(op.data)] = op.data
        return bytes(content)

    def entries(self, changes: list[tuple[str, Node | None]]) -> dict[str, Node]:
        found = dict(self.names)
        for name, node in changes:
            if node is None:
                found.pop(name, None)
            else:
                found[name] = node
        return found


Writes = Callable[[list[Op]], list[Op]]
Changes = Callable[[list[tuple[str, "Node | None"]]], list[tuple[str, "Node | None"]]]


class Disk:
    """What is on the platter, and what is only on its way there."""

    def __init__(self, folder: Path) -> None:
        self._top = _loaded(folder)

    def do(self, op: Op) -> None:
        if op.what == "say" or op.path.endswith("-shm"):
            return
        if op.what == "sync":
            self._sync(self._find(op.path))
        elif op.what in ("write", "truncate"):
            self._find(op.path).since.append(op)
        elif op.what == "rename":
            node = self._find(op.path)
            self._name(op.to, node)
            self._name(op.path, None)
        elif op.what == "unlink":
            self._name(op.path, None)
        else:
            self._name(op.path, Node(folder=op.what == "mkdir"))

    def _sync(self, node: Node) -> None:
        node.kept, node.since = node.content(node.since), []
        node.names, node.changes = node.entries(node.changes), []

    def _find(self, path: str) -> Node:
        node = self._top
        for part in PurePosixPath(path).parts:
            node = node.entries(node.changes)[part]
        return node

    def _name(self, path: str, node: Node | None) -> None:
        where = PurePosixPath(path)
        self._find(str(where.parent)).changes.append((where.name, node))

    def write_to(self, folder: Path, writes: Writes, changes: Changes) -> None:
        """One state that the power loss may leave: of what was not synced, what these choose."""
        _written(self._top, folder, writes, changes)


def _loaded(folder: Path) -> Node:
    top = Node(folder=True)
    for path in folder.iterdir():
        if not path.name.endswith("-shm"):
            is_folder = path.is_dir()
            top.names[path.name] = (
                _loaded(path) if is_folder else Node(folder=False, kept=path.read_bytes())
            )
    return top


def _written(node: Node, folder: Path, writes: Writes, changes: Changes) -> None:
    folder.mkdir()
    for name, each in node.entries(changes(node.changes)).items():
        if each.folder:
            _written(each, folder / name, writes, changes)
        else:
            (folder / name).write_bytes(each.content(writes(each.since)))


def nothing(pending: list) -> list:
    return []


def everything(pending: list) -> list:
    return list(pending)


def some(chance: random.Random) -> Writes:
    """Any of the writes, the last of them perhaps in part: no order is promised between them."""

    def choose(pending: list[Op]) -> list[Op]:
        chosen = [op for op in pending if chance.random() < 0.5]
        if chosen and chosen[-1].what == "write" and chance.random() < 0.5:
            last = chosen.pop()
            length = chance.randrange(len(last.data) // SECTOR + 1) * SECTOR
            chosen.append(Op("write", last.path, at=last.at, data=last.data[:length]))
        return chosen

    return choose


def up_to(chance: random.Random) -> Changes:
    """The changes of a folder's names up to some moment."""
    return lambda pending: pending[: chance.randrange(len(pending) + 1)]
