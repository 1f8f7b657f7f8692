"""Listens for misses until it is killed: the process that a test ends without warning."""

import signal
import sys

from dbvitals.analyse.key_patterns import Folding
from dbvitals.collect.keymiss import listen_for_misses
from dbvitals.settings_redis import RedisTarget

signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
password, port = sys.stdin.readline().split()
listen_for_misses(
    [RedisTarget(host="127.0.0.1", port=int(port), password=password)],
    Folding(),
    seconds=300,
    may_change=lambda node, before, after: None,
)
