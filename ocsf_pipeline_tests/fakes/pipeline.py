"""The real wiring on a temporary folder: real stores, tables and definitions, few packs, no model.

Belongs here: resources for end-to-end tests and the objects they drop. Does not belong here: any
expectation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.adapters.object_store import ObstoreObjects, open_object_store
from ocsf_pipeline.adapters.pack_files import read_packs
from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.definitions import build_defs
from ocsf_pipeline.knowledge.packs import SourcePack
from ocsf_pipeline.logs.layout import format_hour_folder, format_partition
from ocsf_pipeline.ports import ClassIndex, Embedder, Reranker
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.indexes import choose_index
from ocsf_pipeline.steps.security_lake import Lake
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder

HOUR = datetime(2026, 11, 20, 10, tzinfo=UTC)
PACKS = ("linux_sshd", "nginx", "cisco_duo", "squid", "bind", "isc_dhcpd", "vsftpd", "openvpn")


class ChosenPacks:
    """A few of the installed packs, so that training takes a second."""

    def __init__(self, names: Sequence[str] = PACKS) -> None:
        self.packs: dict[str, SourcePack] = {
            name: pack for name, pack in read_packs().items() if name in names
        }

    def read_packs(self) -> Mapping[str, SourcePack]:
        return self.packs


@dataclass
class Pipeline:
    """All resources and the definitions over them."""

    folder: Path
    packs: ChosenPacks
    settings: Settings
    objects: ObstoreObjects
    artefacts: ObstoreObjects
    tables: ClickHouseTables
    definitions: dg.Definitions
    embedder: Embedder
    class_index: ClassIndex

    def drop(self, name: str, body: bytes, hour: datetime = HOUR) -> str:
        """Put an object into an hour; return its key."""
        key = f"{format_hour_folder('logs', hour)}/{name}"
        self.objects.write_object(key, body)
        return key

    def run(
        self,
        job: str,
        instance: dg.DagsterInstance,
        hour: datetime | None = None,
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """Run a job in this process, as a run of its own."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=format_partition(hour) if hour else None,
            raise_on_error=raise_on_error,
        )


def build_pipeline(
    folder: Path,
    packs: ChosenPacks | None = None,
    reranker: Reranker | None = None,
    indexes: tuple[ClassIndex, ...] = (),
    schema_version: str = "1.8.0",
    drop_window: timedelta | None = None,
) -> Pipeline:
    """Build everything below `folder`; without `indexes` with an embedded one."""
    packs = packs or ChosenPacks()
    settings = Settings(data_dir=folder, drop_settle_seconds=0, schema_version=schema_version)
    if drop_window is not None:
        hours = int(drop_window / timedelta(hours=1))
        settings = settings.model_copy(update={"drop_window_hours": hours})
    objects = open_object_store(str(folder / "objects"))
    artefacts = open_object_store(str(folder / "artefacts"))
    embedder = FakeEmbedder()
    tables = ClickHouseTables(f"chdb://{folder / 'tables'}")
    indexes = indexes or (EmbeddedClassIndex(artefacts, embedder),)
    resources = {
        "settings": settings,
        "objects": objects,
        "artefacts": artefacts,
        "schema_source": EmbeddedSchemaSource(),
        "source_packs": packs,
        "embedder": embedder,
        "class_indexes": indexes,
        "reranker": reranker,
        "event_tables": tables,
        "notifier": None,
        "security_lake": Lake(
            open_object_store(str(folder / "lake")), "ocsf", "eu-central-1", "123456789012"
        ),
    }
    wrapped = {key: dg.ResourceDefinition.hardcoded_resource(v) for key, v in resources.items()}
    # As in production, the choice is made anew for each step.
    wrapped["class_index"] = dg.ResourceDefinition(lambda _: choose_index(indexes))
    definitions = build_defs(wrapped)
    return Pipeline(
        folder, packs, settings, objects, artefacts, tables, definitions, embedder, indexes[0]
    )


def make_ssh_lines(count: int, minute: int = 0) -> bytes:
    """Return syslog lines of failed and accepted SSH logons."""
    words = ("Failed password for invalid user u{0}", "Accepted password for u{0}")
    lines = [
        f"Nov 20 10:{minute:02}:{number % 60:02} host{number % 3} sshd[{1000 + number}]: "
        + words[number % 2].format(number)
        + f" from 198.51.100.{number % 250} port {40000 + number} ssh2"
        for number in range(count)
    ]
    return ("\n".join(lines) + "\n").encode()


def make_duo_lines(count: int) -> bytes:
    """Return bare NDJSON of a cloud product."""
    events = [
        {
            "timestamp": 1_763_632_800 + number,
            "eventtype": "authentication",
            "event_type": "authentication",
            "user": {"name": f"user{number}", "key": f"K{number}"},
            "result": "success" if number % 3 else "denied",
            "access_device": {"ip": f"203.0.113.{number % 250}"},
            "factor": "duo_push",
        }
        for number in range(count)
    ]
    return "\n".join(json.dumps(event) for event in events).encode()
