"""Other registers that are asked who a patient may be, `[[source]]` by `[[source]]`.

All optional. They are asked when our own list of patients does not settle a case; what they name
is compared by the same rules and always shown to a person. One that is down holds nothing up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kiosk.policy.sections import AETitle, Port, Section, Tls


class Source(Section):
    """One of them: `pdq` (IHE ITI-21, HL7 v2 over MLLP), `fhir` (PDQm, ITI-119 `$match` or ITI-78
    search, over HTTP) or `worklist` (modality worklist C-FIND, PS3.4 K)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    kind: Literal["pdq", "fhir", "worklist"]
    host: str = "127.0.0.1"
    port: Port = 3600
    ae_title: AETitle = "WORKLIST"
    calling_ae_title: AETitle | None = None  # None: the site's
    application: str = ""  # MSH-5 and MSH-6 of a PDQ supplier
    facility: str = ""
    url: str = ""  # FHIR service root
    operation: Literal["match", "search"] = "match"
    system: str = ""  # the identifier system in which a FHIR server keeps our own numbers
    token_file: Path | None = None  # a bearer token, sent over HTTPS only
    tls: Tls | None = None
    # Who gave the numbers that come without an authority; empty: nobody is named by such a number,
    # except in a worklist, which is in-house: there it is identity.local_issuer.
    authority: str = ""
    seconds: Annotated[float, Field(gt=0, le=60)] = 5.0  # for one question, from first to last byte
    most: Annotated[int, Field(ge=1, le=100)] = 20  # of the patients in one answer

    @model_validator(mode="after")
    def _reachable(self) -> Source:
        if self.kind == "fhir" and not self.url:
            raise ValueError("a FHIR source needs its url")
        if self.token_file and not self.url.startswith("https://"):
            raise ValueError("a token is sent over https only")
        return self
