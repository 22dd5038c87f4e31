"""A hospital's directory: OpenLDAP's slapd that serves TLS only, in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

from tests.peers import LOOPBACK, accepts, free_port, require, running
from tests.peers.certificates import Authority

BASE = "dc=hospital,dc=example"
ADMIN = "fills-it"
READER, READER_SECRET = f"cn=kiosk,{BASE}", "reads the directory"
CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload retcode
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
security tls=1
disallow bind_anon
database mdb
maxsize 4194304
suffix "{base}"
directory {folder}/rows
overlay memberof
overlay retcode
retcode-parent "cn=answers,{base}"
retcode-indir
rootdn "cn=admin,{base}"
rootpw {admin}
access to attrs=userPassword by anonymous auth by * none
access to attrs=entry,objectClass,errCode,errOp by anonymous read by * break
access to * by dn.exact="{reader}" read by * none
"""


@dataclass(frozen=True)
class Slapd:
    port: int
    ca: Path
    plain_port: int  # speaks TLS when it is asked to

    @property
    def url(self) -> str:
        return f"ldaps://{LOOPBACK}:{self.port}"


def dn_of(uid: str) -> str:
    return f"uid={uid},ou=people,{BASE}"


def _entries(people: dict[str, str], closed: dict[str, int]) -> str:
    """As LDIF: accounts with their passwords; binding as a closed one has that result."""
    top = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Hospital\n"
    units = [f"dn: ou={n},{BASE}\nobjectClass: organizationalUnit\n" for n in ("people", "groups")]
    answers = {
        uid: f"objectClass: errAuxObject\nerrCode: {code}\nerrOp: bind\n"
        for uid, code in closed.items()
    }
    accounts = [
        f"dn: {dn_of(uid)}\nobjectClass: inetOrgPerson\n{answers.get(uid, '')}"
        f"cn: {uid.title()} Smith\nsn: Smith\n"
        f"uid: {uid}\nuserPassword: {secret}\n"
        for uid, secret in people.items()
    ]
    reader = (
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
        f"userPassword: {READER_SECRET}\n"
    )
    return "\n".join([top, *units, reader, *accounts])


def _groups(groups: dict[str, Sequence[str]]) -> str:
    return "\n".join(
        f"dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\n"
        + "".join(f"member: {dn_of(uid)}\n" for uid in uids)
        for name, uids in groups.items()
    )


@contextmanager
def slapd(
    folder: Path,
    people: dict[str, str],
    groups: dict[str, Sequence[str]],
    closed: dict[str, int] | None = None,
) -> Iterator[Slapd]:
    """Running, with these accounts and groups; away again after the block."""
    authority = Authority(folder)
    own = authority.issue("slapd")
    (folder / "rows").mkdir()
    config, entries = folder / "slapd.conf", folder / "entries.ldif"
    config.write_text(
        CONFIG.format(
            folder=folder,
            base=BASE,
            reader=READER,
            admin=ADMIN,
            ca=authority.ca,
            certificate=own.certificate,
            key=own.key,
        )
    )
    entries.write_text(_entries(people, closed or {}))
    fill = [require("slapadd"), "-q", "-f", str(config), "-l", str(entries)]
    run(fill, check=True, capture_output=True)
    port, plain = free_port(), free_port()
    listen = f"ldaps://{LOOPBACK}:{port}/ ldap://{LOOPBACK}:{plain}/"
    command = [require("slapd"), "-d", "0", "-f", str(config), "-h", listen]
    with running(command, folder, lambda: accepts(port) and accepts(plain)):
        found = Slapd(port, authority.ca, plain)
        # Over the wire, since only then it notes in each account which groups it is in.
        add = [require("ldapadd"), "-x", "-H", found.url, "-D", f"cn=admin,{BASE}", "-w", ADMIN]
        trust = os.environ | {"LDAPTLS_CACERT": str(authority.ca)}
        run(add, check=True, capture_output=True, env=trust, input=_groups(groups).encode())
        yield found
