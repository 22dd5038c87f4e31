"""Debian's PostgreSQL: a private cluster below /tmp, on a socket of its own and on loopback.

PostgreSQL refuses to run as root: where the tests do, it runs as the `postgres` user that its
package makes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.peers import LOOPBACK, free_port, running

USER, PASSWORD = "kiosk", "correct horse"


@dataclass(frozen=True)
class PostgreSQL:
    """`kiosk` may do all on the socket without a password, on loopback only with it."""

    folder: Path
    port: int
    host: str = LOOPBACK
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self.folder}&port={self.port}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, gone at the end."""
        name = f"kiosk_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for it, unaligned, without headings."""
        command = ["psql", "-h", str(self.folder), "-p", str(self.port), "-U", USER, "-XAtq"]
        done = subprocess.run(
            [*command, "-c", statement, database], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


def programs() -> Path:
    """Where the newest installed version's programs are; a skip, in CI a failure, without any."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        said = "the peer postgresql is not installed (installer/system-packages peers)"
        in_ci = os.environ.get("CI", "").lower() in ("1", "true")
        (pytest.fail if in_ci else pytest.skip)(said)
    return found[-1].parent


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """A server for tests: it syncs nothing to the disk unless it has to be `durable`."""
    where = programs()
    folder = Path(tempfile.mkdtemp(prefix="kiosk-pg-", dir="/tmp"))  # sockets want short paths
    try:
        as_user = _owned_by_somebody(folder)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        initdb = [where / "initdb", "-D", folder / "data", "-U", USER, "-E", "UTF8", "--no-sync"]
        locks = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"]
        subprocess.run(
            [*as_user, *initdb, "--locale=C.UTF-8", *locks],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        with _serving(where, folder, as_user, durable) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owned_by_somebody(folder: Path) -> list[str]:
    """What to put before a command so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o755)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@contextmanager
def _serving(where: Path, folder: Path, as_user: list[str], durable: bool) -> Iterator[PostgreSQL]:
    server = PostgreSQL(folder, free_port())
    # In the file, where ALTER SYSTEM can overrule them.
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write(f"listen_addresses='{LOOPBACK}'\nport={server.port}\n")
        settings.write(f"unix_socket_directories='{folder}'\nshared_buffers=64MB\n")
        settings.write(f"fsync={'on' if durable else 'off'}\n")
    ready = [str(where / "pg_isready"), "-q", "-h", str(folder), "-p", str(server.port)]
    command = [*as_user, str(where / "postgres"), "-D", str(folder / "data")]
    with running(command, folder, lambda: subprocess.run(ready).returncode == 0) as process:
        yield server
        process.send_signal(signal.SIGQUIT)  # at once: there is nothing to keep
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
