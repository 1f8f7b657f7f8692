"""What the hotel declares to dbvitals (see `[tool.dbvitals]`): its models' tables and indexes, its families of keys."""

from dbvitals.expect import Expectations, KeyFamily, statements_of

FAMILIES = (
    KeyFamily(
        pattern="availability:*",
        description="hotel room availability cache",
        expires=True,
        ttl_min=60,
        ttl_max=1_800,
        setting="app/services/pms_cache.py: AVAILABILITY = CachePolicy(fresh=…, grace=…)",
    ),
    KeyFamily(
        pattern="session:*",
        description="user sessions",
        kind="state",
        expires=True,
        ttl_min=600,
        ttl_max=86_400,
        tenant_part=1,
    ),
    KeyFamily(
        pattern="lock:*",
        description="distributed locks",
        kind="lock",
        expires=True,
        ttl_max=300,
        setting="app/services/read_through.py: CachePolicy(lease=…)",
    ),
    KeyFamily(
        pattern="rate_limit:*",
        description="rate limiting counters",
        kind="counter",
        expires=True,
        ttl_max=86_400,
        setting="app/services/rate_limit.py: Limit(seconds=…)",
    ),
    KeyFamily(
        pattern="circuit_breaker:*",
        description="circuit breaker states",
        kind="state",
        expires=True,
        ttl_max=3_600,
        setting="app/services/circuit_breaker.py: KEEP_MS",
    ),
    KeyFamily(pattern="tenant:*", description="tenant configurations", kind="cache"),
    KeyFamily(
        pattern="pms_cache:*",
        description="PMS API response cache",
        expires=True,
        ttl_min=60,
        ttl_max=7 * 3_600,
        setting="app/services/pms_cache.py: RATES = CachePolicy(fresh=…, grace=…)",
    ),
)
"""The guide's seven, in its order; what the service writes lives within these bounds.

Only conversations have a tenant in their names. Locks have one or the name of what they guard, `tenant:*` the hash of a
guest's address, rates and availability the code of a hotel in its PMS, which is a setting and no tenant's alone.
"""


def _tables() -> tuple[str, ...]:
    from app.db.ddl import functions
    from app.db.tables import metadata

    return statements_of(metadata, before=functions())


expectations = Expectations(lazy_ddl=_tables, families=FAMILIES)
