"""Stands between the command and a real server, and at a certain moment keeps the server's answers back."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from dbvitals.sandbox import RedisServer


@dataclass
class Held:
    """A relay: its port, and whether answers are being kept back."""

    port: int
    begun: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def held_after(server: RedisServer, word: bytes, times: int) -> Iterator[Held]:
    """From the moment that `word` was said so often, all reaches the server, and nothing comes back."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        held = Held(int(listener.getsockname()[1]))
        threads: list[threading.Thread] = []
        said = [0]

        def pass_on(source: socket.socket, sink: socket.socket, *, is_answer: bool) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(1 << 16):
                    if is_answer and held.begun.is_set():
                        continue
                    said[0] += 0 if is_answer else data.count(word)
                    if said[0] >= times:
                        held.begun.set()
                    sink.sendall(data)
            # The side that spoke has nothing more to say; the other one still gets all of it.
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client = stack.enter_context(listener.accept()[0])
                    behind = stack.enter_context(socket.create_connection((server.host, server.port)))
                    for ends, is_answer in (((client, behind), False), ((behind, client), True)):
                        threads.append(
                            threading.Thread(target=pass_on, args=ends, kwargs={"is_answer": is_answer}, daemon=True)
                        )
                        threads[-1].start()

        accepting = threading.Thread(target=serve)
        accepting.start()
        try:
            yield held
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join(30)
