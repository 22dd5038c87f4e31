"""The IHE Integration Statement."""

from __future__ import annotations

from kiosk import __version__
from kiosk.cli.stating.tables import table
from kiosk.model.registration import Effect

PROFILES = (
    ("Portable Data for Imaging (PDI)", "Portable Media Importer", "RAD-47; no Privacy Protection"),
    ("Import Reconciliation Workflow (IRWF)", "Importer", "RAD-59, RAD-60, RAD-61, RAD-10"),
    ("Patient Administration Management (PAM)", "Patient Demographics Consumer, Encounter Consumer",
     "ITI-30, ITI-31 as consumer"),
    ("Patient Demographics Query (PDQ)", "Patient Demographics Consumer",
     "ITI-21, where a `[[source]]` is configured"),
    ("Patient Demographics Query for Mobile (PDQm)", "Patient Demographics Consumer",
     "ITI-119 ($match) or ITI-78, where a `[[source]]` is configured"),
    ("Imaging Object Change Management (IOCM)", "Change Requester", "RAD-66, rejection notes"),
    ("Audit Trail and Node Authentication (ATNA)", "Secure Node", "ITI-19, ITI-20"),
    ("Consistent Time (CT)", "Time Client", "by the operating system"),
)  # fmt: skip

_WORDS = {
    Effect.UPSERT: "creates or updates the patient, and the visit",
    Effect.VISIT: "updates the visit; creates the patient when unknown",
    Effect.REMOVE: "hides the patient from the search",
    Effect.MERGE: "MRG-1 is merged into PID-3",
    Effect.CHANGE_ID: "MRG-1 is renamed to PID-3",
    Effect.MOVE_ID: "MRG-1 moves to the patient of PID-3",
    Effect.MOVE_VISIT: "the visit moves to the patient of PID-3",
    Effect.MERGE_ACCOUNT: "account MRG-3 is given up for PID-18; no patient is merged",
    Effect.MOVE_ACCOUNT: "account MRG-3 moves to the patient of PID-3; no patient is merged",
    Effect.LINK: "both records are linked and stay two",
    Effect.UNLINK: "the link is taken back",
    Effect.NONE: "accepted, nothing is kept",
}


def integration_statement() -> str:
    """The whole statement as Markdown."""
    return f"""# Kiosk {__version__}: IHE Integration Statement

Written by `kiosk conformance` from the tables that the program acts by.

**What was not verified.** The IHE RAD Technical Framework (Volume 1 sections 15 and 21, Volume 2
4.47, Volume 2x Appendix A.5) and the HL7 v2 chapters were not at hand: the RAD actors below were
built from supplements, public articles and IHE's own test tool, the ITI ones from ITI TF-2 as
published. No Connectathon has seen this product. "Meant for" is all that is claimed.

| Product | Version | Vendor |
|---|---|---|
| Kiosk | {__version__} | the Kiosk project (Apache-2.0) |

## Profiles and actors that it is meant for

{table(("Profile", "Actor", "Transactions and options"), PROFILES)}

## HL7 v2 messages received (MLLP, v2.1 to v2.8 read alike)

{table(("Trigger", "What it does"), _triggers())}

Acknowledged in original mode (MSA-1 AA, AE, AR) after the message is durable, in enhanced mode
where MSH-15 asks for it; a message with the MSH-10 of an earlier one has no second effect.
Character sets by MSH-18, else the feed's default. Batches (FHS, BHS) are answered by batches.

See the DICOM Conformance Statement for SOP classes, transfer syntaxes, security and coercion.
"""


def _triggers() -> list[tuple[str, str]]:
    rows: dict[Effect, list[str]] = {}
    for letter, numbers in (("A", range(1, 63)), ("O", range(1, 24)), ("S", range(12, 27))):
        for number in numbers:
            effect = Effect.of(f"{letter}{number:02}")
            if effect is not None:
                rows.setdefault(effect, []).append(f"{letter}{number:02}")
    return [(", ".join(triggers), _WORDS[effect]) for effect, triggers in rows.items()]
