"""Whatever a disc brings, `apply` answers with a coerced header or with a refusal."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from kiosk.coercion import apply
from kiosk.coercion.encoding.elements import (
    DEPTH,
    EXPLICIT,
    IMPLICIT,
    Malformed,
    encode,
    encode_item,
)
from kiosk.coercion.preparing.expanding import expanded
from kiosk.coercion.rewriting import rewrite
from kiosk.model.delivery import CoercionRefused
from kiosk.model.medium import staged_name
from tests.coercion.build import instance_of, named, plan_for

CT = Path(str(get_testdata_file("CT_small.dcm")))
SR = Path(str(get_testdata_file("reportsi.dcm")))
PLANS = [plan_for(CT), plan_for(CT, named("山田"))]
UID = encode(0x00080018, b"UI", b"1.2.3", EXPLICIT)


@pytest.mark.parametrize("path", [CT, SR], ids=["ct", "sr"])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_header_with_flipped_bytes_is_coerced_or_refused(path: Path, data: st.DataObject) -> None:
    instance = instance_of(path)
    header = bytearray(path.read_bytes()[instance.dataset_offset : instance.pixel_offset])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(header) - 1))
        header[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 1)) * data.draw(st.integers(0, len(header)))
    for plan in PLANS:
        for encoding in (EXPLICIT, IMPLICIT):
            try:
                new, _ = rewrite(bytes(header[: len(header) - cut]), encoding, plan)
            except Malformed:
                continue
            assert new


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_a_big_endian_or_deflated_file_with_flipped_bytes_is_written_anew_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["MR_small_bigendian.dcm", "image_dfl.dcm"]))
    path, folder = Path(str(get_testdata_file(name))), tmp_path_factory.mktemp("flipped")
    instance = replace(instance_of(path), file=1)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(instance.dataset_offset, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([0, 1, 1000, len(content)]))
    (folder / staged_name(1)).write_bytes(content[: len(content) - cut])
    try:
        made = expanded(folder, instance, 10_000_000)
    except Malformed:
        return
    assert (folder / staged_name(made.file)).stat().st_size >= made.pixel_offset


def nested(depth: int, *, undefined: bool) -> bytes:
    content = b""
    for _ in range(depth):
        if undefined:
            item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + content
            item += struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
            content = struct.pack("<HH2sHL", 0x0008, 0x1110, b"SQ", 0, 0xFFFFFFFF) + item
            content += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
        else:
            content = encode(0x00081110, b"SQ", encode_item(content, EXPLICIT), EXPLICIT)
    return UID + content


@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_nested_too_deep_are_refused_at_once(*, undefined: bool) -> None:
    with pytest.raises(Malformed, match="nested"):
        rewrite(nested(5000, undefined=undefined), EXPLICIT, PLANS[1])
    assert rewrite(nested(DEPTH - 2, undefined=undefined), EXPLICIT, PLANS[1])


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"", "not the data set"),
        (UID + UID, "twice"),
        (UID[:-3], "cut short|longer"),
        (UID + struct.pack("<HH2sHL", 8, 0x1110, b"SQ", 0, 0xFFFFFFFF), "no end"),
        (UID + struct.pack("<HH2sHL", 8, 0x1110, b"OB", 0, 0xFFFFFFF0), "longer"),
        (UID + struct.pack("<HH2sH", 8, 0x1110, b"??", 0), "VR"),
    ],
    ids=["empty", "twice", "cut", "endless", "huge", "vr"],
)
def test_what_cannot_be_cut_into_elements_is_refused_with_the_reason(
    header: bytes, says: str
) -> None:
    with pytest.raises(Malformed, match=says):
        rewrite(header, EXPLICIT, PLANS[0])


def test_a_refusal_says_nothing_of_the_patient(tmp_path: Path) -> None:
    instance = instance_of(CT)
    path = tmp_path / "cut.dcm"
    path.write_bytes(CT.read_bytes()[:900])
    with pytest.raises(CoercionRefused) as refusal:
        apply(path, replace(instance, pixel_offset=900), PLANS[0])
    assert "CompressedSamples" not in str(refusal.value)
    assert "1CT1" not in str(refusal.value)


def test_a_uid_that_is_none_is_not_put_into_the_meta_group() -> None:
    with pytest.raises(CoercionRefused, match="UID"):
        apply(CT, replace(instance_of(CT), sop_instance_uid="1.2.é"), PLANS[0])


def test_attributes_out_of_order_are_put_in_order() -> None:
    rows = encode(0x00280010, b"US", b"\1\0", EXPLICIT)
    new, _ = rewrite(rows + UID, EXPLICIT, PLANS[0])
    assert new.index(UID) < new.index(rows)
