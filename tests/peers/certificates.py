"""Certificates for tests, made by the openssl command: an authority and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers import LOOPBACK, require

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Issued:
    certificate: Path
    key: Path


class Authority:
    """`ca` is its own certificate. Everything lies in `folder`, as PEM."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.ca = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl(
            "req", "-x509", *_KEY, "-keyout", self._key, "-out", self.ca, "-subj", f"/CN={name}"
        )

    def issue(self, name: str, address: str = LOOPBACK, valid_days: int = 30) -> Issued:
        """A certificate for `address`; with `valid_days` below 0 it has expired."""
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request = self._folder / f"{name}.csr"
        whom = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{address}")
        _openssl("req", "-new", *_KEY, "-keyout", issued.key, "-out", request, *whom)
        signer = ("-CA", self.ca, "-CAkey", self._key, "-copy_extensions", "copy")
        days = ("-days", str(valid_days))
        _openssl("x509", "-req", "-in", request, *signer, *days, "-out", issued.certificate)
        return issued


def _openssl(*arguments: str | Path) -> None:
    command = [require("openssl"), *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
