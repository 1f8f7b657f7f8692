"""Cases in which a declared index or table is not there."""

from dbvitals.model import Severity
from tests.integration.drift.case import PLAIN, Case, on_both

_BOTH = (
    Case(
        name="absent",
        table=(),
        declared=("CREATE INDEX i ON t (tenant, at DESC) INCLUDE (n) WHERE kind IN ('a', 'b')",),
        section="missing",
        severity=Severity.HIGH,
        says="declared by the project, absent",
    ),
    Case(
        name="absent_primary_key",
        table=(),
        declared=("ALTER TABLE t ADD PRIMARY KEY (id)",),
        section="missing",
        index="t_pkey",
        severity=Severity.HIGH,
    ),
    Case(
        name="absent_primary_key_but_unique",
        table=(),
        declared=("ALTER TABLE t ADD PRIMARY KEY (id)",),
        present=("CREATE UNIQUE INDEX other ON t (id)",),
        section="missing",
        index="t_pkey",
        severity=Severity.HIGH,
    ),
    Case(
        name="another_primary_key",
        table=(),
        declared=("ALTER TABLE t ADD CONSTRAINT i PRIMARY KEY (id)",),
        present=("ALTER TABLE t ADD CONSTRAINT other PRIMARY KEY (id, tenant)",),
        section="missing",
        severity=Severity.HIGH,
    ),
    Case(
        name="absent_unique_constraint",
        table=(),
        declared=("ALTER TABLE t ADD CONSTRAINT i UNIQUE NULLS NOT DISTINCT (n, id) INCLUDE (kind) DEFERRABLE",),
        section="missing",
        severity=Severity.HIGH,
    ),
    Case(
        name="absent_but_served",
        table=(),
        declared=("CREATE INDEX i ON t (tenant)",),
        present=("CREATE INDEX stronger ON t (tenant, at)",),
        section="missing",
        severity=Severity.INFO,
        says="stronger serves everything that it would",
    ),
    Case(
        name="absent_partial_is_no_service",
        table=(),
        declared=("CREATE INDEX i ON t (tenant)",),
        present=("CREATE INDEX weaker ON t (tenant, at) WHERE gone IS NULL",),
        section="missing",
        severity=Severity.HIGH,
    ),
    Case(
        name="declared_twin_is_not_renamed",
        table=(),
        declared=("CREATE INDEX i ON t (tenant)", "CREATE INDEX twin ON t (tenant)"),
        present=("CREATE INDEX twin ON t (tenant)",),
        section="missing",
        severity=Severity.INFO,
        says="twin serves everything",
    ),
    Case(
        name="name_held_by_another_table",
        table=(),
        declared=("CREATE INDEX i ON t (tenant)",),
        present=("CREATE TABLE t_old (x integer PRIMARY KEY)", "CREATE INDEX i ON t_old (x)"),
        section="missing",
        severity=Severity.HIGH,
    ),
)

_TABLES = (
    Case(
        name="absent_table",
        table=(),
        declared=(*PLAIN, "CREATE INDEX i ON t (at)"),
        section="absent table",
        index="t",
        severity=Severity.HIGH,
        says="the table does not exist",
        mends=False,
    ),
    Case(
        name="absent_table_without_index",
        table=(),
        declared=PLAIN,
        section="absent table",
        index="t",
        severity=Severity.HIGH,
        says="the table does not exist",
        mends=False,
    ),
    Case(
        name="absent_exclusion",
        table=PLAIN,
        declared=("ALTER TABLE t ADD CONSTRAINT i EXCLUDE USING gist (tstzrange(at, gone) WITH &&)",),
        section="missing",
        severity=Severity.HIGH,
        mends=False,
    ),
)

ABSENT = (*(each for case in _BOTH for each in on_both(case)), *_TABLES)
