"""The report's own SQL, run by psql as it stands on a database full of redundant indexes."""

import subprocess
from collections.abc import Callable
from contextlib import closing

import psycopg

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.index_semantics import find_redundant
from dbvitals.sandbox import PostgresServer
from tests.integration.traps.ground import report_of, snapshot
from tests.integration.traps.suite import REDUNDANCY
from tests.integration.traps.workbench import enter, indexes, lay

NAMES = {
    "chain_goes_to_the_longest",
    "unique_constraint_beside_the_primary_key",
    "partitioned_tree_twins",
    "local_twin_of_an_attached_index",
    "twins \"quoted\" 'every' way; <script>",
    "sixty-three bytes of emoji 🏨🛎🗝🧳🛏🚿",
}


def test_psql_removes_all_redundant_indexes_and_no_others(
    postgres: PostgresServer, make_database: Callable[[PostgresServer], str]
) -> None:
    dsn = make_database(postgres)
    cases = [case for case in REDUNDANCY if case.name in NAMES]
    assert len(cases) == len(NAMES)
    with closing(psycopg.connect(dsn, autocommit=True, prepare_threshold=None)) as connection:
        before = {}
        for case in cases:
            lay(connection, case)
            before[case.name] = set(indexes(connection))
        script = "\n".join(entry.sql or "" for entry in report_of(snapshot(dsn)).duplicate_indexes)
        psql = [str(postgres.binaries.bin_dir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn]
        subprocess.run(psql, input=script, text=True, check=True, capture_output=True)
        assert find_redundant(Catalog(snapshot(dsn))) == ()
        for case in cases:
            enter(connection, case)
            assert set(indexes(connection)) == before[case.name] - {pair.dropped for pair in case.redundant}
