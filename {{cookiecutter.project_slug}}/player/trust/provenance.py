"""When a model file may be trusted, beside its signature: the bytes of its manifest, made with our versions.

Nothing is unpickled here.
"""

import hashlib
import logging
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata

from player.config import Settings
from player.errors import ModelRefused

log = logging.getLogger(__name__)

LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas")
MUST_BE_EQUAL = ("python", "scikit-learn", "numpy")


def check_hash(data: bytes, sha256: str, name: str) -> None:
    """Raise ModelRefused when *data* are not the bytes that the manifest describes."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelRefused(
            f"{name} is not the file its manifest describes (another SHA-256); train or promote it again."
        )


def versions(further: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions a pickle depends on: Python (major.minor), the libraries, and *further* packages."""
    found = {name: version(name) for name in (*LIBRARIES, *further)}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}


def version(package: str) -> str:
    """Return which version of *package* is installed, "not installed" when there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def further_in(made_with: Mapping[str, str]) -> tuple[str, ...]:
    """Return the packages in *made_with* beside those that every model depends on."""
    return tuple(sorted(set(made_with) - {"python", *LIBRARIES}))


def check_versions(made_with: Mapping[str, str], settings: Settings, name: str) -> None:
    """Raise ModelRefused (acceptance, production) or warn when *made_with* differs from what runs here.

    scikit-learn only warns when it unpickles the model of another version, and may then answer wrongly.
    """
    further = further_in(made_with)
    here = versions(further)
    differ = [
        f"{lib} {made_with.get(lib)} (here {here[lib]})"
        for lib in (*MUST_BE_EQUAL, *further)
        if made_with.get(lib) != here[lib]
    ]
    if differ and settings.strict:
        raise ModelRefused(f"{name} was made with {', '.join(differ)}; learn it again here with `player train`.")
    if differ:
        log.warning("%s was made with %s; it may answer wrongly", name, ", ".join(differ))
