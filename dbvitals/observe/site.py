"""Finds the line of the application's code that a call came from, through SQLAlchemy's greenlets."""

import sys
import sysconfig
from collections.abc import Hashable
from pathlib import PurePath
from threading import get_ident
from types import FrameType
from typing import NamedTuple

try:
    from greenlet import getcurrent  # type: ignore[import-untyped]
except ImportError:  # SQLAlchemy 2.1 has it only for asyncio
    getcurrent = None

# One call of a service is rarely deeper; what is further out says little of who holds the connection.
MOST_CALLERS = 5
MOST_FRAMES = 150
# Code that is made at run time has ever new file names.
MOST_FILES = 10_000

_OWN = __name__.rpartition(".")[0]
_HIDDEN_PACKAGES = {"sqlalchemy", "greenlet", "contextlib", "sqlmodel"}
_EVENT_LOOP = {"asyncio.events", "asyncio.base_events", "asyncio.runners", "uvloop"}
_STANDARD_LIBRARY = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
_INSTALLED = {"site-packages", "dist-packages"}


class Frame(NamedTuple):
    """A place in the code."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}"


class _Place(NamedTuple):
    """A file: whose code it is, and how it is called."""

    kind: str
    file: str


APPLICATION, LIBRARY = "application", "library"
HIDDEN, EVENT_LOOP = _Place("hidden", ""), _Place("event loop", "")


class CodeSites:
    """Tells the application's frames from those of libraries, and remembers each file's answer."""

    def __init__(self, packages: tuple[str, ...] = (), plumbing: tuple[str, ...] = ()) -> None:
        """`packages` are the application's own; without any, everything that is not installed is the application.

        `plumbing` are modules of the application through which every connection goes: they are passed over.
        """
        self._packages = packages
        self._plumbing = plumbing
        self._places: dict[str, _Place] = {}

    def find(self) -> tuple[Frame, ...]:
        """The application's frames from the innermost outwards; without any, the innermost one of a library.

        It runs at each checkout, through all the frames of a web framework: plain steps, no generator.
        """
        places = self._places
        found: list[Frame] = []
        library: Frame | None = None
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- what inspect.currentframe calls
        around = None if getcurrent is None else getcurrent().parent
        for _ in range(MOST_FRAMES):
            if frame is None:
                # Where a greenlet ends, the frames of the one that started it go on.
                if around is None:
                    break
                frame, around = around.gr_frame, around.parent
                continue
            name = frame.f_code.co_filename
            place = places.get(name) or self._learn(name, frame)
            if place is not HIDDEN:
                if place.kind is APPLICATION:
                    found.append(_frame(place, frame))
                    if len(found) > MOST_CALLERS:
                        break
                elif place is EVENT_LOOP:
                    break
                elif library is None:
                    library = _frame(place, frame)
            frame = frame.f_back
        return tuple(found) or ((library,) if library else ())

    def _learn(self, name: str, frame: FrameType) -> _Place:
        if len(self._places) >= MOST_FILES:
            self._places.clear()
        place = _place(name, _module(frame), self._packages, self._plumbing)
        self._places[name] = place
        return place


def _place(name: str, module: str, packages: tuple[str, ...], plumbing: tuple[str, ...]) -> _Place:
    if module in _EVENT_LOOP:
        return EVENT_LOOP
    if _within(module, (*_HIDDEN_PACKAGES, _OWN, *plumbing)) or name.startswith("<frozen "):
        return HIDDEN
    if _within(module, packages):
        return _Place(APPLICATION, _short(name, module))
    installed = not _INSTALLED.isdisjoint(PurePath(name).parts)
    if not installed and name.startswith(_STANDARD_LIBRARY):
        return HIDDEN
    return _Place(LIBRARY if installed or packages else APPLICATION, _short(name, module))


def current_flow() -> Hashable:
    """What tells one flow of control from another: the greenlet where there are any, else the thread.

    A number rather than the greenlet itself: who holds it would keep one alive that nobody resumes any more, and
    its `finally` clauses would never run.
    """
    return get_ident() if getcurrent is None else id(getcurrent())


def _frame(place: _Place, frame: FrameType) -> Frame:
    return Frame(place.file, frame.f_lineno, frame.f_code.co_name)


def _module(frame: FrameType) -> str:
    """The module's full name, also of one that was started with `python -m`."""
    name = frame.f_globals.get("__name__")
    spec = frame.f_globals.get("__spec__") if name == "__main__" else None
    return str(getattr(spec, "name", None) or name)


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _short(name: str, module: str) -> str:
    """The file's name from its package's folder on: the same on every machine, and says nothing about this one."""
    path = PurePath(name)
    depth = module.count(".") + (2 if path.stem == "__init__" else 1)
    return "/".join(path.parts[-depth:])
