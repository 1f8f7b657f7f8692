"""A standby as the server that is looked at."""

from tests.acceptance.bad_days.test_standby import Cluster
from tests.integration.connections.crowd import Connection, Crowd, report, until


def test_trap_52_a_standby_is_looked_at_like_any_other(cluster: Cluster, crowd: Crowd) -> None:
    crowd.open(cluster.standby.dsn(), "reader")
    found = report(cluster.standby.dsn())
    assert found.target.role == "replica"
    assert "reader" in {row.application_name for row in found.by_application}
    assert found.incomplete == ()


def test_traps_1_4_the_primary_does_not_count_its_standby(cluster: Cluster, crowd: Crowd) -> None:
    mine = crowd.open(cluster.primary.dsn(), "mine")
    until(lambda: streaming(mine), "the standby streaming")
    assert {row.application_name for row in report(cluster.primary.dsn()).by_application} == {"mine"}


def streaming(connection: Connection) -> bool:
    row = connection.execute("select count(*) from pg_stat_replication").fetchone()
    return bool(row and row[0] == 1)
