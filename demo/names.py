"""Invented names, and addresses that can be nobody's: fictional telephone numbers, example domains."""

from bisect import bisect_right
from itertools import accumulate
from random import Random

HOTELS = ("Hotel", "Gran Hotel", "Hostal", "Posada", "Casa", "Residencia")
PLACES = (
    "Miravalle", "Tresolmos", "Puertoalba", "Vientonorte", "Lunaclara",
    "Sierralta", "Rocamar", "Valdeniebla", "Fuentebruma", "Altorio",
)  # fmt: skip
FIRST_NAMES = (
    "alba", "bruno", "celia", "dario", "elena", "fabio", "greta", "hugo",
    "irene", "jonas", "karla", "lucas", "mara", "nico", "olga", "pablo",
)  # fmt: skip
LAST_NAMES = (
    "arbolan", "brizuelo", "cantaral", "dorvalle", "esparbel", "fontarin", "grimaldo",
    "hontoral", "isarbe", "jaralba", "lombardez", "montelar", "navarbel", "olmedal",
)  # fmt: skip
DOMAINS = ("example.com", "example.net", "example.org")

# Ranges that regulators keep free for film and print, each with its count of trailing digits:
# ACMA (Australia), ARCEP (France), Ofcom (United Kingdom).
FICTIONAL_NUMBERS = (
    *((f"+61{area}{block}", 4) for area in (2, 3, 7, 8) for block in (5550, 7010)),
    *((f"+33{block}", 4) for block in (19900, 26191, 35301, 46571, 53649, 63998)),
    ("+447700900", 3),
    ("+442079460", 3),
)
_BOUNDS = tuple(accumulate(10**digits for _, digits in FICTIONAL_NUMBERS))
CAPACITY = _BOUNDS[-1]
_STRIDE = 7_919  # a prime that does not divide the capacity: consecutive guests get numbers far apart


def hotel(number: int) -> str:
    """Name of the hotel with this number; 60 are distinct."""
    return f"{HOTELS[number % len(HOTELS)]} {PLACES[number // len(HOTELS) % len(PLACES)]}"


def phone(guest: int) -> str:
    """Telephone number of the guest with this number. Raises ValueError when the fictional ones are used up."""
    if not 0 <= guest < CAPACITY:
        raise ValueError(f"there are {CAPACITY} fictional telephone numbers, none for guest {guest}")
    position = guest * _STRIDE % CAPACITY
    block = bisect_right(_BOUNDS, position)
    prefix, digits = FICTIONAL_NUMBERS[block]
    return f"{prefix}{position - (_BOUNDS[block] - 10**digits):0{digits}}"


def email(guest: int, random: Random) -> str:
    """Address of the guest with this number, under a domain that RFC 2606 keeps free."""
    first, last = (names[int(random.random() * len(names))] for names in (FIRST_NAMES, LAST_NAMES))
    return f"{first}.{last}.{guest}@{DOMAINS[guest % len(DOMAINS)]}"
