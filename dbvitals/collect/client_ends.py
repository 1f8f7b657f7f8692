"""Finds sessions whose client is gone: PostgreSQL does not notice while a query runs, the kernel does.

Only where the tool runs on the server's own machine (and in its network namespace); elsewhere it is not known.
"""

import ipaddress
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import structs

from dbvitals.snapshot_activity import Session

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_CLOSE_WAIT = "08"

Peer = tuple[str, int]


def with_client_ends(port: int, sessions: Sequence[Session]) -> tuple[Session, ...]:
    """Mark the sessions over TCP by whether their client has closed its end; those not found stay unknown."""
    if not any(session.client_port for session in sessions):
        return tuple(sessions)
    ends = {peer: state == _CLOSE_WAIT for peer, state in _server_ends(port)}
    return tuple(
        structs.replace(session, client_gone=ends.get((session.client_address or "", session.client_port or 0)))
        for session in sessions
    )


def _server_ends(port: int) -> Iterator[tuple[Peer, str]]:
    """The peer and the state of every connection that ends at the server's port on this machine."""
    for table in _TABLES:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, state, *_ = line.split()
            if int(local.partition(":")[2], 16) == port:
                yield _peer(remote), state


def _peer(text: str) -> Peer:
    """An address as the kernel prints it: words of 32 bits in the machine's byte order."""
    address, _, port = text.partition(":")
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    parsed = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed), int(port, 16)
