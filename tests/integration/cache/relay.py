"""Stands between a client and a real server, and cuts the connection when a certain word is said."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from dbvitals.sandbox import RedisServer


@contextlib.contextmanager
def cut_at(server: RedisServer, word: bytes) -> Iterator[int]:
    """The port of the relay. A command that holds `word` does not reach the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        threads: list[threading.Thread] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client = stack.enter_context(listener.accept()[0])
                    behind = stack.enter_context(socket.create_connection((server.host, server.port)))
                    for pair in ((client, behind, word), (behind, client, b"")):
                        threads.append(threading.Thread(target=_copy, args=pair))
                        threads[-1].start()

        accepting = threading.Thread(target=serve)
        accepting.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def _copy(source: socket.socket, sink: socket.socket, word: bytes) -> None:
    """Pass on what comes until one side ends, or the word is said; then both are ended."""
    with contextlib.suppress(OSError):
        while (said := source.recv(1 << 16)) and not (word and word in said):
            sink.sendall(said)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
