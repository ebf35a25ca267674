"""What is looked at before the port opens: the model, the spool, the database. Each trouble is said in one sentence."""

import logging

from player.config import Settings
from player.errors import DatabaseAway
from player.model import cage, store
from player.storage import migrations
from player.storage.rescue import prepare_spool

log = logging.getLogger(__name__)


def before_serving(settings: Settings) -> None:
    """Return when requests may come; raises PlayerError when they may not.

    A database that is only away does not stop it: rows wait in the spool, as they do when it goes away later.
    """
    if settings.strict:  # where users are, nothing is made or changed on the way
        store.check_current(settings)
        if lacks := cage.missing():
            log.warning("this system has no whole cage: a model that is tried could reach %s", ", ".join(lacks))
    prepare_spool(settings)
    try:
        migrations.check(settings) if settings.strict else migrations.upgrade(settings)
    except DatabaseAway as error:
        log.warning("%s Rows wait in the spool until it is back.", error)
