import polars as pl
import pytest

from ocsf_pipeline.events.schema_view import AttributeView, view_schema
from ocsf_pipeline.events.values import cast_enum, cast_text, clean_text
from ocsf_pipeline_tests.fakes.mapped_logs import read_schema


def _attribute(path: str, class_uid: int = 4001) -> AttributeView:
    view = view_schema(read_schema())
    resolved = view.resolve_path(view.classes[class_uid], path)
    assert resolved is not None
    return resolved.leaf


def _cast(text: str, path: str, class_uid: int = 4001) -> object:
    frame = pl.DataFrame({"text": [text]})
    return frame.select(cast_text(pl.col("text"), _attribute(path, class_uid))).item()


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("src_endpoint.ip", "192.0.2.1", "192.0.2.1"),
        ("src_endpoint.ip", "2001:db8::1", "2001:db8::1"),
        ("src_endpoint.ip", "256.0.2.1", None),
        ("src_endpoint.ip", "192.0.2.1:443", None),
        ("src_endpoint.ip", "192.0.2.1\n", None),
        ("src_endpoint.port", "0", 0),
        ("src_endpoint.port", "65535", 65535),
        ("src_endpoint.port", "65536", None),
        ("src_endpoint.port", "-1", None),
        ("src_endpoint.port", "0x1bb", 443),
        ("src_endpoint.mac", "aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"),
        ("src_endpoint.mac", "aabb.ccdd.eeff", None),
        ("traffic.bytes", "12", 12),
        ("traffic.bytes", "12.5", None),
        ("traffic.bytes", "99999999999999999999", None),
        ("start_time", "1772447400", 1772447400000),
        ("start_time", "1772447400250", 1772447400250),
        ("start_time", "1772447400250000", 1772447400250),
        ("start_time", "1772447400250000000", 1772447400250),
        ("start_time", "1772447400.25", 1772447400250),
        ("start_time", "2026-03-02T10:30:00Z", 1772447400000),
        ("start_time", "2026-03-02 10:30:00.250", 1772447400250),
        ("start_time", "2026-03-02T12:30:00+02:00", 1772447400000),
        ("start_time", "0", None),
        ("start_time", "soon", None),
        ("is_src_dst_assignment_known", "TRUE", True),
        ("is_src_dst_assignment_known", "no", False),
        ("is_src_dst_assignment_known", "maybe", None),
    ],
)
def test_cast_by_type(path: str, text: str, expected: object) -> None:
    assert _cast(text, path) == expected


def test_text_enum_takes_the_schema_s_spelling() -> None:
    assert _cast("get", "http_request.http_method", 4002) == "GET"
    assert _cast("FETCH", "http_request.http_method", 4002) is None


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("severity_id", "warning", 2),
        ("severity_id", "HIGH", 4),
        ("severity_id", "purple", 99),
        ("status_id", "Succeeded", 1),
        ("status_id", "denied", 2),
        ("connection_info.direction_id", "ingress", 1),
    ],
)
def test_words_become_enum_numbers(path: str, text: str, expected: int) -> None:
    frame = pl.DataFrame({"text": [text]})
    assert frame.select(cast_enum(pl.col("text"), _attribute(path))).item() == expected


def test_empty_words_are_no_value() -> None:
    frame = pl.DataFrame({"text": ["", "-", "N/A", "x"]})
    assert frame.select(clean_text(pl.col("text"))).to_series().to_list() == [None, None, None, "x"]
