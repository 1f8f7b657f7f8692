"""What a Redis says of itself: INFO and CONFIG GET, as values."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from dbvitals.collect.redis_wire import LostError, RefusedError, Wire
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.snapshot_keyspace import Counters, DatabaseInfo, Link, Looks, NodeInfo, ReplicaInfo, Role

Info = Mapping[str, str]

CONFIG_PATTERNS = (
    "*-max-listpack-*",
    "*-max-ziplist-*",
    "set-max-intset-entries",
    "maxmemory-samples",
    "save",
    "stop-writes-on-bgsave-error",
    "active-expire-effort",
)

_NOT_KEYS = (
    "used_memory_startup",
    "mem_clients_normal",
    "mem_clients_slaves",
    "mem_total_replication_buffers",
    "mem_aof_buffer",
    "mem_cluster_links",
    "used_memory_scripts_eval",
)
"""Parts of used_memory that hold no keys; a server that does not know one does not have it."""

_PRODUCTS = {"valkey_version": "Valkey", "redis_version": "Redis"}

_DATABASE = re.compile(r"db(\d+)")
_CALLS = re.compile(r"cmdstat_([a-z]+)(?:\|[a-z-]+)?:calls=(\d+)")
_REPLICA = re.compile(r"slave\d+")


def read_info(wire: Wire) -> Info:
    """Ask INFO. Raises ServerError when even that is denied, for nothing can be said then."""
    try:
        answer = wire.call("INFO", "all")
    except RefusedError as error:
        raise ServerError(
            f"{wire.name} does not answer INFO: {error.text}", mend="the login needs +info; see --print-acl"
        ) from error
    except LostError as error:
        raise ServerError(f"{wire.name} went away: {error}", mend="run again when the server is back") from error
    lines = answer.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def node_info(wire: Wire, info: Info, config: Mapping[str, str]) -> NodeInfo:
    """Make the description of a node."""
    product = next((name for key, name in _PRODUCTS.items() if key in info), "Redis")
    return NodeInfo(
        name=wire.name,
        host=wire.target.host if not wire.target.path else wire.target.path,
        port=wire.target.port,
        role=role_of(info),
        product=product,
        version=info.get("valkey_version") or info.get("redis_version", "unknown"),
        mode=_mode(info),
        process_seconds=_whole(info, "uptime_in_seconds") or 0,
        used_memory=_whole(info, "used_memory") or 0,
        peak_memory=_whole(info, "used_memory_peak"),
        keyspace_bytes=_keyspace_bytes(info),
        maxmemory=_whole(info, "maxmemory") or 0,
        maxmemory_policy=info.get("maxmemory_policy", "unknown"),
        fragmentation_ratio=_number(info, "mem_fragmentation_ratio"),
        fragmentation_bytes=_whole(info, "mem_fragmentation_bytes"),
        expired_stale_percent=_number(info, "expired_stale_perc"),
        lag_bytes=_lag_bytes(info),
        lag_seconds=_since(info, "master_last_io_seconds_ago"),
        databases=_databases(info),
        config=dict(config),
        uncounted_memory=_whole(info, "mem_not_counted_for_evict") or 0,
        machine_memory=_whole(info, "total_system_memory") or None,
        oom_errors=_whole(_fields(info.get("errorstat_OOM", "")), "count") or 0,
        allocator=info.get("mem_allocator", ""),
        allocator_fragmentation_ratio=_number(info, "allocator_frag_ratio"),
        allocator_fragmentation_bytes=_whole(info, "allocator_frag_bytes"),
        link=_link(info),
        link_down_seconds=_since(info, "master_link_down_since_seconds"),
        replicas=_replicas(info),
        append_only=info.get("aof_enabled") == "1",
        save_failed=info.get("rdb_last_bgsave_status") == "err",
        append_failed=info.get("aof_last_write_status") == "err",
        unsaved_changes=_whole(info, "rdb_changes_since_last_save"),
        writes_refused=wire.refuses_writes,
    )


def counters(wire: Wire, info: Info, at: datetime, *, own_hits: int, own_misses: int) -> Counters:
    """Take the counters out of INFO."""
    return Counters(
        node=wire.name,
        run_id=info.get("run_id", ""),
        at=at,
        uptime_seconds=_whole(info, "uptime_in_seconds") or 0,
        hits=_whole(info, "keyspace_hits") or 0,
        misses=_whole(info, "keyspace_misses") or 0,
        evicted_keys=_whole(info, "evicted_keys") or 0,
        expired_keys=_whole(info, "expired_keys") or 0,
        own_hits=own_hits,
        own_misses=own_misses,
        looks=looks_of(info),
    )


def looks_of(info: Info) -> Looks | None:
    """How often anybody has looked at keys; None where the server does not tell."""
    calls: Counter[str] = Counter()
    for name, figures in info.items():
        if found := _CALLS.match(f"{name}:{figures}"):
            calls[found[1]] += int(found[2])
    if not calls:
        return None
    return Looks(
        pttl=calls["pttl"],
        type=calls["type"],
        object=calls["object"],
        memory=calls["memory"],
        fields=calls["hrandfield"] + calls["hpttl"],
    )


def role_of(info: Info) -> Role:
    """Whether the node is a primary or a replica."""
    return "replica" if info.get("role") == "slave" else "primary"


def read_config(wire: Wire) -> tuple[dict[str, str], tuple[Skipped, ...]]:
    """Ask for the settings that are judged; where that is denied, none, and what is missing."""
    found: dict[str, str] = {}
    try:
        for pattern in CONFIG_PATTERNS:
            answer = wire.call("CONFIG", "GET", pattern)
            words = [word.decode("utf-8", "replace") for word in answer]
            found |= dict(zip(words[::2], words[1::2], strict=True))
    except RefusedError as error:
        missing = Skipped(
            part=f"settings of {wire.name}",
            why=f"CONFIG GET is denied ({error.text})",
            mend="allow +config|get, or read the settings in the provider's console",
        )
        return {}, (missing,)
    return dict(sorted(found.items())), ()


def never_copied(info: Info) -> bool:
    """Whether what lies on a node is not what its primary has: it has not got a first copy of it."""
    return _link(info) in ("copying", "never")


def has_volatile_items(node: NodeInfo) -> bool:
    """Whether fields of hashes expire on this node."""
    return any(database.volatile_items for database in node.databases)


def _mode(info: Info) -> Literal["standalone", "sentinel", "cluster"]:
    match info.get("redis_mode") or info.get("server_mode"):
        case "cluster":
            return "cluster"
        case "sentinel":
            return "sentinel"
    return "standalone"


def _databases(info: Info) -> tuple[DatabaseInfo, ...]:
    found = []
    for name, text in info.items():
        if match := _DATABASE.fullmatch(name):
            values = _fields(text)
            found.append(
                DatabaseInfo(
                    index=int(match[1]),
                    keys=int(values.get("keys", 0)),
                    expires=int(values.get("expires", 0)),
                    volatile_items=int(values.get("subexpiry", values.get("keys_with_volatile_items", 0))),
                )
            )
    return tuple(sorted(found, key=lambda database: database.index))


def _keyspace_bytes(info: Info) -> int | None:
    used = _whole(info, "used_memory")
    if used is None or "used_memory_startup" not in info:
        return None
    return max(0, used - sum(_whole(info, name) or 0 for name in _NOT_KEYS))


def _lag_bytes(info: Info) -> int | None:
    """What a replica has read and not yet done."""
    theirs, ours = _whole(info, "slave_read_repl_offset"), _whole(info, "slave_repl_offset")
    return None if theirs is None or ours is None else max(0, theirs - ours)


def _link(info: Info) -> Link:
    """A link that was never up is down since -1 seconds."""
    if info.get("master_link_status", "up") == "up":
        return "up"
    if _since(info, "master_link_down_since_seconds") is not None:
        return "down"
    return "copying" if info.get("master_sync_in_progress") == "1" else "never"


def _replicas(info: Info) -> tuple[ReplicaInfo, ...]:
    """Those that are online: one that is being built is behind by all there is, and that is no fault."""
    written = _whole(info, "master_repl_offset")
    found = []
    for name, text in info.items():
        one = _fields(text) if _REPLICA.fullmatch(name) else {}
        if one.get("state") == "online":
            offset = _whole(one, "offset")
            found.append(
                ReplicaInfo(
                    name=f"{one.get('ip', '')}:{one.get('port', '')}",
                    behind_bytes=None if written is None or offset is None else max(0, written - offset),
                    silent_seconds=_since(one, "lag"),
                )
            )
    return tuple(sorted(found, key=lambda replica: replica.name))


def _fields(text: str) -> dict[str, str]:
    """The parts of a line such as `keys=1,expires=0`."""
    return dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)


def _since(info: Info, name: str) -> float | None:
    """Seconds since something happened; the server writes -1 when it has not."""
    seconds = _number(info, name)
    return None if seconds is None or seconds < 0 else seconds


def _whole(info: Info, name: str) -> int | None:
    text = info.get(name, "")
    return int(text) if text.lstrip("-").isdigit() else None


def _number(info: Info, name: str) -> float | None:
    try:
        value = float(info[name])
    except (KeyError, ValueError):
        return None
    return value if abs(value) < float("inf") else None
