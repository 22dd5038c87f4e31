"""A print server of the test's own: CUPS on a socket in a folder, with one queue and no printer."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import require, running

QUEUE = "SLIPS"


@dataclass(frozen=True)
class Printer:
    """`spool` is where the server keeps what it took, `socket` where clients find it."""

    queue: str
    spool: Path
    socket: Path

    def taken(self) -> list[bytes]:
        """The documents, oldest first: CUPS keeps them for a day."""
        return [path.read_bytes() for path in sorted(self.spool.glob("d*"))]

    def listed(self) -> list[bytes]:
        """What the queue says of each job: IPP attributes, its title among them."""
        return [path.read_bytes() for path in sorted(self.spool.glob("c*"))]

    def run(self, program: str, *arguments: str) -> str:
        where = {**os.environ, "CUPS_SERVER": str(self.socket)}
        done = subprocess.run(
            [require(program), *arguments], env=where, capture_output=True, text=True, check=True
        )
        return done.stdout


FILES = """
ServerRoot {root}/etc
StateDir {root}/run
RequestRoot {root}/spool
CacheDir {root}/cache
AccessLog {root}/log/access
ErrorLog {root}/log/error
PageLog {root}/log/page
FileDevice Yes
User lp
Group lp
"""
SERVER = """
Listen {root}/run/cups.sock
DirtyCleanInterval 0
Browsing Off
WebInterface No
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  <Limit All>
    Order deny,allow
  </Limit>
</Policy>
"""


@contextmanager
def cups() -> Iterator[Printer]:
    """Its folder is not pytest's: the account `lp` must get in, and a socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="kiosk-cups-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        for name in ("etc", "run", "spool", "cache", "log"):
            (root / name).mkdir()
        printer = Printer(QUEUE, root / "spool", root / "run/cups.sock")
        (root / "etc/cups-files.conf").write_text(FILES.format(root=root))
        (root / "etc/cupsd.conf").write_text(SERVER.format(root=root))
        if os.getuid() == 0:  # cupsd will not run its parts as root
            for path in root.rglob("*"):
                shutil.chown(path, "lp", "lp")
        command = [require("cupsd"), "-f", "-c", str(root / "etc/cupsd.conf")]
        command += ["-s", str(root / "etc/cups-files.conf")]
        with running(command, root, lambda: answers(printer)):
            printer.run("lpadmin", "-p", QUEUE, "-E", "-v", "file:/dev/null", "-m", "raw")
            yield printer


def answers(printer: Printer) -> bool:
    try:
        printer.run("lpstat", "-r")
    except subprocess.CalledProcessError:
        return False
    return printer.socket.exists()
