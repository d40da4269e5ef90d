"""Postgres, an S3 server and the tables' front: what images bring, from this machine's packages.

Belongs here: finding, preparing and naming the commands. Does not belong here: our own services.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import boto3

from ocsf_pipeline_tests.rehearsal.plan import ADDRESSES, BIN, Plan, Process

_MISSING_POSTGRES = "Postgres is not installed; on Debian: apt-get install postgresql"


def find_postgres() -> Path:
    """Return the folder of Postgres's programs. Raises SystemExit when there is none."""
    found = shutil.which("initdb")
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *([Path(found).parent] if found else [])]
    for folder in sorted(folders, reverse=True):
        if (folder / "initdb").exists():
            return folder
    raise SystemExit(_MISSING_POSTGRES)


def prepare_postgres(plan: Plan) -> Process:
    """Make a cluster as the image of docker-compose.yml would, and return its process."""
    programs, given = find_postgres(), plan.environment("postgres")
    # Postgres refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-postgres-"))
    password = folder / "password"
    password.write_text(given["POSTGRES_PASSWORD"])
    if user:
        shutil.chown(folder, user)
        shutil.chown(password, user)
    environment = {**given, "PATH": f"{programs}:{given['PATH']}", "HOME": str(folder)}
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", "-U", given["POSTGRES_USER"],
         f"--pwfile={password}", "--auth-local=trust", given["POSTGRES_INITDB_ARGS"]],
        check=True, capture_output=True, user=user, env=environment, cwd=folder,
    )  # fmt: skip
    command = (
        "postgres", "-D", str(folder / "data"), "-h", ADDRESSES["postgres"], "-p", "5432",
        "-k", str(folder),
    )  # fmt: skip
    health = ("pg_isready", "-h", ADDRESSES["postgres"], "-U", given["POSTGRES_USER"])
    return Process("postgres", command, environment, health, user)


def create_database(process: Process) -> None:
    """Create the database that the image creates at its first start."""
    given = process.environment
    where = ("-h", ADDRESSES["postgres"], "-U", given["POSTGRES_USER"])
    subprocess.run(
        ["createdb", *where, given["POSTGRES_DB"]],
        check=True, env={**given, "PGPASSWORD": given["POSTGRES_PASSWORD"]}, capture_output=True,
    )  # fmt: skip


def plan_s3(plan: Plan) -> Process:
    """Return moto's server, which speaks S3's protocol and keeps objects in memory."""
    environment = plan.environment("s3")
    url = f"http://{ADDRESSES['s3']}:8333/moto-api/"
    return Process(
        "s3", ("moto_server", "-H", ADDRESSES["s3"], "-p", "8333"), environment, _ask(url)
    )


def open_s3(plan: Plan) -> object:
    """Return boto3's client of it."""
    given = plan.environment("code")
    return boto3.client(
        "s3", endpoint_url=given["AWS_ENDPOINT_URL"], region_name=given["AWS_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def plan_tables(plan: Plan) -> Process:
    """Return the front over chDB."""
    host, folder = ADDRESSES["clickhouse"], plan.folder / "tables" / "chdb"
    folder.parent.mkdir(parents=True, exist_ok=True)
    module = "ocsf_pipeline_tests.rehearsal.tables"
    return Process(
        "clickhouse", (str(BIN / "python"), "-m", module, host, "8123", str(folder)),
        plan.environment("clickhouse"), _ask(f"http://{host}:8123/ping"),
    )  # fmt: skip


def plan_engine(plan: Plan) -> Process:
    """Return the stand-in for the container engine."""
    host = ADDRESSES["docker-api"]
    module = "ocsf_pipeline_tests.rehearsal.engine"
    return Process(
        "docker-api", (str(BIN / "python"), "-m", module, host, "2375", str(plan.folder / "runs")),
        plan.environment("docker-api"), _ask(f"http://{host}:2375/_ping"),
    )  # fmt: skip


def _ask(url: str) -> tuple[str, ...]:
    code = f"import urllib.request as r; r.urlopen({url!r}, timeout=5)"
    return (str(BIN / "python"), "-c", code)
