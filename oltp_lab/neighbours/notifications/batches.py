"""Jobs that come one by one, handled by the many: a statement for all that wait, not for each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Whatever has come while a batch was handled is the next one, up to ``most`` items.

    A batch that fails is handled again item by item, so that a bad one fails alone; an error of a
    type in ``together`` fails all of it.
    """

    def __init__(self, most: int, together: tuple[type[Exception], ...] = ()) -> None:
        self._most, self._together = most, together
        self._waiting: asyncio.Queue[tuple[Item, asyncio.Future[Result]]] = asyncio.Queue()

    async def put(self, item: Item) -> Result:
        """Its result, once a batch with it was handled. Raises what handling it raised."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        await self._waiting.put((item, future))
        return await future

    async def work(self, handle: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> None:
        """Handle batches, one after the other, until cancelled; any number may work."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._most and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._settle(handle, batch)

    async def _settle(
        self,
        handle: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        batch: list[tuple[Item, asyncio.Future[Result]]],
    ) -> None:
        try:
            results = await handle([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  it is whose who waits
            if len(batch) > 1 and not isinstance(error, self._together):
                for one in batch:
                    await self._settle(handle, [one])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
