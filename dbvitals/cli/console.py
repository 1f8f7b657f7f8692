"""What goes to the user besides the report: one-line notes, and what is being done right now."""

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator

Progress = Callable[[str], None]


def say(message: str) -> None:
    """One line on standard error; control characters of names cannot reach the terminal."""
    from dbvitals.render.text import visible

    print(f"dbvitals: {visible(message)}", file=sys.stderr, flush=True)  # noqa: T201 -- this is the one place


def ignore(part: str) -> None:
    """Take no notice of a progress message."""


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Stop the garbage collector for a while: snapshots hold a million objects and no cycles.

    Walking them again and again took a third of the client's time on 10,000 indexes; memory is the same without.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def progress(*, quiet: bool, verbose: bool) -> Iterator[Progress]:
    """Give a function that tells what is being done: by a spinner on a terminal, by lines with --verbose."""
    if verbose:
        yield say
    elif quiet or not sys.stderr.isatty():
        yield ignore
    else:
        from rich.console import Console
        from rich.text import Text

        with Console(stderr=True, highlight=False).status(Text("connecting")) as status:
            yield lambda part: status.update(Text(part))
