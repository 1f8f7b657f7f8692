"""Which account a server runs in: PostgreSQL refuses to be root, and the machine gets no new user for it."""

import functools
import os
import pwd
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dbvitals.errors import SandboxError

LAUNCH = Path(__file__).with_name("launch.py")
UNPRIVILEGED = "nobody"

# self: as we are. namespace: `nobody` to itself, ourselves to the file system. drop: `nobody` altogether.
Mode = Literal["self", "namespace", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How a server's process gets its user; `uid` and `gid` are what the server sees itself as."""

    mode: Mode
    uid: int
    gid: int

    def command(self, program: Path, *arguments: str | Path, parent: int, end: signal.Signals) -> list[str]:
        """Give the argument list that starts `program`; it gets `end` with the end of `parent` (0: outlives it)."""
        launcher = [sys.executable, "-I", "-S", str(LAUNCH)]
        return [
            *launcher,
            self.mode,
            str(self.uid),
            str(self.gid),
            str(parent),
            str(int(end)),
            str(program),
            *map(str, arguments),
        ]

    def give(self, path: Path) -> None:
        """Hand a file or folder that we just made over to the server."""
        if self.mode == "drop":
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether each folder above that exists lets the server in; group rights are left out of account."""
        if self.mode == "self":
            return True
        outer_uid = os.geteuid() if self.mode == "namespace" else self.uid
        return all(_may_pass(folder, outer_uid) for folder in path.resolve().parents if folder.exists())

    @property
    def home_mode(self) -> int:
        """Rights of a home made for this account: after a drop the server must pass, but not look around."""
        return 0o711 if self.mode == "drop" else 0o700


def _may_pass(folder: Path, uid: int) -> bool:
    status = folder.stat()
    return bool(status.st_mode & (stat.S_IXUSR if status.st_uid == uid else stat.S_IXOTH))


def in_mode(mode: Mode) -> Account:
    """Give the account of one mode, without asking whether this machine allows it."""
    if mode == "self":
        return Account(mode=mode, uid=os.geteuid(), gid=os.getegid())
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        mend = "start as an ordinary user, or add the account"
        raise SandboxError(f"no account {UNPRIVILEGED} to run a server in", mend=mend) from None
    return Account(mode=mode, uid=entry.pw_uid, gid=entry.pw_gid)


@functools.cache
def choose_account() -> Account:
    """Give the account for servers of this process. Raises SandboxError when the machine allows none."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return in_mode("self")
    account = in_mode("namespace")
    if sys.platform == "linux" and _works(account):
        return account
    if os.geteuid() == 0:
        return in_mode("drop")
    mend = "add the user to /etc/passwd, or allow user namespaces"
    raise SandboxError(f"user {os.geteuid()} has no name, which PostgreSQL asks for", mend=mend)


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def _works(account: Account) -> bool:
    """Try it in a process of its own: containers often forbid user namespaces, and say so only when asked."""
    command = account.command(Path(sys.executable), "-I", "-S", "-c", "", parent=os.getpid(), end=signal.SIGTERM)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
