import json

import polars as pl
import pytest

from ocsf_pipeline.events.shapes import (
    MAX_LEAVES,
    Kind,
    count_decoded,
    count_keys,
    dtype_of,
    find_common_shape,
    find_shape,
    shape_from_json,
)


def _counts(text: str, sample: str) -> tuple[int, int]:
    shape = find_common_shape([sample])
    frame = pl.DataFrame({"text": [text]})
    frame = frame.with_columns(pl.col("text").str.json_decode(dtype_of(shape)).alias("decoded"))
    return frame.select(
        count_keys(pl.col("text")).alias("keys"),
        count_decoded(pl.col("decoded"), shape).alias("decoded_count"),
    ).row(0)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a":1}',
        '{"a": 1, "b": null}',
        '{"a":{"b":"x","c":null},"d":["1",2]}',
        '{"a":[{"x":1},{"x":2,"y":null}],"e":{}}',
        '{"a":"say \\"b\\":1","c":"\\"n\\":null"}',
        '{"a":":null","b":"\\":null"}',
        '{"":"empty name"}',
    ],
)
def test_known_fields_are_all_counted(text: str) -> None:
    keys, decoded = _counts(text, text)
    assert keys == decoded


@pytest.mark.parametrize(
    "extra",
    ['"new":1', '"a\\\\":1', '"new" :1', '"n":":null"', '"n":"\\":null"', '"\\\\":null,"n":[[1]]',
     '"\\"n":{"x":[{"y":[]}]}', '"n"\n:1', '"n":{}'],
)  # fmt: skip
def test_unknown_field_never_goes_unnoticed(extra: str) -> None:
    keys, decoded = _counts('{"a":"x",' + extra + "}", '{"a":"x"}')
    assert keys != decoded


def test_shapes_that_disagree_are_opaque() -> None:
    shape = find_common_shape(['{"a":1,"b":1}', '{"a":{"x":1},"b":null}', "nonsense", None])
    assert shape.fields["a"].kind is Kind.OPAQUE
    assert shape.fields["b"].kind is Kind.TEXT


def test_shape_is_bounded() -> None:
    wide = json.dumps({"wide": {f"k{n}": n for n in range(5000)}, "user": "alice"})
    shape = find_shape(wide)
    assert shape is not None
    assert sum(1 for _ in shape.list_leaves()) <= MAX_LEAVES
    assert shape.fields["user"].kind is Kind.TEXT
    deep = find_shape('{"a":' * 50 + "1" + "}" * 50)
    assert deep is not None
    assert list(deep.list_leaves()) == []


def test_shape_survives_json() -> None:
    shape = find_common_shape(['{"a":{"b":[1]},"r":[{"x":1}],"n":null,"o":[[1]]}'])
    assert shape_from_json(json.loads(json.dumps(shape.to_json()))) == shape
