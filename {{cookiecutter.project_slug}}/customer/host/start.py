"""Starts a tournament in this process: database, table, pages, and the terminal that says where they are."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from aiohttp import web
from procrastinate import App
from sqlalchemy import Engine

from customer.errors import CustomerError
from customer.host import enrol, keys
from customer.host.addresses import CheckedResolver, Guard
from customer.host.control import Control
from customer.host.crew import Crew
from customer.host.house import ANYWHERE, House, read_text, write
from customer.host.pages import BROADCAST, make_app
from customer.host.pages.state import board, lines
from customer.host.places import Rules
from customer.host.queue import make_tables, open_queue
from customer.host.review import results
from customer.host.store import ENDED, Store
from customer.host.tournament import Tournament
from customer.referee import open_session

log = logging.getLogger(__name__)
Say = Callable[[str], None]


def run(rules: Rules, house: House, say: Say) -> None:
    """Run the tournament until Ctrl-C; raises CustomerError when it cannot start."""
    more_files()
    sys.setswitchinterval(0.001)  # the game waits a shorter time for a thread that reads for a page
    store = Store(house.database)
    settings = {"labels": list(rules.population.labels), "deadline": rules.deadline, "contract": vars(rules.contract)}
    store.begin(house.seed, settings, house.guard)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(serve(rules, house, store, say))
    finally:
        store.close()


async def serve(rules: Rules, house: House, store: Store, say: Say) -> None:
    """Serve the pages and play, until the process is asked to stop."""
    guard = Guard(**house.guard)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(CheckedResolver(guard)))
        tournament = Tournament(rules, store, session, guard)
        stack.callback(tournament.ledger.close)
        if house.workers:
            tournament.crew = Crew(await open_for_host(store.engine, stack), tournament.ledger)
        control = Control(tournament, lambda: board(tournament))
        app = make_app(tournament, control, f"{house.url}/join", house.room_code)
        await tournament.prepare()
        await listen(app, house, stack)
        playing = asyncio.create_task(tournament.run())
        showing = asyncio.create_task(app[BROADCAST].run())
        if house.players:
            await enrol_from(house.players, house.output, tournament, say)
        leave_door(house, tournament)
        announce(house, tournament, say)
        stopped = listen_for_stop()
        if await until_stopped(stopped, playing):
            save_results(house, tournament)
            await stopped.wait()
        for task in (playing, showing):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def open_for_host(engine: Engine, stack: AsyncExitStack) -> App:
    """Return the queue to the workers, open, its tables made."""
    jobs = await stack.enter_async_context(open_queue(engine).open_async())
    await make_tables(jobs, engine)
    return jobs


async def listen(app: web.Application, house: House, stack: AsyncExitStack) -> None:
    """Listen on the house's address; raises CustomerError when the port is taken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, house.address, house.port).start()
    except OSError as error:
        raise CustomerError(
            f"Port {house.port} of {house.address} cannot be used ({os.strerror(error.errno or 0)}): is a tournament "
            "running already? Another one: --port."
        ) from None


def listen_for_stop() -> asyncio.Event:
    """Return what is set when this process is asked to stop."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    with suppress(NotImplementedError):  # on Windows Ctrl-C arrives as KeyboardInterrupt
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
    return stopped


async def until_stopped(stopped: asyncio.Event, work: "asyncio.Task[None]") -> bool:
    """Return when the process is *stopped*, or the *work* is done: whether that is so; raises what went wrong in it."""
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if work.done():
        work.result()
    return work.done()


def save_results(house: House, tournament: Tournament) -> None:
    """Write the outcome into a file."""
    found = results(tournament.store, lines(tournament))
    write(house.output / "results.json", json.dumps(found, indent=1))


async def enrol_from(listed: Path, output: Path, tournament: Tournament, say: Say) -> None:
    """Register the players on a list, and leave their keys in a file only the host can read."""
    entries = enrol.read(read_text(listed), str(listed))
    enrolled = await enrol.enrol(tournament.places, entries)
    for each in enrolled:
        if each["error"]:
            say(f"{each['name']}: {each['error']}")
    path = output / "player-keys.json"
    write(path, json.dumps(enrolled, indent=1), private=True)
    say(f"{sum(not each['error'] for each in enrolled)} players registered; their keys: {path}")


def leave_door(house: House, tournament: Tournament) -> None:
    """Leave the address and the host's key where `customer host next` and the others look for them."""
    near = "127.0.0.1" if house.address in ANYWHERE else house.address
    door = {"url": f"http://{near}:{house.port}", "key": keys.host_key(tournament.secret)}
    write(house.output / "host.json", json.dumps(door), private=True)


def announce(house: House, tournament: Tournament, say: Say) -> None:
    """Say where everything is, with a code for the room to scan."""
    if house.address not in ANYWHERE:
        say("Only this machine reaches it. For a room: --address 0.0.0.0")
    import segno

    if tournament.phase == ENDED:
        say("This tournament is over: its pages are shown, nothing is played.")
    say(f"Board:  {house.url}/")
    say(f"Join:   {house.url}/join" + (f"   code: {house.room_code}" if house.room_code else ""))
    say(f"Host:   {house.url}/host   key: {keys.host_key(tournament.secret)}")
    if sys.stdout.isatty():
        segno.make(f"{house.url}/join").terminal(compact=True)
    say("Then: customer host next (and pause, resume, repeat, stop, freeze, thaw, void, end). Ctrl-C stops it; started")
    say("again it goes on where it was.")


def more_files() -> None:
    """Let this process have as many connections as the system allows."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536) if most > 0 else 65_536, most))
