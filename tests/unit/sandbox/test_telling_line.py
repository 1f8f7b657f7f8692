import pytest

from dbvitals.sandbox.process import telling_line

POSTGRES = """
2026-11-23 10:00:00.000 UTC [7] LOG:  starting PostgreSQL 18.6
2026-11-23 10:00:00.010 UTC [7] FATAL:  could not map anonymous shared memory: Cannot allocate memory
2026-11-23 10:00:00.010 UTC [7] HINT:  This error usually means that PostgreSQL's request exceeded available memory.
2026-11-23 10:00:00.011 UTC [7] LOG:  database system is shut down
"""
INITDB = """
popen failure: Cannot allocate memory
initdb: error: program "postgres" is needed by initdb but was not found in the same directory as "/x/initdb"
"""
REDIS = """
*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***
Reading the configuration file, at line 3
>>> 'no-such "1"'
Bad directive or wrong number of arguments
"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (POSTGRES, "could not map anonymous shared memory: Cannot allocate memory"),
        (INITDB, 'program "postgres" is needed by initdb but was not found in the same directory as "/x/initdb"'),
        (REDIS, "Bad directive or wrong number of arguments"),
        ("\n \n", ""),
    ],
)
def test_telling_line_is_the_last_complaint_or_the_last_line(log: str, line: str) -> None:
    assert telling_line(log) == line
