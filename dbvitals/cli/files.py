"""Reads back what an earlier run has written: snapshots and reports."""

from pathlib import Path
from typing import TypeVar

import msgspec

from dbvitals.analyse.index_report import SCHEMA_VERSION, IndexReport
from dbvitals.errors import UsageError
from dbvitals.snapshot import SNAPSHOT_VERSION, CatalogSnapshot

T = TypeVar("T")


def read_snapshot(path: Path) -> CatalogSnapshot:
    """Read what `--save` wrote. Raises UsageError when it is something else, or of another version."""
    return read_as(path, CatalogSnapshot, "snapshot", "snapshot_version", SNAPSHOT_VERSION)


def read_index_report(path: Path) -> IndexReport:
    """Read an index report. Raises UsageError when it is something else, or of another version."""
    return read_as(path, IndexReport, "index report", "schema_version", SCHEMA_VERSION)


def read_as(path: Path, kind: type[T], name: str, key: str, wanted: str) -> T:
    """Read a file of one kind, whose `key` holds its version. Raises UsageError when it is something else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", mend="check the path") from error
    try:
        version = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get(key)
        if version is not None and bytes(version) != msgspec.json.encode(wanted):
            raise UsageError(
                f"{path} is a {name} of version {bytes(version).decode()}, this dbvitals reads {wanted}",
                mend="make it anew",
            )
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no {name} of dbvitals: {error}", mend="make it anew") from error
