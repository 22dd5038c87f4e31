"""The DICOM Conformance Statement, in the structure of PS3.2 Annex A."""

from __future__ import annotations

from kiosk import __version__
from kiosk.cli.stating import tables
from kiosk.delivery.commitment import COMMITMENT
from kiosk.delivery.querying import STUDY_ROOT_FIND, VERIFICATION
from kiosk.delivery.retrieving import STUDY_ROOT_GET
from kiosk.delivery.scheduled.asking import WORKLIST_FIND
from kiosk.delivery.sending import MAX_CONTEXTS
from kiosk.delivery.steps.report import PERFORMED_STEP
from kiosk.inbound.dicomweb.service import PATH
from kiosk.inbound.dimse.negotiation import APPLICATION_CONTEXT
from kiosk.model.delivery import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, REJECTED
from kiosk.policy.sections import Destination, Inbound, Site

SERVICES = (
    ("Verification", VERIFICATION, "SCU, SCP"),
    ("Storage (all SOP classes of 4.2)", "see 4.2", "SCU, SCP"),
    ("Storage Commitment Push Model", COMMITMENT, "SCU"),
    ("Study Root Query/Retrieve - FIND", STUDY_ROOT_FIND, "SCU"),
    ("Study Root Query/Retrieve - GET", STUDY_ROOT_GET, "SCU, at verification level 3"),
    ("Modality Worklist - FIND", WORKLIST_FIND, "SCU, where a `[[source]]` is configured"),
    ("Modality Performed Procedure Step", PERFORMED_STEP, "SCU, where a manager is configured"),
)
WEB = (
    ("STOW-RS, `application/dicom`", "user agent", "one streamed multipart request a study"),
    ("STOW-RS, `application/dicom`", "origin server", f"`{PATH}`; answered once it is on disk"),
    ("QIDO-RS, instances of a study", "user agent", "proof of arrival"),
    ("WADO-RS, instance", "user agent", "comparison of pixel data (level 3)"),
)


def conformance_statement() -> str:
    """The whole statement as Markdown."""
    parts = (_cover(), _overview(), _networking(), _web(), _media(), _transformation(), _rest())
    return "\n\n".join(parts) + "\n"


def _cover() -> str:
    return f"""# Kiosk {__version__}: DICOM Conformance Statement

Written by `kiosk conformance` from the tables that the program acts by; the configuration of a
site (`kiosk.toml`) narrows what is said here. Structure: PS3.2 Annex A.

**What was not verified.** The Standard's text of about 2020 was read for PS3.2 to PS3.18 as far
as this statement names sections; later editions, and the whole of IHE RAD TF, were not at hand.
SOP class and UID names are those of the data dictionary of pydicom. Nothing here was certified
by anybody."""


def _overview() -> str:
    return f"""## 1 Conformance statement overview

A portable media importer: it reads patients' media, gives every instance the local patient's
identity, sends it to one or more archives by DIMSE or DICOMweb, and proves that it arrived.

{tables.table(("Network service", "SOP class UID", "Role"), SERVICES)}

Media: file-set reader (FSR) of CD, DVD, BD, USB and ZIP; see 5. DICOMweb: STOW-RS as user agent
and origin server, QIDO-RS and WADO-RS as user agent; see 4.5."""


def _entities() -> list[tuple[str, str, str]]:
    own, door, site = Destination(name="X"), Inbound(), Site()
    contexts = f"{MAX_CONTEXTS} an association, more by further associations"
    at_once = f"{own.associations} for each archive, 8 at most"
    return [
        ("AE title", f"`{site.ae_title}`, or one for each archive", "the same, or its own"),
        ("Implementation class UID", IMPLEMENTATION_CLASS_UID, "the same"),
        ("Implementation version name", IMPLEMENTATION_VERSION_NAME, "the same"),
        ("Application context", APPLICATION_CONTEXT, "the same"),
        ("Maximum PDU length (default)", f"{own.max_pdu}; the peer's holds", str(door.max_pdu)),
        ("Associations at once (default)", at_once, str(door.associations)),
        ("Presentation contexts", contexts, "as proposed"),
        ("Asynchronous operations", "none", "none"),
        ("SCP role selection", "for C-GET", "as proposed, for storage commitment reports"),
    ]


def _networking() -> str:
    own = Destination(name="X")
    return f"""## 4 Networking

### 4.1 Application entities

{tables.table(("", "Importer (SCU)", "Receiver (SCP)"), _entities())}

The importer opens an association when a study is released to an archive, sends each instance
with C-STORE, then asks for storage commitment (N-ACTION, its transaction kept) and queries the
archive for the set of SOP Instance UIDs and the identity that was sent. Commitment reports are
taken on the same association and, with `inbound.reports`, on one that the archive opens.
Commitment alone never counts as proof of identity. The receiver takes associations from
configured addresses (none: loopback only) and, where configured, calling AE titles.

### 4.2 Storage SOP classes

{tables.table(("SOP class", "UID", "Sent as", "Received as"), tables.sop_classes())}

Standard Extended and private Storage SOP classes are sent in the same way.

### 4.3 Status codes of C-STORE, as SCU

{tables.table(("Status", "Meaning", "Behaviour"), tables.statuses())}

No response in time, an abort or a lost connection: the outcome is unknown, and the instance is
sent again under the same SOP Instance UID. As SCP, 0000 says that the instance is on disk,
durably.

### 4.4 Configuration

AE titles, addresses, ports, time-outs (an answer: {own.answer_seconds:g} s, a connection:
{own.connect_seconds:g} s by default), PDU length, TLS, verification level and routing are set for
each peer in `kiosk.toml`; `kiosk check` tries them."""


def _web() -> str:
    return f"""### 4.5 DICOMweb

{tables.table(("Transaction", "Role", ""), WEB)}

Authentication as user agent: none, HTTP Basic, bearer token, OAuth 2.0 client credentials; as
origin server: none or HTTP Basic."""


def _media() -> str:
    return f"""## 5 Media interchange

File-set reader. The DICOMDIR is held against the files and never believed alone: every file with
a DICOM header is read, listed or not. ISO 9660, Joliet, Rock Ridge, UDF, FAT and ZIP; meant for
the application profiles STD-GEN-CD, -DVD, -BD, -USB and -ZIP, with and without compression.
Secure profiles (PS3.15 D.1) are recognised and refused.

### 5.1 Transfer syntaxes read, and how they are handed on

{tables.table(("Transfer syntax", "UID", "Handed on"), tables.transfer_syntaxes())}

Explicit VR Big Endian (1.2.840.10008.1.2.2, retired) and deflated data sets are written anew,
with every number's value unchanged. Pixel data of every other syntax are forwarded byte for
byte; their SHA-256 is taken when the medium is read and held against what is sent."""


def _transformation() -> str:
    rejected = ", ".join(f"({code.value}, {code.scheme})" for code in REJECTED.values())
    return f"""## 6 Coercion of attributes

Study, Series and SOP Instance UIDs are kept. A UID that is none (PS3.5 9.1), is missing, or
names two different instances is replaced, in every reference within the patient's studies on the
medium; so are those that an archive rejected, when a recalled import is sent again. The map is
kept with the plan.

{tables.table(("Attribute", "Tag", "Becomes"), tables.coerced_attributes())}

* Values that break their VR ({tables.mended_vrs()})
  are mended or emptied; UN becomes the dictionary's VR; odd lengths are padded; group lengths
  are left out.
* Digital signatures over what changed are left out, and that is recorded.
* Private elements are kept, dropped, or kept for listed creators (`coercion.private_elements`).
* The preamble is empty, the meta group is written anew.
* Reports beside the images become Encapsulated PDF or Secondary Capture instances of their study
  (`coercion.attachments`).
* A recalled import is rejected by a Key Object Selection Document titled {rejected}.

## 7 Support of character sets

Read: {tables.character_sets()},
alone or with code extensions. Written: the header's own set where it can say the new values,
else the whole data set becomes `ISO_IR 192`. No character is replaced by another; text outside
its declared set is read as UTF-8 or `ISO_IR 100`, and its bytes are kept."""


def _rest() -> str:
    return """## 8 Security

* TLS 1.2 or newer for DIMSE, DICOMweb, HL7 and syslog, with the peer's certificate checked
  against a configured authority and mutual authentication where a certificate is configured:
  meant for the BCP 195 profiles (PS3.15 B.12, B.13), whose text was read in part.
* What comes from a medium is read in child processes with limits on memory, time, files and
  system calls.
* Audit messages: PS3.15 A.5, by syslog over TLS.

## 9 Annexes

* **IODs created**: Encapsulated PDF, Secondary Capture (reports), Key Object Selection Document
  (rejection notes).
* **Private attributes, private SOP classes**: none are created.
* **Coded terms written**: (MEDIM, DCM, Portable Media Importer Equipment); rejection titles as
  above; performed procedure codes of CID 7008 in MPPS.
* **Grayscale, standard extended and specialised IODs**: none."""
