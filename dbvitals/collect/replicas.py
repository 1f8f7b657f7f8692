"""Index scans of another node of the cluster, so that an index that only a standby uses is not called unused."""

import psycopg

from dbvitals.collect.catalog import read_server
from dbvitals.collect.catalog_rows import window
from dbvitals.collect.postgres import reading
from dbvitals.collect.reader import Reader
from dbvitals.errors import UsageError
from dbvitals.settings import Timeouts
from dbvitals.snapshot import NodeUsage, ServerInfo


def collect_usage(connection: psycopg.Connection, timeouts: Timeouts, of: ServerInfo) -> NodeUsage:
    """Read one node's index scans. Raises UsageError when it is not another node of the same cluster and database."""
    with reading(connection, timeouts):
        reader = Reader(connection, lambda part: None)
        row, created = read_server(reader)
        node = f"{connection.info.host}:{connection.info.port}"
        if row.system_identifier != of.system_identifier or row.database != of.database:
            raise UsageError(
                f"{node}/{row.database} is not a node of the cluster of {of.host}:{of.port}/{of.database}",
                mend="give --replica the standbys of the same server, with the same database",
            )
        if node == f"{of.host}:{of.port}":
            raise UsageError(f"--replica names {node}, which is the server itself", mend="give the other nodes only")
        scans = {usage.oid: usage.scans for usage in reader.rows("usage")}
        return NodeUsage(
            node=node, role="replica" if row.in_recovery else "primary", window=window(row, created), scans=scans
        )
