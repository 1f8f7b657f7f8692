"""What is wrong with a pool and its server's sessions, as findings: every rule, worst first."""

from dbvitals.analyse.connection_picture import Picture
from dbvitals.analyse.connection_rules_pool import POOL_RULES
from dbvitals.analyse.connection_rules_sessions import SESSION_RULES
from dbvitals.model import Finding


def findings(picture: Picture) -> tuple[Finding, ...]:
    """All findings, worst first."""
    found = [finding for rule in (*POOL_RULES, *SESSION_RULES) for finding in rule(picture)]
    return tuple(sorted(found, key=lambda finding: finding.sort_key))
