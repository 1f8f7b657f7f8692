"""Looks over one connection, as a watch takes them."""

from dbvitals.collect.activity import open_activity
from dbvitals.settings import Timeouts
from tests.integration.connections.crowd import EVERYBODY, Crowd, target


def test_a_part_that_fails_is_named_once_a_look_and_no_more_when_it_works_again(database: str, crowd: Crowd) -> None:
    admin = crowd.open(database)
    admin.execute("create role visitor login")
    admin.execute("revoke select on pg_prepared_xacts from public")
    try:
        with open_activity(target(f"{database}&user=visitor"), Timeouts(), EVERYBODY) as reader:
            looks = [reader.everything(), reader.everything()]
            admin.execute("grant select on pg_prepared_xacts to public")
            looks.append(reader.everything())
    finally:
        admin.execute("grant select on pg_prepared_xacts to public")
        admin.execute("drop role visitor")
    parts = [[skipped.part for skipped in look.skipped] for look in looks]
    assert parts == [["prepared transactions", "xmin horizon"]] * 2 + [[]]
