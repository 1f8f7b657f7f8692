"""Seals over the audit trail: what makes a change behind the service's back show.

A seal covers the rows of a tenant's day that had arrived when it was made; rows that come later for that day
are covered by a further seal. Its hash is over all columns of each row, over what it covers, and over the
tenant's seal before, so that no seal can be changed or taken out without breaking all that follow.

What this does not protect against: whoever may change `audit_logs` and `audit_seals` alike (the database's
owner, a superuser, a restored backup) can make all seals anew, or drop the newest ones. Then only a hash that
was kept elsewhere tells: publish what `python -m app audit seal` prints, and give it to `audit verify
--expect`. Nor does it tell anything of rows that are not sealed yet, which is what the present day has, or of
rows that were forged before their day was sealed. Rows that an owner removes because they are old enough show
as removed: nothing here tells a retention from a theft.
"""

import asyncio
import hashlib
import struct
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog

from app.core.database import AdminSession, Database
from app.core.errors import AppError
from app.db import audit_counting, audit_sealing
from app.db.audit_sealing import Stretch, Values
from app.db.audit_tables import AuditSeal
from app.db.paging import EPOCH

ACTOR = "system:audit-sealer"
FORMAT = b"agente-hotelero audit seal 1\n"
NOTHING_BEFORE = bytes(32)
DIGEST_BYTES = 16
# How long at most a day that is over stays open to changes that nobody would see.
INTERVAL = timedelta(minutes=15)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Pile:
    """Rows on their way into a seal: a digest of all, and a short digest of each under its id."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    leaves: bytearray = field(default_factory=bytearray)
    ids: list[UUID] = field(default_factory=list)

    def add(self, row: Values) -> None:
        """Put a row on top; the second of its values is its id."""
        digest = hashlib.sha256(canonical(row)).digest()
        key = row[1]
        assert isinstance(key, UUID)  # noqa: S101 - for the type checker
        self.digest.update(digest)
        self.leaves += key.bytes + digest[:DIGEST_BYTES]
        self.ids.append(key)


def canonical(row: Values) -> bytes:
    """The bytes that a row is hashed as: each value with its length, so that no two rows have the same."""
    parts = []
    for value in row:
        if value is None:
            parts.append(b"\x00")
            continue
        encoded = _encode(value)
        parts.append(b"\x01" + struct.pack(">Q", len(encoded)) + encoded)
    return b"".join(parts)


def _encode(value: object) -> bytes:
    match value:
        case UUID():
            return value.bytes
        case datetime():
            return str((value - EPOCH) // timedelta(microseconds=1)).encode()
        case int() | str():
            return str(value).encode()
        case _:
            raise TypeError(f"a row of the audit trail has no {type(value).__name__}")


def seal_hash(number: int, stretch: Stretch, previous: bytes, pile: Pile) -> bytes:
    """The hash of a seal."""
    covered = (stretch.tenant_id, stretch.day.isoformat(), stretch.arrived_from, stretch.arrived_to)
    header = canonical((number, *covered, len(pile.ids)))
    return hashlib.sha256(FORMAT + previous + header + pile.digest.digest()).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """A tenant's newest seal: what to keep elsewhere."""

    tenant_id: UUID
    number: int
    hash: bytes


class Sealer:
    """Seals the days that are over. Any number of processes may do so at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_once(self) -> list[Head]:
        """Seal what is counted and not sealed; the seals made, oldest first. None when another process is at it."""
        request = f"seal-{uuid4().hex}"
        async with self._database.admin(ACTOR, request) as session:
            arrived_to = await audit_counting.counted_to(session)
            stretches = await audit_sealing.days_to_seal(session, arrived_to)
        made = []
        for stretch in stretches:
            async with self._database.admin(ACTOR, request) as session:
                head = await self._seal(session, stretch)
            if head is not None:
                made.append(head)
        return made

    async def run_forever(self, interval: timedelta = INTERVAL) -> None:
        """Seal every so often, until cancelled. A database that is away is tried again."""
        while True:
            try:
                for head in await self.run_once():
                    log.info("audit rows sealed", tenant=str(head.tenant_id), seal=head.number, hash=head.hash.hex())
            except AppError as error:
                log.warning("audit rows could not be sealed", error=str(error))
            await asyncio.sleep(interval.total_seconds())

    async def _seal(self, session: AdminSession, stretch: Stretch) -> Head | None:
        """Seal a stretch, in a transaction of its own, if no other process has done so meanwhile."""
        if not await audit_sealing.try_lock(session):
            return None
        if stretch not in await audit_sealing.days_to_seal(session, stretch.arrived_to):
            return None
        pile = await pile_up(session, stretch)
        if not pile.ids:
            return None
        before = await audit_sealing.last_seal(session, stretch.tenant_id)
        number, previous = (before.number + 1, before.hash) if before else (1, NOTHING_BEFORE)
        seal = _seal_of(number, stretch, previous, pile)
        session.add(seal)
        await session.flush()
        return Head(stretch.tenant_id, number, seal.hash)


async def pile_up(session: AdminSession, stretch: Stretch) -> Pile:
    """Read a stretch's rows, oldest first."""
    pile = Pile()
    async for row in audit_sealing.rows_of(session, stretch):
        pile.add(row)
    return pile


def _seal_of(number: int, stretch: Stretch, previous: bytes, pile: Pile) -> AuditSeal:
    return AuditSeal(
        tenant_id=stretch.tenant_id,
        number=number,
        day=stretch.day,
        arrived_from=stretch.arrived_from,
        arrived_to=stretch.arrived_to,
        n=len(pile.ids),
        first_id=pile.ids[0],
        last_id=pile.ids[-1],
        leaves=bytes(pile.leaves),
        previous=previous,
        hash=seal_hash(number, stretch, previous, pile),
    )


def unpack_leaves(leaves: bytes) -> dict[UUID, bytes]:
    """The short digest of each row under its id, in the order of the rows."""
    size = 16 + DIGEST_BYTES
    entries = (leaves[start : start + size] for start in range(0, len(leaves), size))
    return {UUID(bytes=entry[:16]): entry[16:] for entry in entries}
