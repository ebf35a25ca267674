"""The names on the wire: paths and keys, from `[contract]` in `config/base.toml` where that file is."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from customer.errors import CustomerError, reason

CONFIG = Path("config/base.toml")


@dataclass(frozen=True)
class Contract:
    """What the calls and the keys in them are called.

    An empty `features`: the features are the body itself. An empty `prediction`: the answer is the probability alone,
    and the class is what it is nearer to. `label_lists` = false: labels are brought one at a time.
    """

    predict: str = "/api"
    feedback: str = "/feedback"
    request_id: str = "request_id"
    features: str = "features"
    prediction: str = "pred"
    probability: str = "proba"
    label: str = "label"
    label_lists: bool = True

    @property
    def answer(self) -> str:
        """The key whose value is judged."""
        return self.prediction or self.probability


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
    known = {field.name: type(field.default) for field in fields(Contract)}
    wrong = [name for name, value in names.items() if not isinstance(value, known.get(name, ()))]
    if wrong:
        texts = ", ".join(name for name, kind in known.items() if kind is str)
        may = f"it may hold texts named {texts}, and label_lists = true or false"
        raise CustomerError(f"{path}: [contract] has {', '.join(wrong)}; {may}.")
    return Contract(**names)


def contract_for(labels: Collection[Any]) -> Contract:
    """Return this project's contract; raises CustomerError where its answer cannot tell these *labels* apart."""
    contract = load_contract()
    if not contract.prediction and len(labels) != 2:
        why = f"a probability alone tells two classes apart, and here are {len(labels)}"
        raise CustomerError(f"{CONFIG}: [contract].prediction is empty, but {why}.")
    return contract
