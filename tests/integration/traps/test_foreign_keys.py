"""Foreign keys without an index: the analysis names exactly those whose lookup the server cannot do by an index."""

import pytest

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.foreign_keys import find_unsupported
from tests.integration.traps.case import ForeignKeyCase
from tests.integration.traps.ground import Ground, report_of
from tests.integration.traps.lookups import lonely_parent, lookup_pages, lookups, scans_at_delete
from tests.integration.traps.suite import FOREIGN_KEYS
from tests.integration.traps.workbench import trial

# A lookup by the right index touches one to four pages here, by anything else at least twelve.
MOST_PAGES = 6

each_case = pytest.mark.parametrize("case", FOREIGN_KEYS, ids=lambda case: case.name)


@each_case
def test_analysis_names_the_unsupported_keys_and_no_others(foreign_key_ground: Ground, case: ForeignKeyCase) -> None:
    foreign_key_ground.enter(case)
    found = find_unsupported(Catalog(foreign_key_ground.snapshot))
    groups = [frozenset(key.name for key in entry.keys) for entry in found if entry.child.schema == case.name]
    assert sorted(groups, key=sorted) == sorted(case.unsupported, key=sorted)


@each_case
def test_server_looks_rows_up_as_expected(foreign_key_ground: Ground, case: ForeignKeyCase) -> None:
    connection = foreign_key_ground.enter(case)
    unsupported = frozenset[str]().union(*case.unsupported)
    for lookup in lookups(connection):
        key = lonely_parent(connection, lookup)
        with trial(connection):
            now = lookup_pages(connection, lookup, key)
        with trial(connection):
            connection.execute(case.mend or lookup.mend)
            best = lookup_pages(connection, lookup, key)
        with trial(connection):
            scans = scans_at_delete(connection, lookup, key)
        assert best <= MOST_PAGES, "the right index is not right"
        slow = now > MOST_PAGES
        if lookup.enforced:
            assert slow == (lookup.name in unsupported), f"{now} pages, {best} with the right index"
            assert slow or scans == 0
        else:
            assert slow, "the trap shows nothing"
            assert scans == 0, "what is not enforced is not looked up"
            assert lookup.name not in unsupported


@each_case
def test_suggested_index_serves_the_lookup(foreign_key_ground: Ground, case: ForeignKeyCase) -> None:
    connection = foreign_key_ground.enter(case)
    report = report_of(foreign_key_ground.snapshot)
    suggested = [entry for entry in report.missing_indexes if entry.schema == case.name]
    assert all(entry.source == "foreign_key" for entry in suggested)
    # Where no plain index helps, no suggestion is better than a wrong one.
    assert len(suggested) == len(case.unsupported) or (case.mend is not None and not suggested)
    for lookup in lookups(connection) if suggested else ():
        key = lonely_parent(connection, lookup)
        with trial(connection):
            for entry in suggested:
                connection.execute(entry.sql.replace(" CONCURRENTLY", ""))
            assert lookup_pages(connection, lookup, key) <= MOST_PAGES
