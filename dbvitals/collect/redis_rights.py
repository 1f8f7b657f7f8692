"""The least rights that a login needs to read a keyspace, as lines for redis-cli."""

from collections.abc import Iterable

USER = "dbvitals"

_NEEDED = (
    "info",
    "scan",
    "pttl",
    "type",
    "memory|usage",
    "object|encoding",
)
"""Commands without which there is no report, or one without its most important figures."""

_OPTIONAL = (
    ("ping", "holding back when the server answers late, and --keymiss"),
    ("client|setname", "our name in the server's lists and logs"),
    ("time", "slices that end by the server's own clock, up to 7.0: they are sized by ours"),
    ("select", "--db and --all-dbs"),
    ("cluster|slots", "a cluster"),
    ("cluster|nodes", "slots that are just being moved"),
    ("cluster|countkeysinslot", "how many keys moved during the pass"),
    ("readonly", "the keys of a primary that becomes a replica during the pass"),
    ("config|get", "the settings in findings about encodings"),
    ("randomkey", "--sample in a cluster, and --never-read"),
    ("object|idletime", "--never-read"),
    ("hrandfield", "fields that expire"),
)
"""Commands without which a part is missing, and which."""

_AT_SENTINELS = ("info", "client|setname", "sentinel|masters", "sentinel|replicas")

_EVENTS = "__keyevent@0__"


def acl_lines() -> list[str]:
    """Lines to be read and copied: a rule for Redis 7, what newer servers know besides, one for Redis 6.2."""
    needed, optional, at_sentinels = _plus(_NEEDED), _plus(command for command, _ in _OPTIONAL), _plus(_AT_SENTINELS)
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
        "# --keymiss needs besides, for database 0 (or another's number; with --all-dbs a star, which means itself):",
        f"ACL SETUSER {USER} +config|set +psubscribe &{_EVENTS}:keymiss &{_EVENTS}:expired",
        "# Behind Sentinels the same login is used; at each of them it needs, whatever the version:",
        f"ACL SETUSER {USER} on >PASSWORD resetchannels -@all {at_sentinels}",
        "# No other option needs more.",
    ]


def _plus(commands: Iterable[str]) -> str:
    return " ".join(f"+{command}" for command in commands)
