"""Reads back what an earlier run of `dbvitals cache` has written."""

from pathlib import Path

from dbvitals.analyse.keyspace_report import SCHEMA_VERSION, CacheReport
from dbvitals.cli.files import read_as
from dbvitals.snapshot_keyspace import KEYSPACE_VERSION, KeyspaceSnapshot


def read_keyspace(path: Path) -> KeyspaceSnapshot:
    """Read what `--save` wrote. Raises UsageError when it is something else, or of another version."""
    return read_as(path, KeyspaceSnapshot, "keyspace snapshot", "snapshot_version", KEYSPACE_VERSION)


def read_cache_report(path: Path) -> CacheReport:
    """Read a cache report. Raises UsageError when it is something else, or of another version."""
    return read_as(path, CacheReport, "cache report", "schema_version", SCHEMA_VERSION)
