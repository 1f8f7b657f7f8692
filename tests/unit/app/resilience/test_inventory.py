"""The sandbox PMS's rooms: seeded, never sold twice, booked once a key."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.pms.inventory import Inventory, RefusalError, hotel_code
from demo.scale import TENANTS

HOTEL = hotel_code(0)
ARRIVAL, DEPARTURE = date(2026, 11, 24), date(2026, 11, 27)


def free(inventory: Inventory, arrival: date, departure: date) -> int:
    offers = {offer["room_type"]: offer for offer in inventory.availability(HOTEL, arrival, departure, 1)}
    count = offers["suite"]["free"]
    assert isinstance(count, int)
    return count


def test_the_same_seed_gives_the_same_rooms_and_rates() -> None:
    one, same, other = Inventory(1), Inventory(1), Inventory(2)
    assert one.rates(HOTEL, ARRIVAL, DEPARTURE) == same.rates(HOTEL, ARRIVAL, DEPARTURE)
    assert one.rates(HOTEL, ARRIVAL, DEPARTURE) != other.rates(HOTEL, ARRIVAL, DEPARTURE)


def test_every_hotel_of_the_group_has_a_code_of_its_own() -> None:
    assert len(set(Inventory(1).hotels())) == TENANTS


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 5)), min_size=40, max_size=60))
def test_no_room_is_sold_twice_for_a_night(stays: list[tuple[int, int]]) -> None:
    inventory = Inventory(1)
    suites = free(inventory, ARRIVAL, DEPARTURE)
    sold = dict.fromkeys(range(1, 32), 0)
    for number, (first, nights) in enumerate(stays):
        arrival, departure = date(2026, 12, first), date(2026, 12, first + nights)
        if not free(inventory, arrival, departure):
            with pytest.raises(RefusalError, match="no_room_left"):
                inventory.book(str(number), HOTEL, "suite", arrival, departure, 1)
            continue
        inventory.book(str(number), HOTEL, "suite", arrival, departure, 1)
        for night in range(first, first + nights):
            sold[night] += 1
    assert max(sold.values()) <= suites


def test_a_key_books_once_and_not_something_else() -> None:
    inventory = Inventory(1)
    before = free(inventory, ARRIVAL, DEPARTURE)
    bookings = {inventory.book("key", HOTEL, "suite", ARRIVAL, DEPARTURE, 2).reference for _ in range(3)}
    assert len(bookings) == 1
    assert free(inventory, ARRIVAL, DEPARTURE) == before - 1
    with pytest.raises(RefusalError, match="idempotency_key_reused"):
        inventory.book("key", HOTEL, "suite", ARRIVAL, DEPARTURE, 1)


def test_another_hotel_s_booking_is_not_found() -> None:
    inventory = Inventory(1)
    booking = inventory.book("key", HOTEL, "suite", ARRIVAL, DEPARTURE, 2)
    with pytest.raises(RefusalError, match="no_such_booking"):
        inventory.settle(hotel_code(1), booking.reference, "cancelled")
