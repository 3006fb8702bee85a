"""Consent: how fast a large ledger answers."""

import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from harness import show, timed

from xseg.consent import ConsentState, Ledger

N_ENTRIES = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
STATES = np.array([str(state) for state in ConsentState], dtype=object)
START, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def statements(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.to_timedelta(rng.integers(0, 300 * 86_400, n), unit="s")
    return pd.DataFrame(
        {
            "subject": rng.integers(0, n // 3, n),
            "purpose": np.array(["offers", "news", "*"], dtype=object)[rng.choice(3, n, p=[0.6, 0.39, 0.01])],
            "state": STATES[rng.integers(0, len(STATES) - 2, n)],
            "source": np.array(["banner", "account", "business"], dtype=object)[rng.integers(0, 3, n)],
            "at": pd.Timestamp(START) + days,
        }
    ).assign(state=lambda table: np.where((table["purpose"] != "*") & (rng.random(n) < 0.6), "given", table["state"]))


def main() -> None:
    table = statements(N_ENTRIES)
    ledger = Ledger(now=lambda: NOW)
    written = timed(lambda: ledger.append_table(table))
    asked = table["subject"].to_numpy()
    texts = asked.astype(str).astype(object)
    ledger.mask(["0"], "offers")
    by_number = timed(lambda: ledger.mask(asked, "offers"), 3)
    by_text = timed(lambda: ledger.mask(texts, "offers"), 3)
    few = timed(lambda: ledger.mask(texts[:100], "offers"), 9)
    last = timed(lambda: latest(table), 1)
    rows = [
        (f"write and hash {N_ENTRIES:,} entries", f"{written:.1f} s", "", ""),
        (f"ask {N_ENTRIES:,} times, by text", f"{by_text:.2f} s", f"{last:.2f} s", f"{last / by_text:.1f}"),
        (f"ask {N_ENTRIES:,} times, by number", f"{by_number:.2f} s", f"{last:.2f} s", f"{last / by_number:.1f}"),
        ("ask 100 times", f"{few * 1e3:.2f} ms", "", ""),
    ]
    show("A ledger; the peer is a sort and a group-by of pandas that keeps the last statement of each", rows)


def latest(table: pd.DataFrame) -> pd.Series:
    asked = table[table["purpose"] != "news"]
    return asked.sort_values("at", kind="stable").groupby("subject", sort=False)["state"].last()


if __name__ == "__main__":
    main()
