"""The names on the wire: paths and keys, from `[contract]` in `config/base.toml` where that file is."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from customer.errors import CustomerError, reason

CONFIG = Path("config/base.toml")


@dataclass(frozen=True)
class Contract:
    """What the calls and the keys in them are called. An empty `features` means: the features are the body itself."""

    predict: str = "/api"
    feedback: str = "/feedback"
    request_id: str = "request_id"
    features: str = "features"
    prediction: str = "pred"
    probability: str = "proba"
    label: str = "label"


def read_config(path: Path = CONFIG) -> dict[str, Any]:
    """Return the tables of the file at *path*, none when there is no such file; raises CustomerError when broken."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CustomerError(f"{path} cannot be read: {reason(error)}.") from None


def load_contract(path: Path = CONFIG) -> Contract:
    """Return the contract in the file at *path*, or the default one when there is no such file or table."""
    names = read_config(path).get("contract", {})
    known = {field.name for field in fields(Contract)}
    wrong = [name for name, value in names.items() if name not in known or not isinstance(value, str)]
    if wrong:
        raise CustomerError(f"{path}: [contract] has {', '.join(wrong)}; it may hold texts named {', '.join(known)}.")
    return Contract(**names)
