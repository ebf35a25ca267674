"""`player join`: registers this player at a tournament, under the address by which the host reaches it."""

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from player.config import Settings, load_settings
from player.errors import ConfigError, PlayerError

SECONDS = 30
FILE = "output/joined.json"


class NotJoined(PlayerError):
    """The tournament could not be reached, or has refused."""


class UnknownKey(NotJoined):
    """The tournament does not know the key."""


@click.command()
@click.argument("address")
@click.option("--name", help="Your team's name (default: [project].team).")
@click.option("--url", help="Your player's address, when it is not found out rightly.")
@click.option("--code", default="", show_default=False, help="The code of the room, when the host asks for one.")
@click.pass_context
def join(context: click.Context, address: str, name: str | None, url: str | None, code: str) -> None:
    """Join the tournament at ADDRESS; done again, from another place, it moves your player there.

    The host tests your player at once and says what is wrong. Exit codes: 0 it works, 1 it does not yet.
    """
    settings = load_settings(context.obj)
    host = read_address(address)
    words = {"name": name or settings.project.team, "url": url or own_url(host, settings), "code": code}
    if settings.access.key_required and settings.api_key:
        words["label_key"] = settings.api_key.get_secret_value()
        click.echo("Your API key goes along: without it the host cannot bring labels.")
    path = settings.path(FILE)
    known = read_known(path, host)
    answer = move(host, words, known) if known else None
    known = known if answer else ""
    answer = answer or call(f"{host}/join", words, "")
    if not known:
        remember(path, {"host": host, "name": answer["name"], "key": answer["key"]})
    tell(answer, host, path, first=not known)
    if not answer["check"]["works"]:
        sys.exit(1)


def read_address(address: str) -> str:
    """Return where the tournament is, without a page; raises ConfigError when it is no address."""
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{address!r} is no address; it looks like http://10.0.0.5:8000, on the host's screen.")
    return f"{parts.scheme}://{parts.netloc}"


def own_url(host: str, settings: Settings) -> str:
    """Return this player's address as the host reaches it: by the network that leads to the host."""
    parts = urlsplit(host)
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=SECONDS) as way:
            own = str(way.getsockname()[0])
    except OSError as error:
        why = error.strerror or error
        raise NotJoined(f"{host} cannot be reached ({why}): is it the address on the board?") from None
    return f"http://{f'[{own}]' if ':' in own else own}:{settings.server.port}"


def move(host: str, words: dict[str, str], key: str) -> dict[str, Any] | None:
    """Return the answer to a move, or None when the tournament there is another one and does not know the key."""
    try:
        return call(f"{host}/me/move", words, key)
    except UnknownKey:
        return None


def read_known(path: Path, host: str) -> str:
    """Return the key from an earlier join at the same host, or ""."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return str(known["key"]) if known["host"] == host else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def remember(path: Path, known: dict[str, str]) -> None:
    """Keep the key where only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(known, file)


def call(address: str, words: dict[str, str], key: str) -> dict[str, Any]:
    """Return the tournament's answer; raises NotJoined with what it says."""
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(address, json.dumps(words).encode(), headers)  # noqa: S310 - http or https only
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            found: dict[str, Any] = json.loads(answer.read(1_000_000))
            return found
    except urllib.error.HTTPError as error:
        raise (UnknownKey if error.code == HTTPStatus.UNAUTHORIZED else NotJoined)(refusal(error)) from None
    except (OSError, ValueError) as error:
        raise NotJoined(f"{address} gives no usable answer ({error}): is a tournament running there?") from None


def refusal(error: urllib.error.HTTPError) -> str:
    """Return the sentence with which the tournament refuses."""
    try:
        with error:
            return str(json.loads(error.read(100_000))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"The tournament answered with status {error.code}: is this its address?"


def tell(answer: dict[str, Any], host: str, path: Path, first: bool) -> None:
    """Say what was found, and where to go on."""
    check = answer["check"]
    click.echo(f"{answer['name']} {'has joined' if first else 'plays'} as {answer['url']}")
    click.echo(check["advice"])
    if not check["works"]:
        click.echo("You are tested every two seconds and play as soon as it works; nothing is lost until then.")
    click.echo(f"Your page: {host}/me")
    if first:
        click.echo(f"Your key stands in {path}: it opens your page. To answer nobody but this tournament, set")
        click.echo("PLAYER_CUSTOMER_KEY to it before `player serve`.")
