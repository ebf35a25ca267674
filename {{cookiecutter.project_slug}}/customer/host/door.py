"""Talks to the tournament that is running, for `customer host next` and the others."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customer.errors import CustomerError

SECONDS = 20


@dataclass(frozen=True)
class Door:
    """Where the running tournament is, and the host's key to it."""

    url: str
    key: str

    def call(self, path: str, words: dict[str, str] | None = None) -> dict[str, Any]:
        """Return the answer to a call; raises CustomerError with what the tournament says, or that nobody is there."""
        body = None if words is None else json.dumps(words).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310 - the host's own address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            raise CustomerError(said(error)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise CustomerError(f"No tournament answers at {self.url} ({reason}); start it: customer host") from None


def said(error: urllib.error.HTTPError) -> str:
    """Return the sentence in an answer that refuses."""
    try:
        return str(json.loads(error.read())["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"The tournament answered with status {error.code}."


def find(output: Path) -> Door:
    """Return the door that a started tournament has left in *output*; raises CustomerError when there is none."""
    path = output / "host.json"
    try:
        left = json.loads(path.read_text(encoding="utf-8"))
        return Door(str(left["url"]), str(left["key"]))
    except FileNotFoundError:
        raise CustomerError(f"{path} is not there: start the tournament first, in this folder: customer host") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CustomerError(f"{path} cannot be read: {error}") from None
