"""What seals are made of: every column of a row, in bytes that no other row has."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Cast

from app.db.audit_sealing import SEALED
from app.db.tables import AuditLog
from app.services.security.sealer import canonical
from app.services.security.verifier import read_hash

VALUES = st.lists(st.none() | st.text(max_size=4) | st.uuids(), max_size=4).map(tuple)


@given(VALUES, VALUES)
def test_rows_that_differ_have_different_bytes(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


def test_the_bytes_of_a_row_never_change() -> None:
    row = (UUID(int=1), datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC), None, "é", 7)
    assert canonical(row).hex() == (
        "010000000000000010" + f"{1:032x}"
        "010000000000000010" + b"1795176000000001".hex() + "00"
        "010000000000000002c3a9"
        "01000000000000000137"
    )


def test_every_column_of_the_trail_is_sealed() -> None:
    names = {(item.clause if isinstance(item, Cast) else item).name for item in SEALED}
    assert names == {column.name for column in AuditLog.__table__.columns}


def test_a_value_of_an_unknown_kind_is_not_guessed_at() -> None:
    with pytest.raises(TypeError, match="float"):
        canonical((1.5,))


@pytest.mark.parametrize("text", ["", "xyz", "ab" * 31, "ab" * 33])
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        read_hash(text)
