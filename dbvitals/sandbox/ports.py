"""Ports of the loopback address for servers of our own."""

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Give a port that was free a moment ago; whoever uses it must bear that another was faster."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
