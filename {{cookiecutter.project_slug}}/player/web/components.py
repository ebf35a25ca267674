"""The components of a running player, and what is not as it should be with them."""

from dataclasses import dataclass, field

from sqlalchemy.engine import Engine

from player.config import Settings
from player.model.predictor import Predictor
from player.storage.writer import Writer
from player.web.callers import known_keys
from player.web.quota import Quota
from player.web.shadow import Shadow


@dataclass
class Components:
    """Everything the routes and pages need; `app.extensions["player"]` holds it."""

    settings: Settings
    predictor: Predictor
    writer: Writer
    engine: Engine
    keys: dict[str, str] = field(init=False)
    quota: Quota = field(init=False)
    requests: Quota = field(init=False)
    shadow: Shadow = field(init=False)

    def __post_init__(self) -> None:
        """Read who may call, start the minute of the quotas; say where copies of requests go."""
        self.keys = known_keys(self.settings)
        access, folder = self.settings.access, self.settings.path("output")
        self.quota = Quota(access.labels_per_minute, "labels", folder / f"{self.settings.environment}-labels.quota")
        self.requests = Quota(
            access.requests_per_minute, "requests", folder / f"{self.settings.environment}-requests.quota"
        )
        key = self.settings.shadow_key.get_secret_value() if self.settings.shadow_key else ""
        self.shadow = Shadow(self.settings.shadow.url, self.settings.contract, key)

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
