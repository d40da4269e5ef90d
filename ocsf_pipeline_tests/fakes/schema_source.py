"""A schema source in memory that honours `ports.SchemaSource` and can be unreachable."""

from __future__ import annotations

import hashlib

from ocsf_pipeline.ports import PermanentPortError, SchemaDocument, TransientPortError


class FakeSchemaSource:
    """Bodies by version. With `is_reachable` False it serves what it served before, as stale."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = dict(bodies)
        self.is_reachable = True
        self.requests: list[str] = []
        self._served: dict[str, SchemaDocument] = {}

    def fetch_schema(self, version: str) -> SchemaDocument:
        self.requests.append(version)
        if not self.is_reachable:
            return self._serve_again(version)
        if version not in self.bodies:
            raise PermanentPortError(f"no OCSF {version!r}; there are {sorted(self.bodies)}")
        body = self.bodies[version]
        document = SchemaDocument(
            version=version,
            body=body,
            origin="fake",
            sha256=hashlib.sha256(body).hexdigest(),
        )
        self._served[version] = document
        return document

    def _serve_again(self, version: str) -> SchemaDocument:
        if version not in self._served:
            raise TransientPortError("the fake is unreachable and holds no copy; try later")
        good = self._served[version]
        return SchemaDocument(
            version=good.version,
            body=good.body,
            origin=good.origin,
            sha256=good.sha256,
            is_stale=True,
            note="last good copy used: the fake is unreachable",
        )
