"""What a pass sends to a server: these commands and no others."""

from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import Client, fill, see, target_of

EVERYWHERE = {"client", "info", "memory", "object", "ping", "pttl", "scan", "select", "type"}
SOMEWHERE = {"auth", "config", "eval", "eval_ro", "evalsha", "evalsha_ro", "time"}
"""By the server's version; AUTH and CONFIG are the test's own as well."""


def test_nothing_forks_blocks_or_writes_trap_32(any_server: RedisServer, any_client: Client) -> None:
    """No BGSAVE, no SYNC, no KEYS, no DEBUG; the server counts what a script calls as well."""
    fill(any_client)
    any_client.hset("lopsided", mapping={str(number): "x" * 100 for number in range(900)})
    any_client.config_resetstat()
    see(target_of(any_server), all_databases=True)
    sent = {name.removeprefix("cmdstat_").partition("|")[0] for name in any_client.info("commandstats")}
    assert sent - SOMEWHERE == EVERYWHERE
