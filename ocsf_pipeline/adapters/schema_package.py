"""SchemaSource over the releases that the PyPI package `ocsf-json-schema` carries: no network.

Belongs here: finding a release's file in the package. Does not belong here: parsing it.
"""

from __future__ import annotations

import hashlib
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from ocsf_pipeline.ports import PermanentPortError, SchemaDocument

_DISTRIBUTION = "ocsf-json-schema"


class EmbeddedSchemaSource:
    """The OCSF releases installed with this project."""

    def list_versions(self) -> list[str]:
        """Return the versions that can be fetched, sorted as text."""
        names = (entry.name for entry in _folder().iterdir())
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def fetch_schema(self, version: str) -> SchemaDocument:
        """Return the packaged release; raises PermanentPortError with the known versions."""
        known = self.list_versions()
        if version not in known:
            raise PermanentPortError(
                f"{_DISTRIBUTION} carries no OCSF {version!r}; choose one of {', '.join(known)}, "
                "or download it from a schema server"
            )
        body = (_folder() / f"{version}.json").read_bytes()
        return SchemaDocument(
            version=version,
            body=body,
            origin=f"package:{_DISTRIBUTION}",
            sha256=hashlib.sha256(body).hexdigest(),
            note=f"carried by {_DISTRIBUTION} {metadata.version(_DISTRIBUTION)}",
        )


def _folder() -> Traversable:
    return resources.files("ocsf_json_schema") / "ocsf"
