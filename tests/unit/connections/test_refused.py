"""A server that gives no connection: because it is full, or because of a limit that a role or a database has."""

import pytest

from dbvitals.analyse.connection_refused import limit_of, refused
from dbvitals.analyse.connection_report import ConnectionReport
from dbvitals.model import Target
from tests.unit.connections.builders import NOW, question

WHERE = Target(host="db", port=5432, database="hotel", user="w", server_version="unknown", role="unknown")
HOSTILE = 'a"\nb;, <script>'


def told(why: str) -> ConnectionReport:
    return refused(WHERE, f"cannot connect to db:5432/hotel: {why}", NOW, question())


def test_a_full_server_is_full() -> None:
    report = told("sorry, too many clients already")
    assert report.summary.server_connections_percent == 100
    assert "no connection left" in report.findings[0].message
    assert "max_connections" in report.recommendations[0].action


@pytest.mark.parametrize(
    ("why", "statement"),
    [
        ('too many connections for role "narrow"', "ALTER ROLE narrow CONNECTION LIMIT"),
        ('too many connections for database "Hotel"', 'ALTER DATABASE "Hotel" CONNECTION LIMIT'),
        (f'too many connections for role "{HOSTILE}"', 'ALTER ROLE "a""\nb;, <script>" CONNECTION LIMIT'),
    ],
)
def test_a_limit_of_a_role_or_a_database_is_no_full_server(why: str, statement: str) -> None:
    report = told(why)
    (finding,), (advice,) = report.findings, report.recommendations
    assert report.server_full is not None
    assert report.summary.server_connections_percent is None
    assert (finding.rule, finding.severity) == ("CON005", "critical")
    assert "the server has no connection left" not in finding.message
    assert "max_connections" not in advice.action
    assert advice.category == "connection_limit"
    assert statement in advice.action


def test_nothing_more_fits_into_a_full_database_but_a_role_need_not_be_the_pools() -> None:
    assert told('too many connections for database "hotel"').summary.pool_utilization_percent == 100
    assert told('too many connections for role "watcher"').summary.pool_utilization_percent is None


def test_a_name_is_read_whole() -> None:
    limit = limit_of(f'too many connections for role "{HOSTILE}"')
    assert limit is not None
    assert (limit.kind, limit.name) == ("role", HOSTILE)
    assert limit_of("remaining connection slots are reserved") is None
