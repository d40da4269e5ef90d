"""One Dagster resource per port: each reads the settings and hands out the adapter they choose.

Belongs here: what Dagster asks for by the nouns of the ports. Does not belong here: choosing and
building adapters (`opening`). Settings are read when a run or a sensor asks for the resource.
"""

import dagster as dg

from ocsf_pipeline import opening
from ocsf_pipeline.ports import (
    ClassIndex,
    Embedder,
    EventTables,
    Notifier,
    ObjectStore,
    PackSource,
    Reranker,
    SchemaSource,
)
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.security_lake import Lake


class SettingsResource(dg.ConfigurableResource[Settings]):
    """The settings themselves, for limits and thresholds."""

    def create_resource(self, context: dg.InitResourceContext) -> Settings:
        """Read the environment."""
        return opening.load_settings()


class ObjectsResource(dg.ConfigurableResource[ObjectStore]):
    """Raw logs, by hour of arrival."""

    def create_resource(self, context: dg.InitResourceContext) -> ObjectStore:
        """Open the store that the settings name."""
        return opening.open_objects(opening.load_settings())


class ArtefactsResource(dg.ConfigurableResource[ObjectStore]):
    """What the pipeline keeps between runs."""

    def create_resource(self, context: dg.InitResourceContext) -> ObjectStore:
        """Open the store that the settings name."""
        return opening.open_artefacts(opening.load_settings())


class SchemaSourceResource(dg.ConfigurableResource[SchemaSource]):
    """OCSF schema exports."""

    def create_resource(self, context: dg.InitResourceContext) -> SchemaSource:
        """Choose between the schema server and the installed releases."""
        return opening.open_schema_source(opening.load_settings())


class SourcePacksResource(dg.ConfigurableResource[PackSource]):
    """What is known about products."""

    def create_resource(self, context: dg.InitResourceContext) -> PackSource:
        """Return the folders that the settings name."""
        return opening.open_packs(opening.load_settings())


class EmbedderResource(dg.ConfigurableResource[Embedder]):
    """The model that turns texts into vectors."""

    def create_resource(self, context: dg.InitResourceContext) -> Embedder:
        """Return the embedder of this process."""
        return opening.open_embedder(opening.load_settings())


class ClassIndexesResource(dg.ConfigurableResource[tuple[ClassIndex, ...]]):
    """Every copy of the knowledge base that is kept up to date."""

    def create_resource(self, context: dg.InitResourceContext) -> tuple[ClassIndex, ...]:
        """Open the indexes that the settings name; none is asked yet."""
        return opening.open_class_indexes(opening.load_settings())


class ClassIndexResource(dg.ConfigurableResource[ClassIndex]):
    """The searchable knowledge base."""

    def create_resource(self, context: dg.InitResourceContext) -> ClassIndex:
        """Open the index that the settings name."""
        return opening.open_class_index(opening.load_settings())


class RerankerResource(dg.ConfigurableResource[Reranker | None]):
    """A second opinion on what the ranker is unsure of; None unless the settings name one."""

    def create_resource(self, context: dg.InitResourceContext) -> Reranker | None:
        """Open the re-ranker that the settings name."""
        return opening.open_reranker(opening.load_settings())


class EventTablesResource(dg.ConfigurableResource[EventTables]):
    """The ClickHouse tables that analysts query."""

    def create_resource(self, context: dg.InitResourceContext) -> EventTables:
        """Open the tables that the settings name."""
        return opening.open_tables(opening.load_settings())


class NotifierResource(dg.ConfigurableResource[Notifier | None]):
    """Who is told of trouble; None unless the settings name somebody."""

    def create_resource(self, context: dg.InitResourceContext) -> Notifier | None:
        """Open the messengers that the settings name."""
        return opening.open_notifier(opening.load_settings())


class SecurityLakeResource(dg.ConfigurableResource[Lake | None]):
    """Where hours are exported to; None unless the settings name a lake."""

    def create_resource(self, context: dg.InitResourceContext) -> Lake | None:
        """Open the lake that the settings name."""
        return opening.open_security_lake(opening.load_settings())


def build_resources() -> dict[str, object]:
    """Return the production resources by key: the nouns of the ports."""
    return {
        "settings": SettingsResource(),
        "objects": ObjectsResource(),
        "artefacts": ArtefactsResource(),
        "schema_source": SchemaSourceResource(),
        "source_packs": SourcePacksResource(),
        "embedder": EmbedderResource(),
        "class_index": ClassIndexResource(),
        "reranker": RerankerResource(),
        "class_indexes": ClassIndexesResource(),
        "event_tables": EventTablesResource(),
        "notifier": NotifierResource(),
        "security_lake": SecurityLakeResource(),
    }
