"""Consent: how fast a large ledger answers, how fast denials spread, and how many a device-only opt-out misses."""

import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from harness import show, timed

from xseg.governance.consent import ConsentState, Identities, Ledger

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


def people(n: int) -> tuple[Identities, Ledger, np.ndarray]:
    """Identifiers of people: an account with three devices each, some shared in a household, and a few hubs."""
    rng = np.random.default_rng(0)
    account, device = np.arange(n // 4), np.arange(n // 4, n)
    pairs = [np.column_stack([device, account[(device - n // 4) // 3]])]
    shared = rng.choice(device, n // 20, replace=False)
    pairs.append(np.column_stack([shared, rng.choice(account, len(shared))]))
    pairs.append(np.column_stack([rng.choice(account, 20_000), np.repeat(device[:4], 5_000)]))
    links = np.concatenate(pairs)
    links = links[links[:, 0] != links[:, 1]]
    identities = Identities(clock=lambda: NOW, largest=n)
    days = pd.to_timedelta(rng.integers(0, 200, len(links)), unit="D")
    table = pd.DataFrame(
        {"left": links[:, 0], "right": links[:, 1], "kind": "login", "since": pd.Timestamp(START) + days}
    )
    identities.link_table(table)
    opted_out = rng.choice(device, n // 100, replace=False)
    said = pd.DataFrame({"subject": opted_out, "purpose": "offers", "state": "withdrawn", "source": "device"})
    ledger = Ledger(clock=lambda: NOW)
    ledger.append_table(said.assign(at=pd.Timestamp(START) + pd.to_timedelta(100, unit="D")))
    ledger.append_table(
        pd.DataFrame({"subject": range(n), "purpose": "offers", "state": "given", "source": "account", "at": START})
    )
    return identities, ledger, links


def closing(n: int) -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    identities, ledger, links = people(n)
    now = identities._at(None)
    identities.mask(ledger, ["0"], "offers")
    used = identities._links.used(0.0, None, now)
    spells = ledger.denial_spells("offers", now)
    nodes = identities._links.names.find(ledger.subject_names(spells.subjects)).astype(np.int64)
    known = type(spells)(nodes, spells.begins, spells.ends)
    spread = timed(lambda: identities._links.reach(used, known, now), 3)
    graph = coo_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(n, n))
    peer = timed(lambda: connected_components(graph, directed=False), 3)
    whole = timed(lambda: identities.mask(ledger, np.arange(n), "offers"))
    rows = [
        (f"close {n:,} identifiers, {len(links):,} links", f"{spread:.2f} s", f"{peer:.2f} s", f"{peer / spread:.2f}"),
        (f"ask about all {n:,}", f"{whole:.2f} s", "", ""),
    ]
    show("Denials over links in time; the peer is scipy's connected components, which know no time", rows)
    allowed = identities.mask(ledger, np.arange(n), "offers")
    alone = ledger.mask(np.arange(n), "offers")
    reached = [int(name) for name in identities.find_reached(ledger, "offers")]
    opted_out, missed = int((~alone).sum()), int((alone & ~allowed).sum())
    print(f"{opted_out:,} devices opted out; a device-only opt-out misses {missed:,} more")
    print(f"identifiers reached and yet allowed: {int(allowed[reached].sum())}")


def main() -> None:
    closing(1_000_000)
    table = statements(N_ENTRIES)
    ledger = Ledger(clock=lambda: NOW)
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
