#!/usr/bin/env python3
"""The project's commands, standard library only: makes .venv when it is missing or stale, then runs.

    python3 dev.py demo     a PostgreSQL and a Redis of our own, a hotel's year of data, the analyses
    python3 dev.py test     everything that CI runs
    python3 dev.py setup    only the environment
    python3 dev.py bench    the benchmarks (minutes; not part of the tests)

`uv` is used where it is on PATH, otherwise venv and pip. Pins are in constraints.txt.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

CHECKS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "imports": ["lint-imports", "--no-cache"],
    "unit": ["pytest", "tests/unit", "-q"],
    "integration": ["pytest", "tests/integration", "-q", "-n", "2"],
    "acceptance": ["pytest", "tests/acceptance", "-q", "-n", "2"],
}


def fail(message: str) -> int:
    """One line on standard error, and the exit code of a wrong call."""
    print(f"dev.py: {message}", file=sys.stderr)
    return 2


def fingerprint(extra: str) -> str:
    """Changes when the environment has to be made anew: other pins, other extras, another Python, another folder."""
    parts = [extra, sys.version, str(ROOT)]
    parts += [(ROOT / name).read_text() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ensure_environment(extra: str) -> None:
    """Make .venv with the given extra, unless one made from the same pins is there. `dev` includes `demo`."""
    stamp = VENV / f"made-for-{extra}"
    larger = VENV / "made-for-dev"
    if any(path.is_file() and path.read_text() == fingerprint(path.name[9:]) for path in (stamp, larger)):
        return
    started = time.monotonic()
    print(f"making .venv ({extra}) …", flush=True)
    target = f"{ROOT}[{extra}]"
    uv = shutil.which("uv")
    if uv:
        run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)])
        installer = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    else:
        run([sys.executable, "-m", "venv", str(VENV)])
        installer = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*installer, "--constraint", str(ROOT / "constraints.txt"), "--editable", target])
    stamp.write_text(fingerprint(extra))
    print(f"making .venv: {time.monotonic() - started:.0f} s", flush=True)


def run(command: list[str]) -> None:
    """Run one step; a failing one ends the whole call with a line that says which."""
    try:
        subprocess.run(command, check=True, cwd=ROOT)
    except subprocess.CalledProcessError as error:
        hint = " (Debian and Ubuntu: install the package python3-venv)" if "venv" in command else ""
        sys.exit(fail(f"this failed with exit code {error.returncode}: {' '.join(command)}{hint}"))


def in_environment(command: list[str]) -> int:
    """Run a program of .venv in the project's folder, and give back its exit code."""
    environment = {**os.environ, "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        return subprocess.call([str(PYTHON.parent / command[0]), *command[1:]], cwd=ROOT, env=environment)
    except KeyboardInterrupt:
        return 130


def test(names: list[str]) -> int:
    """Run the checks, all or the named ones; every one runs even when an earlier one failed."""
    unknown = sorted(set(names) - CHECKS.keys())
    if unknown:
        return fail(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    failed = []
    for name in names or CHECKS:
        started = time.monotonic()
        print(f"── {name}", flush=True)
        if in_environment(CHECKS[name]) != 0:
            failed.append(name)
        print(f"── {name}: {'FAILED' if name in failed else 'ok'}, {time.monotonic() - started:.1f} s", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """Run one command of the list above."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- this file is what tells the user
        return fail(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}; call it as python3.11 dev.py …")
    command, *rest = arguments or ["help"]
    if command in ("demo", "bench", "setup", "test"):
        ensure_environment("demo" if command == "demo" else "dev")
    if command == "demo":
        return in_environment(["python", "-m", "demo", *rest])
    if command == "bench":
        return in_environment(["python", "-m", "benchmarks", *rest])
    if command == "test":
        return test(rest)
    if command == "setup":
        return 0
    print(__doc__)
    return 0 if command in ("help", "-h", "--help") else fail(f"no such command: {command}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
