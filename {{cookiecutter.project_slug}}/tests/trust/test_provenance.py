"""Bytes and versions: what a manifest says of a model's file must be so."""

import hashlib
import platform

import pytest

from player.config import Settings, load_settings
from player.errors import ModelRefused
from player.trust.provenance import check_hash, check_versions, further_in, version, versions

HERE = versions()


def test_the_bytes_are_those_that_the_manifest_describes() -> None:
    """Not one bit may differ."""
    right = hashlib.sha256(b"model").hexdigest()
    check_hash(b"model", right, "Model x")

    for data, sha256 in ((b"modem", right), (b"model", right.upper()), (b"model", "")):
        with pytest.raises(ModelRefused, match="Model x is not the file its manifest describes"):
            check_hash(data, sha256, "Model x")


def test_versions_are_those_of_python_and_the_libraries() -> None:
    """A patch of Python changes no pickle; what is not there is said so."""
    assert {"python", "scikit-learn", "numpy", "scipy", "pandas"} == set(HERE)
    assert platform.python_version().startswith(f"{HERE['python']}.")
    assert 1 == HERE["python"].count(".")
    assert (
        "not installed" == version("no-such-package-here") == versions(["no-such-package-here"])["no-such-package-here"]
    )


def test_further_packages_are_what_not_every_model_needs() -> None:
    """Sorted, so that two manifests can be compared."""
    assert ("a", "xgboost") == further_in({**HERE, "xgboost": "2", "a": "1"})
    assert () == further_in(HERE)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, ""),
        ({"pandas": "0.1"}, ""),
        ({"scipy": "0.1"}, ""),
        ({"numpy": "0.1"}, "numpy 0.1 (here "),
        ({"python": "2.7", "numpy": "0.1"}, "python 2.7 (here "),
        ({"scikit-learn": "99.0"}, "scikit-learn 99.0 (here "),
        ({"no-such-package-here": "1.0"}, "no-such-package-here 1.0 (here not installed)"),
    ],
)
def test_a_model_made_with_other_versions_may_answer_wrongly(
    settings: Settings, caplog: pytest.LogCaptureFixture, change: dict[str, str], differs: str
) -> None:
    """Where users are it is refused, elsewhere the log says it; pandas and SciPy may differ."""
    made_with = {**HERE, **change}
    check_versions(made_with, settings, "Model x")
    assert bool(differs) == (f"Model x was made with {differs}" in caplog.text) == bool(caplog.text)
    caplog.clear()

    if differs:
        with pytest.raises(ModelRefused) as refusal:
            check_versions(made_with, load_settings("production"), "Model x")
        assert f"Model x was made with {differs}" in str(refusal.value)
        assert len(change) - 1 == str(refusal.value).count(", ")
    else:
        check_versions(made_with, load_settings("production"), "Model x")
    assert "" == caplog.text


def test_a_manifest_that_says_nothing_of_a_library_differs(settings: Settings) -> None:
    """It is not taken for the right version."""
    with pytest.raises(ModelRefused, match=r"numpy None \(here "):
        check_versions(
            {"python": HERE["python"], "scikit-learn": HERE["scikit-learn"]}, load_settings("production"), "x"
        )
