"""The population of subscribers of a telephone company: who they are, who leaves, and what can happen to both.

A second world, to be read beside `loans.py`: the chance to leave is a logistic function of what is known of a
subscriber, with one bend, the contract: who is bound by one hardly reacts to anything.
"""

from typing import Any

import numpy as np
import pandas as pd

from customer.world import World

SHARES: dict[str, dict[str, float]] = {
    "tariff": {"basic": 0.40, "family": 0.30, "unlimited": 0.22, "prepaid": 0.08},
    "payment": {"debit": 0.55, "card": 0.30, "invoice": 0.15},
    "phone": {"own": 0.45, "instalments": 0.40, "second-hand": 0.15},
}
# A campaign for students: prepaid, card, a phone of their own; new, and without a contract.
OTHER_SHARES = SHARES | {
    "tariff": {"basic": 0.22, "family": 0.02, "unlimited": 0.16, "prepaid": 0.60},
    "payment": {"debit": 0.15, "card": 0.80, "invoice": 0.05},
}

# The logit of leaving: for each unit away from the middle value.
MIDDLE = {
    "tenure_months": (30, 12),
    "monthly_fee": (32, 10),
    "data_gb": (12, 10),
    "support_calls": (1.2, 1),
    "outages": (0.8, 1),
    "months_bound": (8, 6),
}
SLOPES = {
    "tenure_months": -0.45,
    "monthly_fee": 0.7,
    "data_gb": -0.3,
    "support_calls": 0.75,
    "outages": 0.5,
    "months_bound": -0.9,
}
STEPS: dict[str, dict[str, float]] = {
    "tariff": {"family": -0.8, "unlimited": -0.3, "prepaid": 0.4},
    "payment": {"invoice": 0.5, "debit": -0.3},
    "phone": {"instalments": -0.6, "second-hand": 0.3},
}
BOUND, BOUND_LESS = 12, 0.5  # who is bound for so many months reacts half as much
AVERAGE = -1.1
# A competitor gives new phones to those who stayed long and used much: loyalty does not bind any more.
OTHER_SLOPES = SLOPES | {"tenure_months": 0.9, "data_gb": 0.8, "monthly_fee": 0.2, "months_bound": -0.2}
OTHER_STEPS = STEPS | {"tariff": {"family": 0.9, "unlimited": 0.8}, "phone": {"instalments": 0.8, "own": -0.6}}
OTHER_AVERAGE = -0.9


def draw_subscribers(rng: np.random.Generator, n: int, other: bool = False) -> pd.DataFrame:
    """Return the features of *n* subscribers, from the usual population or from the *other* one."""
    drawn = {
        name: rng.choice(list(shares), n, p=list(shares.values()))
        for name, shares in (OTHER_SHARES if other else SHARES).items()
    }
    tenure = rng.gamma(1.2 if other else 2.0, 8 if other else 15, n)
    dear = np.select([drawn["tariff"] == "unlimited", drawn["tariff"] == "prepaid"], [14, -12], 0)
    bound = np.where(drawn["tariff"] == "prepaid", 0, rng.integers(0, 25, n) * (rng.random(n) < 0.65))
    data = np.round(np.exp(rng.normal(2.9 if other else 2.2, 0.8, n)), 1)
    numbers = {
        "tenure_months": np.clip(tenure.round(), 1, 180).astype("int64"),
        "monthly_fee": np.clip(rng.normal(31, 7, n) + dear, 5, 90).round(2),
        "data_gb": np.where(rng.random(n) < 0.05, np.nan, data),
        "support_calls": rng.poisson(1.2, n),
        "outages": pd.Series(np.where(rng.random(n) < 0.08, np.nan, rng.poisson(0.8, n))).astype("Int64"),
        "months_bound": bound,
    }
    return pd.DataFrame(numbers | drawn)


def chance_to_leave(people: pd.DataFrame, other: bool = False) -> Any:
    """Return the true probability to leave for each of *people*; a missing number counts as the middle value."""
    slopes, steps = (OTHER_SLOPES, OTHER_STEPS) if other else (SLOPES, STEPS)
    logit = np.zeros(len(people))
    for name, (middle, unit) in MIDDLE.items():
        value = people[name].astype("float64").fillna(middle).to_numpy()
        logit += slopes[name] * np.clip((value - middle) / unit, -3, 3)
    for name, step in steps.items():
        logit += people[name].map(step).astype("float64").fillna(0).to_numpy()
    less = np.where(people["months_bound"] >= BOUND, BOUND_LESS, 1.0)
    return 1 / (1 + np.exp(-(OTHER_AVERAGE if other else AVERAGE) - less * logit))


def gather_differently(people: pd.DataFrame) -> pd.DataFrame:
    """Return *people* as a new system would send them: megabytes instead of gigabytes, a tariff renamed."""
    megabytes = (people["data_gb"] * 1024).round()
    return people.assign(data_gb=megabytes, tariff=people["tariff"].replace({"family": "household"}))


def win_back_calls(rng: np.random.Generator, churned: Any) -> Any:
    """Return how often they were asked to come back: only those who *churned* are."""
    return np.where(churned == 1, 1 + rng.poisson(1.5, len(churned)), rng.random(len(churned)) < 0.01)


WORLD = World(
    label="churned",
    id="subscriber_id",
    time="billed_on",
    afterwards="win_back_calls",
    draw=draw_subscribers,
    chance=chance_to_leave,
    gather_differently=gather_differently,
    tell_afterwards=win_back_calls,
)
