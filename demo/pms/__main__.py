"""`python -m demo.pms --port 8090`: the sandbox PMS, until Ctrl-C or SIGTERM."""

import signal
import sys

import click

from demo.pms.server import PmsServer

FAILED = 3


@click.command
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="0 takes a free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same rooms and rates.")
def main(port: int, seed: int) -> None:
    """Serve the demonstration hotels' rooms, rates and bookings on the loopback interface."""
    try:
        server = PmsServer(port, seed)
    except OSError as error:
        click.echo(f"demo.pms: port {port}: {error.strerror}", err=True)
        sys.exit(FAILED)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server:
        click.echo(f"listening on {server.url}")
        sys.stdout.flush()
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
