"""The spool file: what is kept is read back, whatever a crash left behind."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest

from app.core.ids import uuid7
from app.db.audit_writing import AuditRow
from app.services.security.spool import Spool, SpoolFull

TENANT = UUID(int=1)


def row(details: str = "{}") -> AuditRow:
    return AuditRow(
        tenant_id=TENANT,
        id=uuid7(),
        timestamp=datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC),
        event_type="o'neil\"<script>,\n🏨",
        severity="info",
        user_id=None,
        resource=None,
        request_id=None,
        details=details,
    )


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "audit.spool")


def test_rows_come_back_as_they_were(spool: Spool) -> None:
    rows = [row(), row('{"a":"\\n"}'), row()]
    spool.add(rows[:1])
    spool.add(rows[1:])
    first = spool.read(0, 2)
    second = spool.read(first.end, 2)
    assert (first.rows + second.rows, first.damaged + second.damaged) == (rows, [])
    assert spool.read(second.end, 2).end == second.end == spool.size()


def test_nobody_else_can_read_it(tmp_path: Path, spool: Spool) -> None:
    previous = os.umask(0)
    try:
        spool.add([row()])
        spool.reject([b"line"])
    finally:
        os.umask(previous)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, spool: Spool) -> None:
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "audit.spool").symlink_to(target)
    with pytest.raises(SpoolFull):
        spool.add([row()])
    assert target.read_text() == ""


@pytest.mark.parametrize("cut", [1, 5, 20, 100])
def test_a_torn_last_line_takes_no_other_line_along(tmp_path: Path, spool: Spool, cut: int) -> None:
    rows = [row(), row(), row()]
    spool.add(rows[:2])
    path = tmp_path / "audit.spool"
    path.write_bytes(path.read_bytes()[:-cut])
    spool.add(rows[2:])
    chunk = spool.read(0, 10)
    # Cut by its line end only, the second line is whole.
    assert chunk.rows == (rows if cut == 1 else [rows[0], rows[2]])
    assert len(chunk.damaged) == (0 if cut == 1 else 1)


def test_a_damaged_line_is_told_apart(tmp_path: Path, spool: Spool) -> None:
    rows = [row(), row(), row()]
    spool.add(rows)
    path = tmp_path / "audit.spool"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"info", b"crit")
    path.write_bytes(b"".join(lines))
    chunk = spool.read(0, 10)
    assert (chunk.rows, chunk.damaged) == ([rows[0], rows[2]], [lines[1].rstrip(b"\n")])


def test_a_full_spool_says_so_and_keeps_nothing_of_what_it_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "audit.spool", largest=1000)
    spool.add([row()])
    size = spool.size()
    with pytest.raises(SpoolFull):
        spool.add([row(), row(), row()])
    assert spool.size() == size


def test_it_is_emptied_only_when_nothing_was_added_meanwhile(spool: Spool) -> None:
    spool.add([row()])
    end = spool.read(0, 10).end
    spool.add([row()])
    assert not spool.clear(end)
    assert spool.clear(spool.size())
    assert spool.size() == 0


def test_one_plays_back_at_a_time(tmp_path: Path, spool: Spool) -> None:
    other = Spool(tmp_path / "audit.spool")
    with spool.player() as first, other.player() as second:
        assert (first, second) == (True, False)
    with other.player() as again:
        assert again


def test_additions_of_many_do_not_mix(tmp_path: Path) -> None:
    rows = [[row() for _ in range(5)] for _ in range(8)]
    threads = [Thread(target=Spool(tmp_path / "audit.spool").add, args=(part,)) for part in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chunk = Spool(tmp_path / "audit.spool").read(0, 1000)
    assert chunk.damaged == []
    assert {kept.id for kept in chunk.rows} == {made.id for part in rows for made in part}
