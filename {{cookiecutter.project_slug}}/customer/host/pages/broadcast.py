"""Sends the board to every browser that watches, once for all, when it has changed."""

import asyncio
import json
import logging
from contextlib import suppress

from aiohttp import web

from customer.host.pages.guarded import HEADERS, TOURNAMENT
from customer.host.pages.state import board_html

log = logging.getLogger(__name__)
EVERY_SECONDS, AT_LEAST_SECONDS = 1.0, 5.0
PING_SECONDS, SLOW_SECONDS = 15.0, 10.0
MOST_WATCHERS = 1000


class Broadcast:
    """The board as it was sent last, and who watches."""

    def __init__(self, app: web.Application) -> None:
        self.app = app
        self.html, self.version, self.watchers = "", 0, 0
        self.news = asyncio.Condition()

    async def run(self) -> None:
        """Make the board again and again until cancelled."""
        while True:
            try:
                html = await board_html(self.app)
            except Exception:
                log.exception("the board could not be made")  # the game goes on; the next one may work
            else:
                if html != self.html:
                    async with self.news:
                        self.html, self.version = html, self.version + 1
                        self.news.notify_all()
            await self.something_new()

    async def something_new(self) -> None:
        """Return when the tournament has changed, but not at once and not never."""
        changed = self.app[TOURNAMENT].changed
        await asyncio.sleep(EVERY_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), AT_LEAST_SECONDS)
        changed.clear()

    async def changed(self, version: int) -> bool:
        """Return whether there is another board than *version*, after waiting a while for it."""
        try:
            async with asyncio.timeout(PING_SECONDS), self.news:
                await self.news.wait_for(lambda: self.version != version)
        except TimeoutError:
            return False
        return True

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send the board as server-sent events until the browser leaves, or reads too slowly."""
        if self.watchers >= MOST_WATCHERS:
            raise web.HTTPServiceUnavailable(text="Too many watch already.")
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.watchers += 1
        version = 0
        try:
            while True:
                line = ":\n\n"
                if await self.changed(version):
                    version, line = self.version, f"data: {json.dumps(self.html)}\n\n"
                async with asyncio.timeout(SLOW_SECONDS):
                    await response.write(line.encode())
        except (ConnectionError, TimeoutError):
            return response
        finally:
            self.watchers -= 1
