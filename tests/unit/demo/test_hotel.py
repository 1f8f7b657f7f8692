"""The hotel's data: the same for the same seed, plausible, and nobody's."""

import hashlib
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from demo.hotel import NULL, streams
from demo.scale import Scale

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
TINY = Scale(audit_logs=3_000, sessions=1_000, identifiers=1_000, locks=120)

# Changes when the data do, and then on purpose: numbers of one run of the demo are compared with another's.
DIGEST = "3b5204c0af1cc4aeddb488d711571fbc71432dd080a340cc7179763185e4d367"

Row = dict[str, str]


def digest(seed: int, until: datetime = UNTIL) -> str:
    whole = hashlib.sha256()
    for stream in streams(TINY, seed, until):
        whole.update(f"{stream.table} {stream.columns}".encode())
        for block in stream.blocks():
            whole.update(block)
    return whole.hexdigest()


@pytest.fixture(scope="module")
def tables() -> dict[str, list[Row]]:
    return {
        stream.table: [
            dict(zip(stream.columns, line.removesuffix("\n").split("\t"), strict=True)) for line in stream.lines
        ]
        for stream in streams(TINY, 1, UNTIL)
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def milliseconds_of(identifier: str) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=UUID(identifier).int >> 80)


def test_same_seed_gives_the_same_bytes_on_every_machine() -> None:
    assert digest(1) == DIGEST


def test_another_seed_or_another_end_gives_other_bytes() -> None:
    assert len({digest(1), digest(2), digest(1, UNTIL - timedelta(days=1))}) == 3


def test_every_table_has_exactly_the_rows_that_it_announces(tables: dict[str, list[Row]]) -> None:
    assert {stream.table: stream.rows for stream in streams(TINY, 1, UNTIL)} == {
        table: len(rows) for table, rows in tables.items()
    }
    assert len(tables["audit_logs"]) == TINY.audit_logs


def test_blocks_hold_the_same_as_the_lines() -> None:
    by_line = {stream.table: "".join(stream.lines).encode() for stream in streams(TINY, 1, UNTIL)}
    by_block = {stream.table: b"".join(stream.blocks()) for stream in streams(TINY, 1, UNTIL)}
    assert by_line == by_block


@pytest.mark.parametrize("table", ["tenants", "tenant_user_identifiers", "sessions", "audit_logs", "locks"])
def test_keys_are_version_7_and_carry_their_rows_own_time(tables: dict[str, list[Row]], table: str) -> None:
    rows = tables[table]
    assert {UUID(row["id"]).version for row in rows} == {7}
    assert all(milliseconds_of(row["id"]) == moment(row["created_at"]) for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("table", ["sessions", "audit_logs"])
def test_rows_come_in_the_order_of_their_time_within_the_year(tables: dict[str, list[Row]], table: str) -> None:
    times = [moment(row["created_at"]) for row in tables[table]]
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert UNTIL - timedelta(days=365) <= times[0]
    assert times[-1] < UNTIL


def test_large_hotels_have_many_guests_and_small_ones_few(tables: dict[str, list[Row]]) -> None:
    sizes = [count for _, count in Counter(row["tenant_id"] for row in tables["audit_logs"]).most_common()]
    assert len(tables["tenants"]) == 60
    assert sizes[0] > 3 * sizes[5] > 9 * sizes[40]


def test_addresses_belong_to_nobody(tables: dict[str, list[Row]]) -> None:
    by_platform: dict[str, set[str]] = {}
    for row in tables["tenant_user_identifiers"]:
        by_platform.setdefault(row["platform"], set()).add(row["identifier_value"])
    assert by_platform.keys() == {
        "phone", "whatsapp", "sms", "email", "telegram", "instagram", "messenger", "webchat",
    }  # fmt: skip
    # The ranges that ACMA, ARCEP and Ofcom keep for fiction.
    fictional = r"\+61[2378](5550|7010)\d{4}|\+33(19900|26191|35301|46571|53649|63998)\d{4}|\+44(7700900|2079460)\d{3}"
    numbers = by_platform["phone"] | by_platform["whatsapp"] | by_platform["sms"]
    assert all(re.fullmatch(fictional, number) for number in numbers)
    assert all(re.fullmatch(r"[a-z.]+\.\d+@example\.(com|net|org)", value) for value in by_platform["email"])
    rest = by_platform["telegram"] | by_platform["instagram"] | by_platform["messenger"] | by_platform["webchat"]
    assert all("example" in value or value.startswith("visitor-") for value in rest)


def test_an_address_has_one_live_owner_and_may_have_had_others(tables: dict[str, list[Row]]) -> None:
    rows = tables["tenant_user_identifiers"]
    live = [(row["platform"], row["identifier_value"]) for row in rows if row["deleted_at"] == NULL]
    removed = {(row["platform"], row["identifier_value"]) for row in rows if row["deleted_at"] != NULL}
    assert len(live) == len(set(live))
    assert removed
    assert removed & set(live)


def test_a_session_belongs_to_the_guest_of_its_identifier(tables: dict[str, list[Row]]) -> None:
    identifiers = {
        (row["tenant_id"], row["id"]): row for row in tables["tenant_user_identifiers"] if row["deleted_at"] == NULL
    }
    for session in tables["sessions"]:
        identifier = identifiers[session["tenant_id"], session["identifier_id"]]
        assert identifier["user_id"] == session["user_id"]
        assert identifier["platform"] == session["platform"]
        assert identifier["created_at"] < session["created_at"] <= session["last_message_at"]


def test_closed_sessions_and_only_those_have_an_end(tables: dict[str, list[Row]]) -> None:
    assert all((row["state"] == "closed") == (row["closed_at"] != NULL) for row in tables["sessions"])
    states = Counter(row["state"] for row in tables["sessions"])
    assert states["closed"] > 0.9 * TINY.sessions
    assert states["active"] > 0
    assert states["idle"] > 0


def test_most_locks_are_released_and_a_few_are_held_or_were_abandoned(tables: dict[str, list[Row]]) -> None:
    held = [row for row in tables["locks"] if row["released_at"] == NULL]
    assert 0 < len(held) < 0.2 * TINY.locks
    assert len({(row["resource"], row["tenant_id"]) for row in tables["locks"]}) == TINY.locks


def test_serious_events_are_rare(tables: dict[str, list[Row]]) -> None:
    severities = Counter(row["severity"] for row in tables["audit_logs"])
    assert 0 < severities["critical"] + severities["error"] < 0.02 * TINY.audit_logs
    assert len({row["event_type"] for row in tables["audit_logs"]}) > 15
    assert 0 < sum(row["user_id"] == NULL for row in tables["audit_logs"]) < 0.1 * TINY.audit_logs
