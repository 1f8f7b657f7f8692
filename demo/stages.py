"""Shows what is being done, and remembers how long each stage took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

Tell = Callable[[str], None]

WORTH_SAYING_SECONDS = 0.05


class Stages:
    """A line for each stage: with a spinner before it on a terminal, at its beginning and its end elsewhere."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._taken: list[tuple[str, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Tell]:
        """Time a stage; gives a function that tells what of it is being done."""
        with self.timed(name):
            if self._console.is_terminal:
                with self._console.status(Text(name)) as status:
                    yield lambda part: status.update(Text(f"{name}: {part}"))
            else:
                self.say(f"{name} …")
                yield lambda part: None

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a stage that shows by itself what it does."""
        started = self._clock()
        yield
        seconds = self._clock() - started
        self._taken.append((name, seconds))
        self.say(f"{name}: {seconds:.1f} s")

    def say(self, line: str) -> None:
        """Show one line."""
        self._console.print(Text(line), soft_wrap=True)

    def say_total(self) -> None:
        """Show where the time went, longest first."""
        longest = sorted(self._taken, key=lambda stage: -stage[1])
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in longest if seconds >= WORTH_SAYING_SECONDS)
        self.say(f"in all: {sum(seconds for _, seconds in self._taken):.1f} s ({parts})")
