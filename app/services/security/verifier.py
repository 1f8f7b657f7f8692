"""Verifies the audit trail against its seals, and names the first row that is not as it was sealed."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID, uuid4

from app.core.database import AdminSession, Database
from app.db import audit_sealing
from app.db.audit_sealing import Stretch
from app.db.audit_tables import AuditSeal
from app.services.security.sealer import NOTHING_BEFORE, Head, pile_up, seal_hash, unpack_leaves

ACTOR = "system:audit-verifier"

Kind = Literal["changed", "removed", "inserted", "seal broken", "seal missing", "miscounted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Something that is not as it was sealed. `row` is its id where one row can be named, `day` is UTC."""

    tenant_id: UUID
    kind: Kind
    what: str
    day: date | None = None
    row: UUID | None = None

    def __str__(self) -> str:
        day = f" on {self.day}" if self.day else ""
        return f"tenant {self.tenant_id}{day}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found: the first breach of each tenant, the newest seals, and what is not sealed yet."""

    breaches: tuple[Breach, ...]
    heads: tuple[Head, ...]
    sealed: int
    unsealed: int
    unmatched: tuple[bytes, ...]

    @property
    def intact(self) -> bool:
        """Whether everything is as it was sealed, and every expected hash was found."""
        return not self.breaches and not self.unmatched


class Verifier:
    """Reads all sealed rows again and compares them with their seals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, expected: frozenset[bytes] = frozenset()) -> Verdict:
        """Verify all tenants. `expected` are hashes of seals that were kept elsewhere: each must be found."""
        request = f"verify-{uuid4().hex}"
        breaches: list[Breach] = []
        heads: list[Head] = []
        seen: set[bytes] = set()
        sealed = 0
        async with self._database.admin(ACTOR, request) as session:
            unsealed = await audit_sealing.unsealed(session)
            tenants = await audit_sealing.tenants_of_trail(session)
        for tenant in tenants:
            async with self._database.admin(ACTOR, request) as session:
                chain = Chain(session, tenant)
                breach = await chain.first_breach()
            breaches += [breach] if breach else []
            heads += [chain.head] if chain.head else []
            sealed += chain.rows
            seen |= chain.hashes
        return Verdict(
            breaches=tuple(breaches),
            heads=tuple(heads),
            sealed=sealed,
            unsealed=unsealed,
            unmatched=tuple(sorted(expected - seen)),
        )


class Chain:
    """The seals of one tenant, read from the first on."""

    def __init__(self, session: AdminSession, tenant: UUID) -> None:
        self._session = session
        self._tenant = tenant
        self.head: Head | None = None
        self.hashes: set[bytes] = set()
        self.rows = 0

    async def first_breach(self) -> Breach | None:
        """Go along the chain until something is wrong; then look for days that no seal knows of."""
        async for breach in self._seals():
            if breach is not None:
                return breach
        for day in await audit_sealing.miscounted_days(self._session, self._tenant):
            what = f"{day.found} rows are there, {day.counted} had arrived"
            return Breach(tenant_id=self._tenant, kind="miscounted", what=what, day=day.day)
        return None

    async def _seals(self) -> AsyncIterator[Breach | None]:
        for place, number in enumerate(await audit_sealing.seal_numbers(self._session, self._tenant), start=1):
            if number != place:
                yield Breach(tenant_id=self._tenant, kind="seal missing", what=f"seal {place} is missing")
                return
            seal = await audit_sealing.seal_with_leaves(self._session, self._tenant, number)
            yield await self._judge(seal)
            self._session.expunge(seal)

    async def _judge(self, seal: AuditSeal) -> Breach | None:
        previous = self.head.hash if self.head else NOTHING_BEFORE
        stretch = Stretch(seal.tenant_id, seal.day, seal.arrived_from, seal.arrived_to)
        pile = await pile_up(self._session, stretch)
        if seal.previous != previous:
            return self._broken(seal, f"seal {seal.number} does not follow the one before it")
        if seal.leaves != bytes(pile.leaves):
            return self._differing(seal, unpack_leaves(seal.leaves), unpack_leaves(bytes(pile.leaves)))
        if seal.hash != seal_hash(seal.number, stretch, previous, pile):
            return self._broken(seal, f"seal {seal.number} is not the one that was made over its rows")
        self.head = Head(seal.tenant_id, seal.number, seal.hash)
        self.hashes.add(seal.hash)
        self.rows += seal.n
        return None

    def _broken(self, seal: AuditSeal, what: str) -> Breach:
        return Breach(tenant_id=seal.tenant_id, kind="seal broken", what=what, day=seal.day)

    def _differing(self, seal: AuditSeal, sealed: dict[UUID, bytes], found: dict[UUID, bytes]) -> Breach:
        """Name the first row that makes the difference."""
        for key, digest in sealed.items():
            if key not in found:
                return self._row(seal, "removed", key)
            if found[key] != digest:
                return self._row(seal, "changed", key)
        for key in found:
            if key not in sealed:
                return self._row(seal, "inserted", key)
        return self._broken(seal, f"the rows of seal {seal.number} are in another order")

    def _row(self, seal: AuditSeal, kind: Kind, key: UUID) -> Breach:
        what = f"row {key} was {kind} since seal {seal.number}"
        return Breach(tenant_id=seal.tenant_id, kind=kind, what=what, day=seal.day, row=key)


def read_hash(text: str) -> bytes:
    """Read a seal's hash as `audit seal` prints it. Raises ValueError."""
    value = bytes.fromhex(text)
    if len(value) != hashlib.sha256().digest_size:
        raise ValueError("a seal's hash has 64 hexadecimal digits")
    return value
