"""TLS: the server's certificate is checked, and one of our own can be shown."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline.ports import TransientPortError
from ocsf_pipeline_tests.fakes.clickhouse_server import PASSWORD, USER, serve_clickhouse

OPTIONS = TablesOptions(connect_timeout_s=5, retry_count=0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tls")
    client = authority.issue_cert("pipeline@example.org")
    found = {name: folder / f"{name}.pem" for name in ("ca", "other", "cert", "key")}
    authority.cert_pem.write_to_path(found["ca"])
    trustme.CA().cert_pem.write_to_path(found["other"])
    client.cert_chain_pems[0].write_to_path(found["cert"])
    client.private_key_pem.write_to_path(found["key"])
    return found


@pytest.fixture(scope="module")
def address(authority: trustme.CA, files: dict[str, Path], chdb_folder: Path) -> Iterator[str]:
    """A server that wants to see a certificate of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.load_verify_locations(files["ca"])
    context.verify_mode = ssl.CERT_REQUIRED
    with serve_clickhouse(chdb_folder, tls=context) as server:
        yield f"https://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}/secured"


def test_both_sides_show_their_certificates(address: str, files: dict[str, Path]) -> None:
    shown = f"ca_cert={files['ca']}&client_cert={files['cert']}&client_cert_key={files['key']}"
    with ClickHouseTables(f"{address}?{shown}", options=OPTIONS) as tables:
        assert tables.migrate_tables()
        assert tables.run_query("SELECT 1 AS one").item() == 1


@pytest.mark.parametrize("trusted", ["other", "ca"])
def test_without_the_right_ones_nothing_is_sent(
    address: str, files: dict[str, Path], trusted: str
) -> None:
    """A server that is not trusted; then a trusted one to which no certificate is shown."""
    tables = ClickHouseTables(f"{address}?ca_cert={files[trusted]}", options=OPTIONS)
    with pytest.raises(TransientPortError, match="cannot be reached") as caught:
        tables.run_query("SELECT 1")
    assert PASSWORD not in str(caught.value)
