"""Invented names and numbers."""

import pytest

from demo import names
from demo.scale import FULL, TENANTS


def test_no_two_guests_share_a_telephone_number() -> None:
    assert len({names.phone(guest) for guest in range(names.CAPACITY)}) == names.CAPACITY


def test_there_are_numbers_enough_for_the_full_scale() -> None:
    # A guest has a telephone number and, on average, more than one other identifier.
    assert FULL.identifiers / 2 < names.CAPACITY


@pytest.mark.parametrize("guest", [-1, names.CAPACITY])
def test_a_guest_beyond_the_fictional_numbers_is_refused(guest: int) -> None:
    with pytest.raises(ValueError, match=f"none for guest {guest}"):
        names.phone(guest)


def test_every_hotel_has_a_name_of_its_own() -> None:
    assert len({names.hotel(number) for number in range(TENANTS)}) == TENANTS
