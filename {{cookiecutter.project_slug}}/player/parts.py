"""The parts a running player is made of, and what is not as it should be with them."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock

from sqlalchemy.engine import Engine
from werkzeug.exceptions import TooManyRequests

from player.config import Settings
from player.model.predictor import Predictor
from player.shadow import Shadow
from player.storage.writer import Writer


class Quota:
    """How many labels each sender may still bring in this minute."""

    def __init__(self, per_minute: int) -> None:
        """Allow *per_minute* labels a sender; 0 allows any number."""
        self.per_minute = per_minute
        self.minute = 0
        self.taken: dict[str, int] = defaultdict(int)
        self.lock = Lock()

    def take(self, sender: str, labels: int) -> None:
        """Count *labels* of *sender*; raises TooManyRequests (429) when it had its share of this minute."""
        if not self.per_minute:
            return
        minute = int(time.monotonic() // 60)
        with self.lock:
            if minute != self.minute:
                self.minute, self.taken = minute, defaultdict(int)
            if self.taken[sender] + labels > self.per_minute:
                raise TooManyRequests(f"At most {self.per_minute} labels a minute.", retry_after=60)
            self.taken[sender] += labels


@dataclass
class Parts:
    """Everything the routes and pages need; `app.extensions["player"]` holds it."""

    settings: Settings
    predictor: Predictor
    writer: Writer
    engine: Engine
    quota: Quota = field(init=False)
    shadow: Shadow = field(init=False)

    def __post_init__(self) -> None:
        """Start the minute of the label quota; say where copies of requests go."""
        self.quota = Quota(self.settings.access.labels_per_minute)
        self.shadow = Shadow(self.settings.shadow.url, self.settings.contract)

    def start(self) -> None:
        """Start the threads: one looks for new models, one ships rows to the database, one feeds the shadow."""
        self.predictor.start()
        self.writer.start()
        self.shadow.start()

    def stop(self) -> None:
        """Stop the threads; the writer ships what it still holds."""
        self.predictor.stop()
        self.shadow.stop()
        self.writer.stop()
        self.engine.dispose()

    def complaints(self) -> list[str]:
        """Return one sentence for each thing that is degraded; an empty list when all is well."""
        model, storage = self.predictor.status(), self.writer.status()
        found = []
        if model["degraded"]:
            found.append(f"the model does not answer: {model['reason']}")
        if storage["database"] != "ok":
            found.append(f"database {storage['database']}: spooling {storage['spooled']} rows")
        return found
