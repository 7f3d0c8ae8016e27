"""Sessions in a Valkey or Redis, which several servers share.

A session belongs to the server that took it last. Each key holds the name of that server beside the record, so that a
server which was cut off cannot write over what another one has done since: its records are refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from unrolled.errors import MissingExtra, UsageError, named
from unrolled.serving.refusals import Refused
from unrolled.serving.store import Record, Store, decoded_record, encoded_record

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["SCHEMES", "ValkeyStore"]

SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss"}
_SECONDS = 2.0  # until a server that does not answer counts as gone
_CONNECTIONS = 32
_AT_ONCE = 500  # records in a call: others get their turn between two
_PREFIX = "unrolled:session:"

# A key without a record is a session that has ended: nobody may put it again.
_PUT = """
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'record', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
_TAKE = """
local record = redis.call('HGET', KEYS[1], 'record')
if record then redis.call('HSET', KEYS[1], 'owner', ARGV[1]) end
return record
"""

Found = TypeVar("Found")


class ValkeyStore(Store):
    """Keeps sessions in a Valkey or Redis.

    Args:
        url: such as ``valkey://user:password@host:6379/0``; ``valkeys://`` is encrypted.
        keep: for how many seconds.

    Raises:
        UsageError: it is not such an address.
        MissingExtra: ``redis`` is not installed.
    """

    durable = shared = True

    def __init__(self, url: str, keep: float) -> None:
        try:
            from redis import asyncio as client
        except ImportError:
            raise MissingExtra("redis", "cluster", f"{named('store')} {url.partition('://')[0]}://") from None
        scheme, mark, rest = url.partition("://")
        if not mark or scheme not in SCHEMES:
            raise UsageError(f"{named('store')} {url!r} must be a folder, or begin with valkey:// or redis://")
        try:
            self._connections = client.BlockingConnectionPool.from_url(
                f"{SCHEMES[scheme]}://{rest}",
                max_connections=_CONNECTIONS,
                timeout=_SECONDS,
                socket_timeout=_SECONDS,
                socket_connect_timeout=_SECONDS,
            )
        except ValueError as error:
            raise UsageError(f"{named('store')} {scheme}://… cannot be read: {error}") from None
        self._client: Redis = client.Redis(connection_pool=self._connections)
        self._put, self._take = self._client.register_script(_PUT), self._client.register_script(_TAKE)
        self._keep = max(1, round(keep))
        self._owner = secrets.token_hex(8)  # of this process: after a restart it is another one

    async def put(self, records: Sequence[Record]) -> Sequence[str]:
        lost = []
        for start in range(0, len(records), _AT_ONCE):
            few = records[start : start + _AT_ONCE]
            async with self._client.pipeline(transaction=True) as pipe:
                for record in few:
                    arguments: list[bytes | str | int] = [self._owner, encoded_record(record), self._keep]
                    await self._put(keys=[_PREFIX + record.session], args=arguments, client=pipe)
                kept = await _asked(pipe.execute())
            lost += [record.session for record, done in zip(few, kept, strict=True) if not done]
        return lost

    async def take(self, sessions: Sequence[str]) -> list[Record | Exception | None]:
        found: list[Record | Exception | None] = []
        for start in range(0, len(sessions), _AT_ONCE):
            async with self._client.pipeline(transaction=True) as pipe:
                for session in sessions[start : start + _AT_ONCE]:
                    await self._take(keys=[_PREFIX + session], args=[self._owner], client=pipe)
                kept: list[bytes | None] = await _asked(pipe.execute())
            found += [None if one is None else decoded_record(one) for one in kept]
        return found

    async def owns(self, session: str) -> bool:
        """Whether no other server has taken a session since this one has."""
        found: Any = await _asked(self._client.hget(_PREFIX + session, "owner"))
        return found is not None and found.decode() == self._owner

    async def drop(self, session: str) -> None:
        key = _PREFIX + session
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.delete(key)
            pipe.hset(key, "owner", "")
            pipe.expire(key, self._keep)
            await _asked(pipe.execute())

    async def sweep(self) -> None:
        """Nothing: the keys expire."""

    async def close(self) -> None:
        await self._client.aclose()
        await self._connections.aclose()


async def _asked(answer: Awaitable[Found]) -> Found:
    """What the store answers.

    Raises:
        Refused: it does not.
    """
    from redis.exceptions import RedisError

    try:
        return await answer
    except (RedisError, OSError) as error:
        raise Refused("Overloaded", f"the store of the sessions does not answer: {error}") from None
