"""What a case of drift is: a schema as declared, the same with one thing different, and what must be said of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from dbvitals.model import Severity

Section = Literal["drifted", "missing", "renamed", "absent table", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The statements run in a schema named as the case, one at a time: `table` on both sides, then each side's own.

    `refused` are statements that the real side's server refuses (what they leave behind is the drift). `differences`
    are those of the one drifted index, word for word; `index` the name that the finding is about. `first` runs before
    the printed SQL: what a person has to do before. A drift that no statement on indexes can mend has `mends` False.
    """

    name: str
    table: tuple[str, ...]
    declared: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    section: Section = "drifted"
    index: str = "i"
    differences: tuple[str, ...] = ()
    severity: Severity = Severity.MEDIUM
    says: str = ""
    first: tuple[str, ...] = ()
    mends: bool = True


COLUMNS = (
    "id bigint NOT NULL, tenant bigint NOT NULL, state text NOT NULL, kind varchar(20), at timestamptz NOT NULL,"
    " gone timestamptz, amount numeric, n integer, data jsonb, tags text[]"
)

PLAIN = (f"CREATE TABLE t ({COLUMNS})",)

PARTITIONED = (
    f"CREATE TABLE t ({COLUMNS}) PARTITION BY RANGE (id)",
    "CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100)",
    "CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (100) TO (1000) PARTITION BY RANGE (id)",
    "CREATE TABLE t_high_1 PARTITION OF t_high FOR VALUES FROM (100) TO (500)",
)

ROWS = (
    "INSERT INTO t (id, tenant, state, kind, at, n)"
    " SELECT i, i % 3, 'active', 'a', 'epoch', i FROM generate_series(1, 300) i"
)


def on_both(case: Case) -> Iterator[Case]:
    """The case on a plain table and on a partitioned one."""
    for suffix, table in (("", PLAIN), ("_partitioned", PARTITIONED)):
        yield replace(case, name=case.name + suffix, table=(*table, ROWS, *case.table))
