"""The page that Prometheus reads: what this process counted, or, with several workers, what all of them did."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.core.metrics import HitRatio
from app.core.pool_metrics import PoolUtilization

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Exposition:
    """Writes the page."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """`registry` is this process's. Where FOLDER_VARIABLE is set, all workers' files are read instead."""
        folder = os.environ.get(FOLDER_VARIABLE)
        self._folder = Path(folder) if folder else None
        self._source: Collector = _Workers(self._folder) if self._folder else registry

    def page(self, accept: str) -> tuple[bytes, str]:
        """The page in the format that the client accepts, and its media type. Reads files: not for the event loop."""
        if self._folder is not None:
            _forget_dead(self._folder)
        found = _Found(list(self._source.collect()))
        registry = CollectorRegistry()
        for collector in (found, HitRatio(found), PoolUtilization(found)):
            registry.register(collector)
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type


class _Workers(Collector):
    """What all workers counted, from their files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Merge the files, but those that a worker is making just now, which prometheus_client cannot read."""
        files = [str(file) for file in sorted(self._folder.glob("*.db")) if _size(file)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]  # untyped there
        return merged


def _size(file: Path) -> int:
    with suppress(FileNotFoundError):  # another worker has dropped it, see _forget_dead
        return file.stat().st_size
    return 0


class _Found(Collector):
    """What was collected once, for those who make ratios of it as well."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _forget_dead(folder: Path) -> None:
    """Drop the gauges of workers that are gone: one that was killed leaves its connections counted for ever."""
    for file in folder.glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was faster
                mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]  # untyped there
        except PermissionError:  # somebody else's process has the number now
            continue
