"""Who is told that outside scans are there, were held, or were taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kiosk.policy.conditions import Condition
from kiosk.policy.sections import LOOPBACK, Port, Section, Tls

Topic = Literal["available", "held", "recalled", "emergency"]


class Receiver(Section):
    """One system or mailbox. `hl7`: ORU^R01 over MLLP to `host` and `port`. `fhir`: an ImagingStudy
    at the R4 server of `url`. `webhook`: signed JSON to `url`. `mail`: a line without patient data
    by the SMTP server at `host` and `port`. `when`: only studies that fit, as in routing."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    kind: Literal["hl7", "fhir", "webhook", "mail"]
    # "emergency": somebody used emergency access at a screen (by mail only).
    of: Annotated[tuple[Topic, ...], Field(min_length=1)] = (
        "available",
        "recalled",
    )
    when: Condition = Condition()
    host: str = ""
    port: Port = 2576
    tls: Tls | None = None
    url: str = ""
    application: str = "EHR"  # MSH-5
    facility: str = ""  # MSH-6
    username: str = ""
    password_file: Path | None = None
    token_file: Path | None = None  # a bearer token, read anew for each request
    secret_file: Path | None = None  # what webhooks are signed with (HMAC-SHA256)
    sender: str = ""
    recipients: tuple[str, ...] = ()
    answer_seconds: float = 30.0

    @model_validator(mode="after")
    def _can_be_reached(self) -> Receiver:
        needed = {
            "hl7": ("host",),
            "fhir": ("url",),
            "webhook": ("url", "secret_file"),
            "mail": ("host", "sender", "recipients"),
        }
        missing = [name for name in needed[self.kind] if not getattr(self, name)]
        if missing:
            raise ValueError(f"is a receiver of kind {self.kind} without {', '.join(missing)}")
        if "emergency" in self.of and self.kind != "mail":
            raise ValueError("is told of emergency access, which goes by mail only")
        return self

    @model_validator(mode="after")
    def _never_in_the_clear(self) -> Receiver:
        """What names a patient leaves the machine encrypted; mail names none."""
        near = self.host in LOOPBACK or self.url.startswith(
            tuple(f"http://{host}" for host in ("127.0.0.1", "[::1]", "localhost"))
        )
        safe = self.tls is not None or self.url.startswith("https://")
        if self.kind != "mail" and not (near or safe):
            raise ValueError("names patients: it needs tls, or an https URL")
        return self
