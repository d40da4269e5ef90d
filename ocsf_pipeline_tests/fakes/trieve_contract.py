"""Checks what is sent to the Trieve stand-in, and what it answers.

Belongs here: the client library's own models, and the server's schemas where they lie beside this
project (they are not ours to carry). Does not belong here: the stand-in's behaviour.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

Json = dict[str, Any]
_CONTRACT = Path(__file__).parents[3] / "shared" / "trieve" / "contract.json"


def find_faults(operation: str, body: Any) -> list[str]:
    """Return what the real server would not understand in a request, as `METHOD /path`."""
    return [*_find_model_faults(operation, body), *_find_schema_faults(operation, body, "request")]


def find_answer_faults(operation: str, body: Any) -> list[str]:
    """Return where an answer of the stand-in differs from the server's."""
    return _find_schema_faults(operation, body, "response")


def has_schemas() -> bool:
    return _CONTRACT.exists()


def _find_model_faults(operation: str, body: Any) -> list[str]:
    import trieve_py_client as library

    models = {
        "POST /api/chunk": library.ChunkReqPayload,
        "POST /api/chunks/scroll": library.ScrollChunksReqPayload,
        "POST /api/chunk/search": library.SearchChunksReqPayload,
        "POST /api/dataset/batch_create_datasets": library.CreateDatasetBatchReqPayload,
    }
    if operation not in models:
        return []
    model = models[operation]
    faults = []
    for document in body if isinstance(body, list) else [body]:
        unknown = set(document) - set(model.model_fields)
        faults += [f"{operation}: no field {name!r}" for name in sorted(unknown)]
        try:
            _validate(library, model, document)
        except (ValueError, KeyError) as error:
            faults.append(f"{operation}: {error}")
    return faults


def _validate(library: Any, model: Any, document: Json) -> None:
    """Raise ValueError or KeyError for what the library's models refuse, and rightly so."""
    if model is library.SearchChunksReqPayload:
        # The model of a query refuses plain strings, which the server takes.
        library.SearchMethod(document["search_type"])
        str(document["query"])
    else:
        model.model_validate({k: v for k, v in document.items() if k != "filters"})
    for conditions in (document.get("filters") or {}).values():
        for condition in conditions:
            library.FieldCondition.from_dict(condition)


def _find_schema_faults(operation: str, body: Any, side: str) -> list[str]:
    validator = _load_validators().get((operation, side))
    if validator is None:
        return []
    return [
        f"{operation}, {side}, {error.json_path}: {error.message[:200]}"
        for error in validator.iter_errors(body)
    ]


@cache
def _load_validators() -> dict[tuple[str, str], Draft202012Validator]:
    if not has_schemas():
        return {}
    contract: Json = json.loads(_CONTRACT.read_text(encoding="utf-8"))
    return {
        (operation, side): Draft202012Validator(
            {"$ref": f"#/$defs/{named[side]}", **contract[f"{side}s"]}
        )
        for operation, named in contract["operations"].items()
        for side in ("request", "response")
        if named[side]
    }
