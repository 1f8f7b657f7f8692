"""The hotel agent: tenants, guest sessions, audit trail and locks."""
