"""Every error the player raises on purpose, and the exit code of each.

PlayerError                  something a person can mend; shown as one line, never as a traceback
├── ConfigError              the configuration is wrong or unsafe
├── DataError                a table or file cannot be used as it is
│   └── TableMissing         it is not there
├── PipelineError            the pipeline that build_pipeline returns cannot learn or answer
├── ModelError               a model file is not there, not trusted, or does not work
│   ├── ModelMissing         there is no model to load
│   ├── ModelRefused         the model was checked and is not allowed to run here
│   └── ModelFailed          the model was asked and gave no usable answer
├── StorageError             the database cannot be read or prepared
│   ├── DatabaseAway         the database cannot be reached now; what can wait for it, waits
│   ├── TablesOutdated       the database is there, its tables are older than this code
│   ├── SpoolDamaged         the spool is no whole spool; its rows may be the only copy
│   └── NotDurable           a row could not be made durable, so it must not be acknowledged
└── PromotionRefused         a gate said no
"""


class PlayerError(Exception):
    """Base of all errors below: says what is wrong, where, and what to do."""

    exit_code = 1


class ConfigError(PlayerError):
    """The configuration is wrong or unsafe; nothing was started."""

    exit_code = 2


class DataError(PlayerError):
    """A table or file cannot be used as it is; nothing was changed."""


class TableMissing(DataError):
    """A table or file is not there."""


class PipelineError(PlayerError):
    """The pipeline that build_pipeline returns cannot learn or answer; the old model stays."""


class ModelError(PlayerError):
    """A model file is not there, not trusted, or does not work."""


class ModelMissing(ModelError):
    """There is no model to load."""


class ModelRefused(ModelError):
    """The model was checked and is not allowed to run here."""


class ModelFailed(ModelError):
    """The model was asked for a prediction and gave no usable answer."""


class StorageError(PlayerError):
    """The database cannot be read or prepared."""


class DatabaseAway(StorageError):
    """The database cannot be reached now; what can wait for it, waits."""


class TablesOutdated(StorageError):
    """The database is there, its tables are older than this code: `player db upgrade` mends them."""


class SpoolDamaged(StorageError):
    """The spool is no whole spool; its rows may be the only copy."""


class NotDurable(StorageError):
    """A row could not be made durable, so it must not be acknowledged."""


class PromotionRefused(PlayerError):
    """A gate of the promotion said no; nothing was moved."""
