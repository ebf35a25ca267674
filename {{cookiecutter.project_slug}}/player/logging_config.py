"""How log lines look and where they go: one line for one event, with the id of the request it belongs to."""

import contextvars
import logging
import logging.config
import os
import socket
import sys
import threading
import time
import tomllib
import traceback
from pathlib import Path
from typing import Any

from player.config import Settings, load_settings
from player.errors import ConfigError
from player.settings.remedies import of_system

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_ESCAPES |= {9: "\\t", 10: "\\n", 13: "\\r", 0x2028: "\\u2028", 0x2029: "\\u2029"}
MAX_LINE = 8000
QUIET_SECONDS = 60.0


class RequestContext(logging.Filter):
    """Adds the request id, the host and the project to each record, so that the format can name them."""

    project = "player"
    host = socket.gethostname().partition(".")[0]

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete *record* and let it pass."""
        record.request_id = request_id.get()
        record.host = self.host
        record.project = self.project
        return True


class OneLineFormatter(logging.Formatter):
    """Writes a record, traceback included, as one line: what a value holds can never start a second one."""

    show_values: bool  # what `setup_logging` was told
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, control characters escaped, at most 8,000 characters long."""
        return one_line(super().format(record))

    def formatException(self, ei: Any) -> str:
        """Return the traceback; where values must not be seen, without the error's text, which may quote one."""
        if self.show_values:
            return super().formatException(ei)
        kind, _, trace = ei
        return f"{''.join(traceback.format_tb(trace))}{kind.__name__}"


def one_line(text: str) -> str:
    r"""Return *text* with everything escaped that could end a line or drive a terminal.

    >>> one_line("evil\nJul 4 root: forged")
    'evil\\nJul 4 root: forged'
    """
    return text[:MAX_LINE].translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


def setup_logging(settings: Settings) -> None:
    """Configure Python's logging from `config/logging.toml`, level and file from the settings; raises ConfigError."""
    path = settings.home / "config" / "logging.toml"
    RequestContext.project = settings.project.name
    OneLineFormatter.show_values = settings.logging.show_values
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
        config["loggers"]["player"]["level"] = settings.logging.level
        if settings.logging.file:
            add_file(config, settings.path(settings.logging.file))
        logging.config.dictConfig(config)
    except OSError as error:
        raise ConfigError(f"The log cannot be set up: {error.filename}: {of_system(error)}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # TOML, or what it says
        cause = error.__cause__
        why = of_system(cause) if isinstance(cause, OSError) else str(error) or type(error).__name__
        raise ConfigError(f"The log cannot be set up from {path}: {why}; the template has this file whole.") from None
    logging.raiseExceptions = False  # a full disk must not put tracebacks where an answer should be


def add_file(config: dict[str, Any], path: Path) -> None:
    """Let the log go to a file as well; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Watched, not rotating: several processes write to the file, and logrotate renames it.
    config["handlers"]["file"] = {
        "class": "logging.handlers.WatchedFileHandler",
        "filename": str(path),
        "encoding": "utf-8",
        "formatter": "line",
        "filters": ["context"],
    }
    config["root"]["handlers"].append("file")


def tell_who_waits(text: str) -> None:
    """Say on a terminal what takes a while; where nobody watches, standard error keeps to what went wrong."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def begin(environment: str | None) -> Settings:
    """Return the settings of *environment* for a command; log lines go to standard error, beside the result.

    Where users are, what the command writes from here on is for its own user alone.
    """
    settings = load_settings(environment)
    if settings.strict:
        os.umask(0o077)
    setup_logging(settings)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
    return settings


class QuietLog:
    """A logger for what may happen a thousand times a second: it says the same thing at most once a minute."""

    def __init__(self, log: logging.Logger) -> None:
        """Write to *log*."""
        self.log = log
        self.lock = threading.Lock()
        self.said: dict[str, float] = {}

    def say(self, level: int, what: str, error: Exception | None = None) -> None:
        """Log *what*, with the traceback of *error*, unless it was logged less than a minute ago."""
        now = time.monotonic()
        with self.lock:
            self.said = {text: then for text, then in self.said.items() if now - then < QUIET_SECONDS}
            if what in self.said:
                return
            self.said[what] = now
        self.log.log(level, "%s", what, exc_info=error)
