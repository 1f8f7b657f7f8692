"""Servers that are none, or not what they should be: sockets on the loopback address."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

Serve = Callable[[socket.socket], None]

SSL_REQUEST = struct.pack("!II", 8, 80877103)


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """A port at which every client is served by a function, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        serve(client)

        threading.Thread(target=accept, daemon=True).start()
        yield str(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def never_answering() -> Iterator[str]:
    """A port whose queue is full: the kernel drops every greeting, as a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        place = server.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(place)
        yield str(place[1])
        for client in waiting:
            client.close()


def hang_up(client: socket.socket) -> None:
    """Close at once."""


def postgres_of_version(version: str) -> Serve:
    """Let everybody in, and say that this is the given version; speaks no more of the protocol than that."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", len(body) + 4) + body

    def serve(client: socket.socket) -> None:
        if client.recv(1024) == SSL_REQUEST:
            client.sendall(b"N")
            client.recv(1024)
        status = message(b"S", f"server_version\0{version}\0".encode())
        client.sendall(message(b"R", struct.pack("!I", 0)) + status + message(b"Z", b"I"))
        client.recv(1024)

    return serve
