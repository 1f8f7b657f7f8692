"""The verdicts on a keyspace as findings, worst first."""

from dbvitals.analyse.keyspace_rules_memory import memory_findings
from dbvitals.analyse.keyspace_rules_server import server_findings
from dbvitals.analyse.keyspace_rules_ttl import ttl_findings
from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.model import Finding


def keyspace_findings(seen: Seen) -> tuple[Finding, ...]:
    """All findings."""
    found = [*ttl_findings(seen), *memory_findings(seen), *server_findings(seen)]
    return tuple(sorted(found, key=lambda finding: finding.sort_key))
