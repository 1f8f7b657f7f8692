"""Tokens on real servers: who is let in, for how long, and that no secret can be had anywhere."""

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError

from app.core.database import Database
from app.core.errors import Invalid, NotFound, Unavailable
from app.core.ids import uuid7
from app.db.token_table import ApiToken
from app.services import tokens
from app.services.principals import Principal
from app.services.tokens import CreatedToken, TokenDesk, Tokens
from tests.integration.app.hotel import Hotel
from tests.integration.app.services.front import ADMIN, OPERATOR, Front

pytestmark = pytest.mark.asyncio

ADMIN_TOKEN = SecretStr("an operator's long and secret token")


@dataclass
class Gate:
    """What a request is let in by; `now` is its clock, and `sent` what it asked the database."""

    tokens: Tokens
    desk: TokenDesk
    hotel: Hotel
    now: list[float]
    sent: list[str] = field(default_factory=list)

    async def new(self, name: str = "frontdesk", **values: datetime) -> CreatedToken:
        return await self.desk.create(OPERATOR, self.hotel.ours.tenant_id, name, **values)

    async def lets_in(self, text: str | CreatedToken) -> Principal | None:
        return await self.tokens.authenticate(text if isinstance(text, str) else text.text.get_secret_value())


@pytest_asyncio.fixture
async def gate(hotel: Hotel) -> AsyncIterator[Gate]:
    database, now = Database(hotel.settings), [1000.0]
    made = Gate(Tokens(database.hot, ADMIN_TOKEN, lambda: now[0]), TokenDesk(database), hotel, now)
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *sent: made.sent.append(str(sent[2])))
    yield made
    await database.close()


async def test_a_token_lets_its_tenant_in_and_has_its_form(gate: Gate) -> None:
    created = await gate.new()
    text = created.text.get_secret_value()
    assert re.fullmatch(r"aht_[0-9a-f]{32}_[A-Za-z0-9_-]{43}", text)
    assert len(base64.urlsafe_b64decode(text[-43:] + "=")) == 32
    expected = Principal(kind="tenant", tenant_id=gate.hotel.ours.tenant_id, actor=f"token:{created.info.id}")
    assert await gate.lets_in(created) == expected


async def test_the_operators_token_lets_all_tenants_work_be_done(gate: Gate) -> None:
    assert await gate.lets_in(ADMIN_TOKEN.get_secret_value()) == ADMIN
    assert await gate.lets_in(ADMIN_TOKEN.get_secret_value() + " ") is None
    assert gate.sent == []


@pytest.mark.parametrize("absent", [None, SecretStr("")])
async def test_where_no_operators_token_is_set_nobody_is_one(gate: Gate, absent: SecretStr | None) -> None:
    nobody = Tokens(gate.tokens._engine, absent)
    for text in ("", "None", ADMIN_TOKEN.get_secret_value()):
        assert await nobody.authenticate(text) is None


HOSTILE = [
    "",
    "aht_",
    "x" * 100_000,
    "aht_" + "0" * 32 + "_" + "A" * 42,
    "aht_" + "0" * 32 + "_" + "A" * 44,
    "aht_" + "0" * 32 + "_" + "A" * 43 + "\n",
    "aht_" + "G" * 32 + "_" + "A" * 43,
    "AHT_" + "0" * 32 + "_" + "A" * 43,
    "aht_' or '1'='1",
    "\x00",
    "\ud800",
    "aht_" + "٠" * 32 + "_" + "A" * 43,
    "🏨" * 40,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_what_has_not_the_form_of_a_token_is_not_even_looked_up(gate: Gate, text: str) -> None:
    assert await gate.lets_in(text) is None
    assert gate.sent == []


async def test_a_wrong_secret_and_an_unknown_token_are_refused_at_the_same_cost(gate: Gate) -> None:
    text = (await gate.new()).text.get_secret_value()
    wrong = text[:-1] + ("A" if text[-1] != "A" else "Q")
    swapped = (await gate.new()).text.get_secret_value()[:37] + text[37:]
    unknown = f"aht_{uuid7().hex}_{text[-43:]}"
    for refused in (wrong, swapped, unknown):
        gate.sent.clear()
        assert await gate.lets_in(refused) is None
        assert len(gate.sent) == 1
    gate.sent.clear()
    for refused in (wrong, swapped, unknown):
        assert await gate.lets_in(refused) is None
    assert await gate.lets_in(text) is not None
    assert gate.sent == []


async def test_a_token_is_asked_for_once_in_ten_seconds(gate: Gate) -> None:
    created = await gate.new()
    for moment, asked in ((1000.0, 1), (1009.9, 1), (1010.1, 2), (1019.0, 2)):
        gate.now[0] = moment
        assert await gate.lets_in(created)
        assert len(gate.sent) == asked


async def test_a_revoked_token_is_refused_within_ten_seconds_everywhere_and_at_once_where_it_was_not_seen(
    gate: Gate,
) -> None:
    created = await gate.new()
    assert await gate.lets_in(created)
    await gate.desk.revoke(OPERATOR, gate.hotel.ours.tenant_id, created.info.id)
    gate.now[0] += tokens.KNOWN_SECONDS + 0.1
    assert await gate.lets_in(created) is None
    with pytest.raises(NotFound):
        await gate.desk.revoke(OPERATOR, gate.hotel.ours.tenant_id, created.info.id)


async def test_a_token_ends_when_it_was_to_end_also_where_it_is_remembered(gate: Gate) -> None:
    created = await gate.new(expires_at=datetime.now(UTC) + timedelta(hours=1))
    gate.hotel.owner.execute("update api_tokens set expires_at = clock_timestamp() + interval '8 seconds'")
    assert await gate.lets_in(created)
    gate.now[0] += 8.1
    gate.hotel.owner.execute("update api_tokens set expires_at = clock_timestamp() - interval '1 second'")
    assert await gate.lets_in(created) is None


async def test_a_deleted_tenants_tokens_are_refused_until_it_is_restored(gate: Gate) -> None:
    created = await gate.new()
    gate.hotel.owner.execute("update tenants set deleted_at = now()")
    assert await gate.lets_in(created) is None
    gate.hotel.owner.execute("update tenants set deleted_at = null")
    gate.now[0] += tokens.UNKNOWN_SECONDS + 0.1
    assert await gate.lets_in(created)


async def test_whoever_tries_many_unknown_tokens_does_not_push_out_known_ones(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "ENTRIES", 10)
    small = Tokens(gate.tokens._engine, None, lambda: gate.now[0])
    text = (await gate.new()).text.get_secret_value()
    assert await small.authenticate(text)
    for _ in range(30):
        assert await small.authenticate(f"aht_{uuid7().hex}_{text[-43:]}") is None
    gate.sent.clear()
    assert await small.authenticate(text)
    assert gate.sent == []
    assert len(small._unknown) <= 10


async def test_while_the_database_is_away_remembered_tokens_are_good_and_others_wait(desk: Front, hotel: Hotel) -> None:
    created = await TokenDesk(desk.database).create(OPERATOR, hotel.ours.tenant_id, "frontdesk")
    broken = hotel.settings.model_copy(update={"postgres_port": 1, "postgres_host": "127.0.0.1"})
    away, now = Database(broken), [0.0]
    gate = Tokens(desk.database.hot, None, lambda: now[0])
    assert await gate.authenticate(created.text.get_secret_value())
    gate._engine = away.hot
    assert await gate.authenticate(created.text.get_secret_value())
    now[0] += 11
    with pytest.raises(Unavailable):
        await gate.authenticate(created.text.get_secret_value())
    await away.close()


async def test_no_secret_is_in_the_database_the_trail_or_a_repr(gate: Gate) -> None:
    created = await gate.new("o'neil\"<script>")
    secret = created.text.get_secret_value()[-43:]
    assert secret not in repr(created)
    stored, trail = gate.hotel.one(
        "select (select jsonb_agg(t)::text from api_tokens t), (select jsonb_agg(a)::text from audit_logs a"
        " where starts_with(a.resource, 'api_tokens/'))"
    )
    assert secret not in str(stored)
    (hexadecimal,) = gate.hotel.one("select encode(secret_hash, 'hex') from api_tokens")
    assert str(hexadecimal) not in str(trail)
    assert "secret_hash" in str(trail)


async def test_the_services_own_login_cannot_read_or_write_tokens(desk: Front) -> None:
    tokens_of = TokenDesk(desk.database)
    await tokens_of.create(OPERATOR, desk.hotel.ours.tenant_id, "frontdesk")
    for statement in (select(ApiToken.id), select(ApiToken.secret_hash)):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with desk.database.read(desk.hotel.ours) as session:
                await session.execute(statement)


async def test_tokens_are_listed_without_those_that_are_revoked_and_of_one_tenant(gate: Gate) -> None:
    created = [await gate.new(f"token {number}") for number in range(5)]
    await gate.desk.create(OPERATOR, gate.hotel.theirs.tenant_id, "theirs")
    await gate.desk.revoke(OPERATOR, gate.hotel.ours.tenant_id, created[1].info.id)
    found, cursor = list[str](), None
    while True:
        page = await gate.desk.listed(OPERATOR, gate.hotel.ours.tenant_id, cursor, 2)
        found += [token.name for token in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert found == ["token 4", "token 3", "token 2", "token 0"]


async def test_a_list_costs_the_same_statements_however_long_it_is(desk: Front) -> None:
    costs = []
    for count in (1, 50):
        desk.hotel.owner.execute(
            "insert into api_tokens (tenant_id, name, secret_hash)"
            " select %s, 'n', sha256(n::text::bytea) from generate_series(1, %s::int) n",
            [desk.hotel.ours.tenant_id, count],
        )
        with desk.counted() as sent:
            page = await TokenDesk(desk.database).listed(OPERATOR, desk.hotel.ours.tenant_id, None, 50)
        costs.append(len(sent))
    assert (len(page.items), costs) == (50, [3, 3])


async def test_a_token_that_cannot_be_is_refused(gate: Gate) -> None:
    tenant = gate.hotel.ours.tenant_id
    now = datetime.now(UTC)
    for name, end in (
        ("", None),
        ("x" * 101, None),
        ("a\x00", None),
        ("\ud800", None),
        ("past", now - timedelta(seconds=1)),
        ("no zone", datetime.max),  # noqa: DTZ901
        ("never", datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))),
    ):
        with pytest.raises(Invalid):
            await gate.desk.create(OPERATOR, tenant, name, end)
    assert gate.hotel.one("select count(*) from api_tokens") == (0,)


async def test_nobody_makes_or_takes_back_tokens_of_a_tenant_that_is_not_or_anothers(gate: Gate) -> None:
    created = await gate.new()
    for tenant in (uuid7(), UUID(int=0)):
        with pytest.raises(NotFound):
            await gate.desk.create(OPERATOR, tenant, "name")
        with pytest.raises(NotFound):
            await gate.desk.listed(OPERATOR, tenant)
    for tenant in (uuid7(), gate.hotel.theirs.tenant_id):
        with pytest.raises(NotFound):
            await gate.desk.revoke(OPERATOR, tenant, created.info.id)
    assert await gate.lets_in(created)
    gate.hotel.owner.execute("update tenants set deleted_at = now()")
    with pytest.raises(NotFound):
        await gate.new()
