"""Hotels and their guests' identifiers, as operators keep them on real servers."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from app.core.errors import AppError, Conflict, Invalid, NotFound
from app.core.ids import uuid7
from app.db.tenants import IdentifierFilter, IdentifierInfo, TenantInfo, Which
from app.services.tenants import LARGEST_SETTINGS, TenantChange
from tests.integration.app.services.front import OPERATOR, PHONE, Front, says

pytestmark = pytest.mark.asyncio

Json = dict[str, object]
REMOVED = IdentifierFilter(which=Which.DELETED)


async def add(desk: Front, name: str = "Hotel Bellavista", **settings: object) -> TenantInfo:
    return await desk.tenants.create(OPERATOR, name, "Europe/Madrid", settings)


async def change(desk: Front, key: UUID, **values: object) -> TenantInfo:
    return await desk.tenants.change(OPERATOR, key, TenantChange(**values))  # type: ignore[arg-type]


async def test_a_hotel_is_added_and_given_as_it_is_and_the_trail_says_by_whom(desk: Front) -> None:
    made = await add(desk, pms_hotel="hotel-bellavista", stars=4, nothing=None)
    assert (made.name, made.timezone, made.deleted_at) == ("Hotel Bellavista", "Europe/Madrid", None)
    assert made.settings == {"pms_hotel": "hotel-bellavista", "stars": 4}
    assert await desk.tenants.get(OPERATOR, made.id) == made
    query = "select tenant_id, details ->> 'actor' from audit_logs where resource = %s"
    assert desk.hotel.one(query, f"tenants/{made.id}") == (made.id, "admin")


async def test_what_is_not_named_in_a_change_stays(desk: Front) -> None:
    made = await add(desk, stars=4, pool=True)
    assert (await change(desk, made.id, name="Hotel Miramar")).settings == made.settings
    changed = await change(
        desk, made.id, timezone="Atlantic/Canary", settings={"stars": 5, "pool": None, "bar": {"a": None}}
    )
    assert (changed.name, changed.timezone) == ("Hotel Miramar", "Atlantic/Canary")
    assert changed.settings == {"stars": 5, "bar": {"a": None}}
    assert await change(desk, made.id) == changed


async def test_changes_of_different_settings_at_once_are_all_kept(desk: Front) -> None:
    made = await add(desk)
    await asyncio.gather(*(change(desk, made.id, settings={f"s{number}": number}) for number in range(8)))
    assert (await desk.tenants.get(OPERATOR, made.id)).settings == {f"s{number}": number for number in range(8)}


async def test_hotels_with_hostile_names_and_settings_are_hotels(desk: Front) -> None:
    for name in ("o'neil\"<script>,\n🏨", "🏨" * 200, "'; drop table tenants; --", ":name %s {}", "\\u0000"):
        made = await add(desk, name, **{name: name})
        assert (made.name, made.settings) == (name, {name: name})
        assert (await change(desk, made.id, settings={name: None})).settings == {}


def nested(levels: int) -> Json:
    found: Json = {}
    for _ in range(levels):
        found = {"a": found}
    return found


REFUSED: list[Json] = [
    {"name": ""},
    {"name": "x" * 201},
    {"name": "a\x00"},
    {"name": "\ud83c"},
    {"timezone": "Mars/Olympus"},
    {"timezone": ""},
    {"timezone": "../../etc/passwd"},
    {"settings": {"a": "\x00"}},
    {"settings": {"\ud800": 1}},
    {"settings": {"a": [["\ud800"]]}},
    {"settings": {"a": float("nan")}},
    {"settings": {"a": float("inf")}},
    {"settings": {"a": "x" * LARGEST_SETTINGS}},
    {"settings": nested(30)},
    {"settings": nested(5_000)},
    {"settings": {"a": {1, 2}}},
    {"settings": {"pms_hotel": "../x?y"}},
    {"settings": {"pms_hotel": 7}},
    {"settings": {"pms_hotel": {}}},
]


@pytest.mark.parametrize("values", REFUSED, ids=range(len(REFUSED)))
async def test_what_no_hotel_can_be_is_refused_and_changes_nothing(desk: Front, values: Json) -> None:
    state = "select (select jsonb_agg(t order by id) from tenants t), (select count(*) from audit_logs)"
    before = desk.hotel.one(state)
    with pytest.raises(Invalid):
        await change(desk, desk.hotel.ours.tenant_id, **values)
    with pytest.raises(Invalid):
        await desk.tenants.create(OPERATOR, **({"name": "Hotel"} | values))  # type: ignore[arg-type]
    assert desk.hotel.one(state) == before


async def test_settings_cannot_be_grown_piece_by_piece(desk: Front) -> None:
    made = await add(desk, a="x" * (LARGEST_SETTINGS - 200))
    with pytest.raises(Invalid):
        await change(desk, made.id, settings={"b": "x" * 300})
    assert list((await desk.tenants.get(OPERATOR, made.id)).settings) == ["a"]


async def test_a_deleted_hotel_is_gone_and_a_restored_one_is_as_before(desk: Front) -> None:
    key = desk.hotel.ours.tenant_id
    before = await desk.tenants.get(OPERATOR, key)
    assert (await desk.tenants.soft_delete(OPERATOR, key)).deleted_at is not None
    gone: list[Callable[[], Awaitable[object]]] = [
        lambda: desk.tenants.get(OPERATOR, key),
        lambda: change(desk, key, name="x"),
        lambda: desk.tenants.soft_delete(OPERATOR, key),
        lambda: desk.tenants.add_identifier(OPERATOR, key, "phone", "+34600000009"),
        lambda: desk.tenants.identifiers(OPERATOR, key),
        lambda: desk.messages.receive(desk.ours, says(), "request-1"),
    ]
    for call in gone:
        with pytest.raises(NotFound):
            await call()
    assert [one.id for one in (await desk.tenants.listed(OPERATOR, which=Which.DELETED)).items] == [key]
    restored = await desk.tenants.restore(OPERATOR, key)
    assert (restored.name, restored.settings, restored.deleted_at) == (before.name, before.settings, None)
    assert (await desk.messages.receive(desk.ours, says(), "request-1")).session_version == 1
    with pytest.raises(NotFound):
        await desk.tenants.restore(OPERATOR, key)


async def test_a_hotel_that_never_was_is_not_found(desk: Front) -> None:
    key = uuid7()
    for call in (desk.tenants.get, desk.tenants.soft_delete, desk.tenants.restore, desk.tenants.identifiers):
        with pytest.raises(NotFound):
            await call(OPERATOR, key)
    with pytest.raises(NotFound):
        await change(desk, key, name="x")


async def test_hotels_are_listed_by_cursor_the_newest_first(desk: Front) -> None:
    made = [(await add(desk, f"Hotel {number}")).id for number in range(5)]
    await desk.tenants.soft_delete(OPERATOR, made[2])
    found, cursor = list[UUID](), None
    while True:
        page = await desk.tenants.listed(OPERATOR, cursor, 2)
        found += [tenant.id for tenant in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert found[:4] == [made[4], made[3], made[1], made[0]]
    assert set(found[4:]) == {desk.hotel.ours.tenant_id, desk.hotel.theirs.tenant_id}
    with pytest.raises(Invalid):
        await desk.tenants.listed(
            OPERATOR, (await desk.tenants.listed(OPERATOR, None, 1)).next_cursor, which=Which.DELETED
        )


async def test_lists_cost_the_same_statements_however_long_they_are(desk: Front) -> None:
    costs = []
    for count in (1, 50):
        desk.hotel.owner.execute("insert into tenants (name) select 'n' from generate_series(1, %s::int)", [count])
        desk.hotel.owner.execute(
            "insert into tenant_user_identifiers (tenant_id, user_id, platform, identifier_value)"
            " select %s, uuid7(), 'webchat', %s || '-' || n from generate_series(1, %s::int) n",
            [desk.hotel.ours.tenant_id, str(count), count],
        )
        with desk.counted() as sent:
            tenants = await desk.tenants.listed(OPERATOR, None, 50)
            identifiers = await desk.tenants.identifiers(OPERATOR, desk.hotel.ours.tenant_id, None, 50)
        costs.append(len(sent))
    assert (len(tenants.items), len(identifiers.items), costs) == (50, 50, [5, 5])


async def known_as(desk: Front, value: str, platform: str = "phone", **values: UUID) -> IdentifierInfo:
    return await desk.tenants.add_identifier(OPERATOR, desk.hotel.ours.tenant_id, platform, value, **values)


async def test_an_identifier_is_stored_in_its_one_form_and_messages_find_it(desk: Front) -> None:
    made = await known_as(desk, "0034 600-000-007")
    assert (made.value, made.platform, made.deleted_at) == ("+34600000007", "phone", None)
    reply = await desk.messages.receive(desk.ours, says(identifier="+34 600 000 007"), "request-1")
    query = "select user_id, identifier_id from sessions where id = %s"
    assert desk.hotel.one(query, reply.session_id) == (made.user_id, made.id)


async def test_a_guest_can_have_several_identifiers(desk: Front) -> None:
    phone = await known_as(desk, "+34600000007")
    email = await known_as(desk, "Ana@Example.com", "email", user_id=phone.user_id)
    assert (email.value, email.user_id) == ("ana@example.com", phone.user_id)
    guest = IdentifierFilter(user_id=phone.user_id)
    found = await desk.tenants.identifiers(OPERATOR, desk.hotel.ours.tenant_id, wanted=guest)
    assert found.items == (email, phone)


async def test_a_taken_identifier_is_a_conflict_that_does_not_say_whose_it_is(desk: Front) -> None:
    desk.hotel.add_identifier(desk.hotel.theirs, "+34600000008")
    said = set()
    for taken in (PHONE, "+34600000008"):
        with pytest.raises(Conflict) as caught:
            await known_as(desk, taken)
        said.add(str(caught.value))
    assert len(said) == 1
    with pytest.raises(NotFound):
        await desk.tenants.add_identifier(OPERATOR, uuid7(), "phone", PHONE)


async def test_of_several_who_add_one_identifier_at_once_one_has_it(desk: Front) -> None:
    tenants = [desk.hotel.ours.tenant_id, desk.hotel.theirs.tenant_id] * 3
    adding = (desk.tenants.add_identifier(OPERATOR, tenant, "phone", "+34600000007") for tenant in tenants)
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(isinstance(one, IdentifierInfo) for one in outcomes) == 1
    assert sum(isinstance(one, Conflict) for one in outcomes) == 5


async def test_a_removed_identifier_finds_nobody_and_is_free_for_others(desk: Front) -> None:
    made = await known_as(desk, "+34600000007")
    tenant = desk.hotel.ours.tenant_id
    await desk.tenants.remove_identifier(OPERATOR, tenant, made.id)
    with pytest.raises(NotFound):
        await desk.messages.receive(desk.ours, says(identifier="+34600000007"), "request-1")
    with pytest.raises(NotFound):
        await desk.tenants.remove_identifier(OPERATOR, tenant, made.id)
    assert (await desk.tenants.restore_identifier(OPERATOR, tenant, made.id)).deleted_at is None
    await desk.tenants.remove_identifier(OPERATOR, tenant, made.id)
    await desk.tenants.add_identifier(OPERATOR, desk.hotel.theirs.tenant_id, "phone", "+34600000007")
    with pytest.raises(Conflict):
        await desk.tenants.restore_identifier(OPERATOR, tenant, made.id)


async def test_an_identifier_is_reached_through_its_own_tenant_only(desk: Front) -> None:
    made = await known_as(desk, "+34600000007")
    for tenant in (desk.hotel.theirs.tenant_id, uuid7()):
        with pytest.raises(NotFound):
            await desk.tenants.remove_identifier(OPERATOR, tenant, made.id)
        with pytest.raises(NotFound):
            await desk.tenants.restore_identifier(OPERATOR, tenant, made.id)
    assert made in (await desk.tenants.identifiers(OPERATOR, desk.hotel.ours.tenant_id)).items


@pytest.mark.parametrize(
    ("platform", "value"),
    [
        ("fax", "+34600000007"),
        ("", "+34600000007"),
        ("phone", "600000007"),
        ("phone", ""),
        ("email", "nobody"),
        ("telegram", "a\x00b"),
        ("telegram", "\ud800"),
        ("webchat", "x" * 321),
        ("webchat", "x" * 1_000_000),
    ],
)
async def test_what_no_guest_can_be_known_by_is_refused(desk: Front, platform: str, value: str) -> None:
    with desk.counted() as sent, pytest.raises(AppError) as caught:
        await known_as(desk, value, platform)
    assert isinstance(caught.value, Invalid)
    assert sent == []


async def test_identifiers_are_listed_by_cursor_live_or_removed(desk: Front) -> None:
    made = [await known_as(desk, f"+3460000010{number}") for number in range(4)]
    await desk.tenants.remove_identifier(OPERATOR, desk.hotel.ours.tenant_id, made[1].id)
    found, cursor = list[str](), None
    while True:
        page = await desk.tenants.identifiers(OPERATOR, desk.hotel.ours.tenant_id, cursor, 2)
        found += [one.value for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert found == ["+34600000103", "+34600000102", "+34600000100", PHONE]
    removed = await desk.tenants.identifiers(OPERATOR, desk.hotel.ours.tenant_id, wanted=REMOVED)
    assert [one.value for one in removed.items] == ["+34600000101"]
