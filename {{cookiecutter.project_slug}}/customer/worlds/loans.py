"""The population of loan applicants: who applies, who repays, and what can happen to both.

The truth is known here and nowhere else: the chance to repay is a logistic function of what an applicant tells,
almost linear for most, quite different for the few self-employed. So the best possible score is known as well.
"""

from typing import Any

import numpy as np
import pandas as pd

from customer.world import World

SHARES: dict[str, dict[str, float]] = {
    "employment": {"permanent": 0.64, "temporary": 0.18, "self-employed": 0.02, "unemployed": 0.06, "retired": 0.10},
    "housing": {"rent": 0.38, "mortgage": 0.38, "owner": 0.14, "family": 0.10},
    "purpose": {"car": 0.28, "home": 0.22, "debts": 0.18, "study": 0.10, "holiday": 0.08, "other": 0.14},
    "region": {"north": 0.14, "east": 0.18, "south": 0.20, "west": 0.30, "centre": 0.18},
    "channel": {"branch": 0.30, "web": 0.42, "broker": 0.20, "app": 0.08},
}
# A campaign in an app for starters: younger, mostly self-employed, somewhat larger loans.
OTHER_SHARES = SHARES | {
    "employment": {"permanent": 0.16, "temporary": 0.10, "self-employed": 0.66, "unemployed": 0.06, "retired": 0.02},
    "housing": {"rent": 0.52, "mortgage": 0.20, "owner": 0.06, "family": 0.22},
    "channel": {"branch": 0.05, "web": 0.20, "broker": 0.10, "app": 0.65},
}

# The logit of repaying: "average" at the middle value, plus for each unit away from it.
MIDDLE = {
    "age": (43, 1),
    "income": (33_000, 10_000),
    "loan_amount": (9_500, 10_000),
    "loan_months": (36, 12),
    "years_employed": (6, 1),
    "monthly_debt": (320, 100),
    "credit_cards": (1.6, 1),
    "late_payments": (0.7, 1),
    "savings": (7_000, 10_000),
}
HIGHEST = {"age": 65, "income": 100_000, "years_employed": 20, "savings": 40_000}  # more does not help any further
SLOPES = {
    "age": 0.03,
    "income": 0.6,
    "loan_amount": -1.0,
    "loan_months": -0.15,
    "years_employed": 0.10,
    "monthly_debt": -0.35,
    "credit_cards": -0.12,
    "late_payments": -1.0,
    "savings": 0.7,
}
# What is a strength in an employee can be a weakness in a business, and the other way round.
SELF_EMPLOYED = {"income": -0.2, "loan_amount": 0.6, "years_employed": 0.45, "monthly_debt": 0.1, "late_payments": -0.3}
STEPS: dict[str, dict[str, float]] = {
    "employment": {"permanent": 0.5, "temporary": -0.5, "self-employed": -0.6, "unemployed": -1.6, "retired": 0.3},
    "housing": {"rent": -0.5, "mortgage": 0.4, "owner": 0.8, "family": -0.2},
    "purpose": {"debts": -0.9, "home": 0.4, "holiday": -0.4},
    "channel": {"broker": -0.5, "branch": 0.2},
}
AVERAGE = 1.3
# House prices fall and interest rises: a mortgage is a risk now, debts weigh more, a high income protects less.
OTHER_SLOPES = SLOPES | {
    "age": -0.03,
    "income": 0.25,
    "loan_amount": -1.5,
    "monthly_debt": -0.9,
    "late_payments": -0.3,
    "savings": 0.3,
}
OTHER_STEPS = STEPS | {
    "employment": {"permanent": -0.6, "temporary": 0.3, "self-employed": -0.6, "unemployed": -1.0, "retired": 1.0},
    "housing": {"rent": 0.7, "mortgage": -1.0, "owner": 0.4, "family": 0.2},
    "purpose": {"debts": 0.6, "home": -1.0, "car": -0.3},
}
OTHER_AVERAGE = 1.5


def draw_people(rng: np.random.Generator, n: int, other: bool = False) -> pd.DataFrame:
    """Return the features of *n* applicants, from the usual population or from the *other* one."""
    drawn = {name: pick(rng, n, shares) for name, shares in (OTHER_SHARES if other else SHARES).items()}
    employment = drawn["employment"]
    retired = employment == "retired"
    age = rng.normal(33 if other else 43, 9 if other else 11, n) + 27 * retired
    age = np.clip(age, 18, 85).round()
    less = np.select([employment == "unemployed", retired, employment == "temporary"], [0.5, 0.7, 0.8], 1.0)
    income = np.clip(np.exp(rng.normal(10.45, 0.38, n)) * less, 6_000, 200_000)
    years = np.clip(rng.gamma(2.0, 3.2, n), 0, age - 17)
    loan = np.clip(np.exp(rng.normal(9.25 if other else 9.0, 0.55, n)), 500, 75_000)
    savings = np.clip(np.exp(rng.normal(8.6, 0.9, n)), 0, 90_000)
    numbers = {
        "age": whole(age),
        "income": whole(np.where(rng.random(n) < 0.03, np.nan, income.round(-2))),
        "loan_amount": whole(loan.round(-2)),
        "loan_months": rng.choice([12, 24, 36, 48, 60, 72], n, p=[0.12, 0.20, 0.26, 0.20, 0.16, 0.06]),
        "years_employed": np.where(np.isin(employment, ["unemployed", "retired"]), np.nan, years.round(1)),
        "monthly_debt": whole(np.clip(rng.normal(320, 210, n), 0, None).round(-1)),
        "credit_cards": rng.poisson(1.6, n),
        "late_payments": rng.poisson(0.7, n),
        "savings": whole(np.where(rng.random(n) < 0.10, np.nan, savings.round(-2))),
    }
    return pd.DataFrame(numbers | drawn)


def pick(rng: np.random.Generator, n: int, shares: dict[str, float]) -> Any:
    """Return *n* categories drawn with their *shares*: a text array of shape (n,)."""
    return rng.choice(list(shares), n, p=list(shares.values()))


def whole(numbers: Any) -> pd.Series:
    """Return *numbers* as integers that may be missing, so that a file says 31000 and not 31000.0."""
    return pd.Series(numbers).astype("Int64")


def chance_to_repay(people: pd.DataFrame, other: bool = False) -> Any:
    """Return the true probability to repay for each of *people*, under the usual nature or the *other* one.

    A number that is missing counts as the middle value, so that the truth depends on nothing a player cannot see.
    """
    slopes, steps = (OTHER_SLOPES, OTHER_STEPS) if other else (SLOPES, STEPS)
    own_business = (people["employment"] == "self-employed").to_numpy()
    logit = np.full(len(people), OTHER_AVERAGE if other else AVERAGE)
    for name, (middle, unit) in MIDDLE.items():
        value = people[name].astype("float64").fillna(middle).clip(upper=HIGHEST.get(name)).to_numpy()
        slope = np.where(own_business, SELF_EMPLOYED.get(name, slopes[name]), slopes[name])
        logit += slope * (value - middle) / unit
    for name, step in steps.items():
        logit += people[name].map(step).astype("float64").fillna(0).to_numpy()
    return 1 / (1 + np.exp(-logit))


def gather_differently(people: pd.DataFrame) -> pd.DataFrame:
    """Return *people* as a new form would send them: income for a month instead of a year, a category renamed."""
    monthly = (people["income"] / 12).round().astype("Int64")
    return people.assign(income=monthly, housing=people["housing"].replace({"mortgage": "home loan"}))


def months_in_arrears(rng: np.random.Generator, repaid: Any) -> Any:
    """Return how long payments were overdue when a loan had run: hardly for those who *repaid*, long for the others."""
    return np.where(repaid == 1, rng.poisson(0.15, len(repaid)), 3 + rng.poisson(3.0, len(repaid)))


WORLD = World(
    label="repaid",
    id="applicant_id",
    time="applied_on",
    afterwards="months_in_arrears",
    draw=draw_people,
    chance=chance_to_repay,
    gather_differently=gather_differently,
    tell_afterwards=months_in_arrears,
)
