"""The models that a server has: those that answer new requests, and older weights that only their sessions use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from unrolled.errors import ModelError, UnrolledError, did_you_mean
from unrolled.runs.opening import open_run
from unrolled.runs.trained import Trained
from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.served import Served, Watch
from unrolled.storage.directories import MANIFEST

__all__ = ["Catalogue"]

_log = logging.getLogger("unrolled.serving")

Mark = tuple[int, int] | None


class Catalogue:
    """The models by name.

    Args:
        models: name -> model, the default one first.
        options: of the server.

    Attributes:
        now: name -> what answers new requests.
        retired: earlier weights, whose sessions go on with them.
        failed: name -> why its run could not be loaded again, as a sentence.
    """

    def __init__(self, models: Mapping[str, Trained], options: ServeOptions, watch: Callable[[str], Watch]) -> None:
        self._options, self._watch = options, watch
        self.now = {name: Served(name, trained, options, watch(name)) for name, trained in models.items()}
        self.retired: list[Served] = []
        self.failed: dict[str, str] = {}
        self._marks = {name: _mark(model.trained) for name, model in self.now.items()}
        self._lock = asyncio.Lock()

    def __iter__(self) -> Iterator[Served]:
        yield from self.now.values()
        yield from self.retired

    def start(self) -> None:
        """Begin to answer, in the running loop."""
        for model in self:
            model.start()

    async def stop(self) -> None:
        """Take no further steps."""
        for model in self:
            await model.stop()

    def find(self, name: str | None) -> Served:
        """The model of this name, or the default one.

        Raises:
            Refused: there is no such model.
        """
        if name is None:
            return next(iter(self.now.values()))
        if (found := self.now.get(name)) is None:
            raise Refused("NotFound", f"there is no model {name[:60]!r}.{did_you_mean(name[:60], self.now)}")
        return found

    @property
    def alive(self) -> bool:
        """Whether every model answers."""
        return all(model.alive for model in self)

    async def reload(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """Load runs again, by default all: new sessions go to the new weights, old ones stay with theirs.

        A run that cannot be loaded leaves its model as it is. Returns what became of each: ``reloaded``, ``unchanged``,
        or why not.
        """
        async with self._lock:  # two at a time would load the same twice
            return {name: await self._reload(name) for name in list(self.now if names is None else names)}

    async def follow(self) -> None:
        """Load the runs again whose folders have changed."""
        changed = [name for name, model in self.now.items() if _mark(model.trained) not in (None, self._marks[name])]
        if changed:
            await self.reload(changed)

    async def forget(self, used: Iterable[Served]) -> None:
        """Give up the earlier weights that no session uses."""
        for model in {*self.retired} - {*used}:
            self.retired.remove(model)
            await model.stop()

    async def _reload(self, name: str) -> str:
        old = self.now[name]
        self._marks[name] = _mark(old.trained)
        try:
            new = await asyncio.to_thread(self._opened, name, old.trained.folder)
        except (UnrolledError, OSError) as error:
            self.failed[name] = f"the new run of {name} is not served: {error}"
            _log.warning("%s", self.failed[name])
            return str(error)
        self.failed.pop(name, None)
        if new.identity == old.identity:
            return "unchanged"
        new.start()
        self.now[name] = new
        old.retired = True
        self.retired.append(old)
        _log.info("%s is served with new weights, version %s", name, new.version)
        return "reloaded"

    def _opened(self, name: str, folder: Path | None) -> Served:
        if folder is None:
            raise ModelError(f"{name} was never saved, so it cannot be loaded again")
        new = Served(name, open_run(folder), self._options, self._watch(name))
        new.warm()
        return new


def _mark(trained: Trained) -> Mark:
    """What changes when a run is written anew; ``None`` where there is no finished run."""
    if trained.folder is None:
        return None
    try:
        found = (trained.folder / MANIFEST).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
