"""Moves slots of a real cluster from node to node, as redis-cli's resharding does, and knows what became of it."""

import os
import re
import signal
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import redis
from redis.crc import key_slot

from dbvitals.sandbox import RedisServer
from dbvitals.snapshot_keyspace import Counters
from tests.integration.cache.ground import Client, Reads, client_of, cluster_info, reads_of, run, target_of, until

KEYS = {"session:*": 1_200, "availability:*": 1_200, "tenant:*": 240}
GIANTS_BEFORE = "availability:h00060"
"""So many keys are asked for once more when all have been seen."""

TOTAL = sum(KEYS.values())

_SEEN = re.compile(r"([\d,]+) of [\d,]+ keys")


def watch(act: Callable[[int], None]) -> Callable[[str], None]:
    """Call `act` between two slices of a pass, with the number of keys seen until then."""

    def tell(part: str) -> None:
        if match := _SEEN.search(part):
            act(int(match[1].replace(",", "")))

    return tell


def pattern_of(key: str) -> str:
    return key.partition(":")[0] + ":*"


@dataclass
class Mover:
    """A cluster with `TOTAL` keys. `moved` are the names of keys that went to another node, `cost` what that read."""

    servers: list[RedisServer]
    clients: list[Client] = field(init=False)
    primaries: list[int] = field(init=False)
    slots: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    owners: dict[int, int] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    cost: dict[int, Reads] = field(default_factory=dict)
    began: dict[int, Reads] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clients = [client_of(server) for server in self.servers]
        self.ids = [run(client, "CLUSTER", "MYID").decode() for client in self.clients]
        self._learn_roles()
        for number in self.primaries:
            self.clients[number].flushall()
        self.owners = self._map(self.primaries[0])
        self._settle()
        self._agree()
        self._fill()
        for number in range(len(self.servers)):
            self.cost[number] = Reads(0, 0)
            self.began[number] = reads_of(self.clients[number])

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def _learn_roles(self) -> None:
        """Primaries by number, in the order in which a pass comes to them."""
        numbers = [n for n, client in enumerate(self.clients) if client.info("replication")["role"] == "master"]
        self.primaries = sorted(numbers, key=lambda n: (self.servers[n].host, self.servers[n].port))

    def _settle(self) -> None:
        """What an earlier test left half moved goes to the one that has the slot; all hear of who follows whom."""
        for number in self.primaries:
            for slot in self._open(number):
                run(self.clients[number], "CLUSTER", "SETSLOT", slot, "STABLE")
        until(lambda: all(len(nodes) == 2 for client in self.clients for _, _, *nodes in _slots(client)))

    def _open(self, number: int) -> list[int]:
        return [int(slot) for slot in re.findall(rb"\[(\d+)-[<>]-", run(self.clients[number], "CLUSTER", "NODES"))]

    def _fill(self) -> None:
        first = self.servers[0]
        with redis.RedisCluster(host=first.host, port=first.port, password=first.password) as client:
            pipeline = client.pipeline()
            for pattern, keys in KEYS.items():
                for number in range(keys):
                    self._add(pipeline, pattern, pattern.replace("*", f"h{number:05}"))
            pipeline.execute()
        for number in self.primaries:
            assert run(self.clients[number], "WAIT", 1, 60_000) == 1  # a replica without them may take over

    def _add(self, pipeline: Client, pattern: str, key: str) -> None:
        self.slots[key_slot(key.encode())].append(key)
        if pattern == "session:*":
            pipeline.hset(key, mapping={"state": "active"})
            pipeline.pexpire(key, 900_000)
        else:
            size = 20_000 if key < GIANTS_BEFORE else 40
            pipeline.set(key, "x" * size, px=600_000 if pattern == "availability:*" else None)

    def keys_of(self, number: int) -> list[str]:
        """Keys that a primary had before anything moved."""
        return [key for slot, keys in self.slots.items() if self.owners[slot] == number for key in keys]

    def full_slots(self, number: int) -> list[int]:
        """Slots of a primary that hold keys, those with most of them first."""
        mine = [slot for slot in self.slots if self.owners[slot] == number]
        return sorted(mine, key=lambda slot: (-len(self.slots[slot]), slot))

    def giant_slots(self, number: int) -> list[int]:
        """Slots of a primary that hold a key which is asked for again."""
        return [slot for slot in self.full_slots(number) if any(key < GIANTS_BEFORE for key in self.slots[slot])]

    def open(self, slot: int, to: int) -> None:
        """Announce that a slot will move."""
        source = self.owners[slot]
        run(self.clients[to], "CLUSTER", "SETSLOT", slot, "IMPORTING", self.ids[source])
        run(self.clients[source], "CLUSTER", "SETSLOT", slot, "MIGRATING", self.ids[to])

    def migrate(self, slot: int, keys: Sequence[str], to: int) -> None:
        """Send keys of an open slot on their way; what that reads is not the pass's."""
        pair, server = (self.owners[slot], to), self.servers[to]
        before = [reads_of(self.clients[number]) for number in pair]
        words: tuple[str | int, ...] = (server.host, server.port, "", 0, 5000, "AUTH", server.password, "KEYS", *keys)
        assert run(self.clients[self.owners[slot]], "MIGRATE", *words) == b"OK"
        self.moved.update(keys)
        for number, then in zip(pair, before, strict=True):
            self.cost[number] += reads_of(self.clients[number]) - then

    def move(self, slots: Sequence[int], to: int) -> None:
        """Move slots with all their keys, as `redis-cli --cluster reshard` does."""
        for slot in slots:
            self.open(slot, to)
            self.migrate(slot, self.slots[slot], to)
            for number in (to, self.owners[slot]):
                run(self.clients[number], "CLUSTER", "SETSLOT", slot, "NODE", self.ids[to])
            self.owners[slot] = to
        self._agree()

    def _agree(self) -> None:
        """Wait until all know of it: nodes that are told of the next move before may settle on different maps."""
        until(lambda: self._insist() and len({self._epoch(number) for number in self.primaries}) == 1)
        until(
            lambda: all(
                self._map(number) == self.owners for number in range(len(self.servers)) if self._listens(number)
            )
        )

    def _insist(self) -> bool:
        """Tell those primaries that have another map; whether there were none."""
        agreed = True
        for number in self.primaries:
            for slot, owner in self._map(number).items():
                if owner != self.owners[slot]:
                    agreed = False
                    run(self.clients[number], "CLUSTER", "SETSLOT", slot, "NODE", self.ids[self.owners[slot]])
        return agreed

    def _epoch(self, number: int) -> str:
        return str(cluster_info(self.servers[number]).partition("cluster_current_epoch:")[2].split()[0])

    def _map(self, number: int) -> dict[int, int]:
        by_port = {server.port: n for n, server in enumerate(self.servers)}
        found: dict[int, int] = {}
        for first, last, node, *_ in _slots(self.clients[number]):
            found |= dict.fromkeys(range(first, last + 1), by_port[node[1]])
        return found

    def fail_over(self, number: int) -> int:
        """Have the replica of a primary take over, and give its number.

        Without a vote: the others refuse theirs for some time after a cluster was made, or slots have moved.
        """
        heir = self.replica_of(number)
        run(self.clients[heir], "CLUSTER", "FAILOVER", "TAKEOVER")
        until(lambda: self._is(heir, "master") and self._is(number, "slave"))
        until(lambda: self.clients[number].info("replication")["master_link_status"] == "up")
        self.owners = {slot: heir if owner == number else owner for slot, owner in self.owners.items()}
        self._learn_roles()
        until(lambda: all(self._map(one) == self.owners for one in self.primaries))
        return heir

    def recruit(self, number: int) -> None:
        """Make a replica a primary without slots, as one is that has just been added."""
        run(self.clients[number], "CLUSTER", "RESET")
        first, server = self.clients[self.primaries[0]], self.servers[number]
        run(first, "CLUSTER", "MEET", server.host, server.port, _bus(self.clients[number]))
        until(lambda: all(self._is_known(number, other) for other in self.primaries))
        until(lambda: self._map(number) == self.owners and "cluster_state:ok" in cluster_info(server))
        self.primaries = sorted([*self.primaries, number])
        self._agree()

    def _is_known(self, number: int, other: int) -> bool:
        """Whether two nodes know each other as primaries."""
        return all(
            re.search(
                rf"{self.ids[there]} \S+ (myself,)?master -", run(self.clients[here], "CLUSTER", "NODES").decode()
            )
            for here, there in ((number, other), (other, number))
        )

    def end(self, number: int) -> None:
        """Kill a node: it says goodbye to nobody."""
        os.kill(self.servers[number].pid, signal.SIGKILL)
        until(lambda: not self._listens(number))

    def _listens(self, number: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.servers[number].host, self.servers[number].port)) == 0

    def inherit(self, heir: int, number: int) -> None:
        """Have a replica take over from one that was killed."""
        run(self.clients[heir], "CLUSTER", "FAILOVER", "TAKEOVER")
        self.owners = {slot: heir if owner == number else owner for slot, owner in self.owners.items()}
        self.primaries = sorted({heir, *self.primaries} - {number})
        until(lambda: all(self._map(one) == self.owners for one in self.primaries))

    def replica_of(self, number: int) -> int:
        """The number of the node that follows another."""
        port = self.servers[number].port
        infos = [client.info("replication") for client in self.clients]
        return next(n for n, info in enumerate(infos) if info["role"] == "slave" and info["master_port"] == port)

    def _is(self, number: int, role: str) -> bool:
        return bool(self.clients[number].info("replication")["role"] == role)

    def moved_by_pattern(self) -> Counter[str]:
        return Counter(map(pattern_of, self.moved))

    def own_reads(self) -> dict[str, Reads]:
        """What every server has counted that was neither ours nor there before."""
        found = {}
        for number, client in enumerate(self.clients):
            found[target_of(self.servers[number]).name] = reads_of(client) - self.began[number] - self.cost[number]
        return found


def _slots(client: Client) -> list[tuple[int, int, tuple[bytes, int]]]:
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        answer: list[tuple[int, int, tuple[bytes, int]]] = connection.read_response()
        return answer
    finally:
        client.connection_pool.release(connection)


def _bus(client: Client) -> str:
    return str(client.config_get("cluster-port")["cluster-port"])


def own_by_node(counters: Iterable[Counters]) -> dict[str, Reads]:
    return {one.node: Reads(one.own_hits, one.own_misses) for one in counters}
