"""The sandbox PMS over HTTP: threads of the standard library, on the loopback interface only.

GET  /hotels
GET  /hotels/{hotel}/availability?arrival=&departure=&guests=
GET  /hotels/{hotel}/rates?arrival=&departure=
POST /hotels/{hotel}/bookings                        with Idempotency-Key
PUT  /hotels/{hotel}/bookings/{reference}/status     {"status": "confirmed" | "cancelled"}
GET  /_dial · PUT /_dial                             the faults, see dial.py
"""

import time
from collections.abc import Callable
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from demo.pms.dial import Dial, Setting
from demo.pms.inventory import Inventory, RefusalError

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 64 * 1024
DRAINED = 1024 * 1024

Guests = Annotated[int, msgspec.Meta(ge=1, le=20)]


class Dates(msgspec.Struct, frozen=True):
    """Query of rates."""

    arrival: date
    departure: date


class Wish(msgspec.Struct, frozen=True):
    """Query of availability."""

    arrival: date
    departure: date
    guests: Guests


class NewBooking(msgspec.Struct, frozen=True):
    """Body of a booking."""

    room_type: str
    arrival: date
    departure: date
    guests: Guests


class NewStatus(msgspec.Struct, frozen=True):
    """Body of a change of status."""

    status: Literal["confirmed", "cancelled"]


class PmsServer(ThreadingHTTPServer):
    """Serves one inventory; port 0 takes a free one, `url` says which."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, seed: int) -> None:
        self.inventory = Inventory(seed)
        self.dial = Dial()
        super().__init__((LOOPBACK, port), Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests, in JSON."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: PmsServer

    def do_GET(self) -> None:
        """Answer a query."""
        self._answer()

    def do_POST(self) -> None:
        """Make a booking."""
        self._answer()

    def do_PUT(self) -> None:
        """Settle a booking, or turn the dial."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a line for every request is too many."""

    def _answer(self) -> None:
        try:
            status, answer = 200, self._route(self._body())
        except RefusalError as refusal:
            status, answer = refusal.status, {"code": refusal.code}
        except msgspec.ValidationError:
            status, answer = 422, {"code": "invalid_request"}
        except msgspec.DecodeError:
            status, answer = 400, {"code": "malformed_json"}
        self._send(status, msgspec.json.encode(answer))

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:  # the client did not wait for it
            self.close_connection = True

    def _body(self) -> bytes:
        stated = self.headers.get("Content-Length", "0")
        length = int(stated) if stated.isascii() and stated.isdigit() else 0
        if str(length) == stated and length <= LARGEST_BODY:
            return self.rfile.read(length)
        # What follows cannot be told from the next request; unread, it would cut the answer off.
        self.close_connection = True
        self.rfile.read(min(length, DRAINED))
        raise RefusalError(413, "body_too_large")

    def _route(self, body: bytes) -> object:
        path = urlsplit(self.path).path
        match (self.command, *path.strip("/").split("/")):
            case ("GET", "_dial"):
                return self.server.dial.shown()
            case ("PUT", "_dial"):
                self.server.dial.turn(msgspec.json.decode(body, type=Setting))
                return self.server.dial.shown()
            case ("GET", "hotels"):
                return self._meet("hotels", lambda: {"hotels": self.server.inventory.hotels()})
            case ("GET", "hotels", hotel, "availability"):
                return self._meet("availability", lambda: self._availability(hotel))
            case ("GET", "hotels", hotel, "rates"):
                return self._meet("rates", lambda: self._rates(hotel))
            case ("POST", "hotels", hotel, "bookings"):
                return self._meet("create_booking", lambda: self._book(hotel, body))
            case ("PUT", "hotels", hotel, "bookings", reference, "status"):
                return self._meet("settle_booking", lambda: self._settle(hotel, reference, body))
        raise RefusalError(404, "no_such_path")

    def _meet(self, operation: str, work: Callable[[], object]) -> object:
        """Let the dial have its way, then do the work."""
        fate = self.server.dial.fate(operation)
        time.sleep(fate.delay)
        if fate.status:
            raise RefusalError(fate.status, "out_of_order")
        return work()

    def _query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def _availability(self, hotel: str) -> object:
        wish = msgspec.convert(self._query(), Wish, strict=False)
        return {"offers": self.server.inventory.availability(hotel, wish.arrival, wish.departure, wish.guests)}

    def _rates(self, hotel: str) -> object:
        dates = msgspec.convert(self._query(), Dates, strict=False)
        return {"rates": self.server.inventory.rates(hotel, dates.arrival, dates.departure)}

    def _book(self, hotel: str, body: bytes) -> object:
        key = self.headers.get("Idempotency-Key", "")
        if not 1 <= len(key) <= 100:
            raise RefusalError(400, "idempotency_key_missing")
        wish = msgspec.json.decode(body, type=NewBooking)
        return self.server.inventory.book(key, hotel, wish.room_type, wish.arrival, wish.departure, wish.guests)

    def _settle(self, hotel: str, reference: str, body: bytes) -> object:
        status = msgspec.json.decode(body, type=NewStatus).status
        return self.server.inventory.settle(hotel, reference, status)
