"""Becomes a server: enters its account, arranges to end with its parent, then replaces itself by the program.

A script for an interpreter of its own: `launch.py MODE UID GID PARENT SIGNAL PROGRAM ARGUMENT...`. So there are
no threads and no locks to mind, as there would be in a preexec_fn. PARENT 0 detaches: the program outlives its
starter, and its process id is printed on standard output.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000  # linux/sched.h; os.unshare() came with Python 3.12 only
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def check(result: int) -> None:
    """Turn a failed call of the C library into the OSError that it stands for."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter_namespace(uid: int, gid: int) -> None:
    """Be `uid` inside a user namespace and who we were to all outside: no file changes its owner."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    check(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def drop(uid: int, gid: int) -> None:
    """Be `uid` to all the world, for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with(parent: int, number: int) -> None:
    """Have the kernel send us that signal when the parent is gone.

    Comes after the change of user, which clears it. Linux only; elsewhere a killed parent leaves its servers.
    """
    if sys.platform != "linux":
        return
    check(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number))
    if os.getppid() != parent:  # it went before the call above
        sys.exit("launch: the starting process is gone")


def detach() -> None:
    """Go on in a child that init adopts, so that nobody has to wait for it; say its process id."""
    pid = os.fork()
    if pid:
        os.write(1, str(pid).encode())
        os._exit(0)
    os.dup2(2, 1)


def main(mode: str, uid: int, gid: int, parent: int, number: int, command: list[str]) -> None:
    """Do the three steps; returns never, or fails with one line on standard error."""
    try:
        if mode == "namespace":
            enter_namespace(uid, gid)
        elif mode == "drop":
            drop(uid, gid)
        if parent:
            die_with(parent, number)
        else:
            detach()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # ignored by Python, and exec would hand that on
        os.umask(0o077)
        os.execv(command[0], command)  # noqa: S606 -- to become the program is the purpose
    except OSError as error:
        sys.exit(f"launch: {mode}: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:])
