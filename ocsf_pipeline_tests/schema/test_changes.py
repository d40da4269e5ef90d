import pytest

from ocsf_pipeline.events.schema_view import view_schema
from ocsf_pipeline.schema.changes import compare_schemas, find_class_successor
from ocsf_pipeline_tests.fakes.mapped_logs import map_logs_with, read_schema


def test_changes_between_two_releases() -> None:
    changes = compare_schemas(read_schema("1.7.0"), read_schema("1.8.0"))
    assert (changes.before, changes.after) == ("1.7.0", "1.8.0")
    assert changes.counts["attributes added"] == sum(
        len(item.added) for item in (*changes.classes, *changes.objects)
    )
    assert changes.counts["attributes added"] > 0
    assert changes.to_dict()["after"] == "1.8.0"


def test_new_and_deprecated_classes_are_named() -> None:
    changes = compare_schemas(read_schema("1.3.0"), read_schema("1.8.0"))
    assert "Script Activity (1009)" in changes.classes_added
    assert ("Email File Activity (4011)", "Email Activity (4009)") in changes.classes_deprecated
    (email,) = [item for item in changes.objects if item.name == "email"]
    assert ("smtp_from", "from") in email.deprecated


def test_the_same_release_has_no_changes() -> None:
    changes = compare_schemas(read_schema(), read_schema())
    assert set(changes.counts.values()) == {0}


@pytest.mark.parametrize(
    ("class_uid", "successor"), [(4012, 4009), (6004, 6001), (5017, 5040), (3002, None), (1, None)]
)
def test_successors_of_classes(class_uid: int, successor: int | None) -> None:
    assert find_class_successor(read_schema(), class_uid) == successor


def test_deprecated_parts_are_mapped_to_their_successors() -> None:
    view = view_schema(read_schema())
    owner = view.classes[4009]
    assert view.migrate_path(owner, "email.smtp_from") == "email.from"
    assert view.migrate_path(owner, "email.smtp_to[0]") == "email.to[0]"
    assert view.migrate_path(owner, "actor.user.credential_uid") == "actor.user.credential_uid"
    assert map_logs_with(read_schema(), 4012, [{}]).frame.item(0, "class_uid") == 4009
