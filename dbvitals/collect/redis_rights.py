"""The least rights that a login needs to read a keyspace, as lines for redis-cli."""

USER = "dbvitals"

_NEEDED = (
    "ping",
    "info",
    "scan",
    "pttl",
    "type",
    "memory|usage",
    "object|encoding",
    "time",
    "select",
    "client|setname",
)

_OPTIONAL = (
    ("cluster|slots", "a cluster"),
    ("config|get", "the settings in findings about encodings"),
    ("randomkey", "--sample in a cluster"),
    ("object|idletime", "--never-read"),
    ("hrandfield", "fields that expire"),
)
"""Commands without which a part is missing, and which."""


def acl_lines() -> list[str]:
    """Lines to be read and copied: a rule for Redis 7, what newer servers know besides, one for Redis 6.2."""
    needed = " ".join(f"+{command}" for command in _NEEDED)
    optional = " ".join(f"+{command}" for command, _ in _OPTIONAL)
    return [
        "# Redis 7.0 and later, Valkey: may read names, times and sizes of keys, no value, and may write nothing.",
        f"ACL SETUSER {USER} on >PASSWORD resetkeys %R~* resetchannels -@all {needed} +eval_ro +evalsha_ro {optional}",
        "# Besides, on Redis 7.2 and later, Valkey: keys stay as cold as they are.",
        f"ACL SETUSER {USER} +client|no-touch",
        "# Besides, on Redis 7.4 and later, Valkey 9: fields that expire.",
        f"ACL SETUSER {USER} +hpttl",
        "# Redis 6.2, which has neither read-only scripts nor read-only patterns:",
        f"ACL SETUSER {USER} on >PASSWORD ~* resetchannels -@all {needed} +eval +evalsha {optional}",
        "# May be left out, and then is missing:",
        *(f"#   +{command}: {part}" for command, part in _OPTIONAL),
        "# --keymiss needs besides: +config|set +psubscribe &__keyevent@*",
    ]
