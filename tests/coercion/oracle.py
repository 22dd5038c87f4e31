"""The same coercion as pydicom would do it: read the header, edit attributes, write it again.

Slow, and only exact for well-formed headers, but written against another library: what it writes
for them is what `apply` has to write.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag

from kiosk.model.delivery import Attribute, Plan

ALWAYS = ("AccessionNumber", "PatientID", "IssuerOfPatientID")


def coerced_by_pydicom(header: bytes, implicit: bool, little: bool, plan: Plan) -> bytes:
    ds = read_dataset(io.BytesIO(header), implicit, little)
    old = read_dataset(io.BytesIO(header), implicit, little)
    stated, issuer = str(ds.get("PatientID", "")), str(ds.get("IssuerOfPatientID", ""))
    changed = [a for a in plan.attributes if _differs(ds, a)]
    to_utf8 = not _fits(ds, plan)
    if to_utf8:  # pydicom keeps what is not decoded before the change in the old character set
        ds.decode()
        old.decode()
    keywords = {Tag(a.tag) for a in changed}
    for a in changed:
        if a.vr == "SQ" and not a.items:
            del ds[a.tag]
        else:
            ds[a.tag] = element(a)
    if to_utf8:
        ds.SpecificCharacterSet = "ISO_IR 192"
        keywords.add(Tag("SpecificCharacterSet"))
    if Tag("PatientID") in keywords or Tag("IssuerOfPatientID") in keywords:
        other_number = Tag("PatientID") in keywords
        if plan.keep_stated_id and stated and (issuer or other_number):
            _append(ds, "OtherPatientIDsSequence", _other_id(stated, issuer))
    for a in plan.appended:
        item = dataset(a.items[0])
        if a.tag == Tag("OriginalAttributesSequence"):
            if not keywords:
                continue
            item.ModifiedAttributesSequence = [_modified(old, keywords)]
        _append(ds, a.tag, item)
    return written(ds, implicit, little)


def written(ds: Dataset, implicit: bool, little: bool) -> bytes:
    fp = DicomBytesIO()
    fp.is_implicit_VR, fp.is_little_endian = implicit, little
    write_dataset(fp, ds)
    return fp.getvalue()


def element(a: Attribute) -> DataElement:
    return DataElement(a.tag, a.vr, [dataset(i) for i in a.items] if a.vr == "SQ" else a.value)


def dataset(attributes: Iterable[Attribute]) -> Dataset:
    ds = Dataset()
    for a in attributes:
        ds.add(element(a))
    return ds


def _differs(ds: Dataset, a: Attribute) -> bool:
    now = ds[a.tag].value if a.tag in ds else None
    if a.vr == "SQ":
        return bool(now or a.items)
    return str(now or "") != a.value


def _texts(attributes: Iterable[Attribute]) -> Iterable[str]:
    for a in attributes:
        yield a.value
        for item in a.items:
            yield from _texts(item)


def _fits(ds: Dataset, plan: Plan) -> bool:
    codec = {"ISO_IR 100": "latin-1", "ISO_IR 144": "iso8859_5", "ISO_IR 192": "utf-8"}.get(
        str(ds.get("SpecificCharacterSet", "")), "ascii"
    )
    try:
        for text in _texts((*plan.attributes, *plan.appended)):
            text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _append(ds: Dataset, where: str | int, item: Dataset) -> None:
    tag = Tag(where)
    if tag in ds:
        ds[tag].value.append(item)
    else:
        ds[tag] = DataElement(tag, "SQ", [item])


def _other_id(stated: str, issuer: str) -> Dataset:
    item = Dataset()
    item.PatientID = stated
    if issuer:
        item.IssuerOfPatientID = issuer
    item.TypeOfPatientID = "TEXT"
    return item


def _modified(old: Dataset, tags: set[int]) -> Dataset:
    item = Dataset()
    for tag in sorted({*tags, *map(Tag, ALWAYS)}):
        if tag in old:
            item[tag] = old[tag]
        else:
            item.add_new(tag, "SQ" if "Sequence" in str(Tag(tag)) else _vr(tag), None)
    return item


def _vr(tag: int) -> str:
    return dictionary_VR(tag)
