"""The audit trail as the service uses it: events written, pages read, rows sealed and verified."""
