"""The numbers that decide about connections: each with its default and its reason. `[tool.dbvitals.connections]`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionThresholds:
    """Settings of the connection analysis; shares are percent, times seconds. What lies above a number is too much."""

    utilization_critical_percent: float = 90.0
    """The guide's: new connections are about to time out."""

    utilization_medium_percent: float = 75.0
    """The guide's: time to look before it is critical."""

    idle_in_transaction_max: int = 3
    """The guide's: a few are requests between two statements, more are leaks."""

    long_query_seconds: float = 30.0
    """The guide's: the pool's time-out; whoever waits for such a query's connection gives up."""

    leak_seconds: float = 10.0
    """A transaction that is open and silent for longer waits for something else than its next statement."""

    long_transaction_seconds: float = 300.0
    """Busy or not, by now a transaction keeps VACUUM from its work."""

    blocked_high_seconds: float = 5.0
    """Shorter waits for a lock are everyday; a user notices these."""

    server_critical_percent: float = 90.0
    """Of the connections that the server gives to ordinary roles; beyond, a deployment or a person finds none left."""

    horizon_max_age: int = 1_000_000
    """Transactions since the oldest one still seen: about when tables that change much begin to bloat."""

    prepared_seconds: float = 60.0
    """A coordinator finishes a prepared transaction within seconds, or not at all."""

    pgbouncer_wait_seconds: float = 1.0
    """The oldest client's wait for a server connection."""
