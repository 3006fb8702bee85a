"""The kernels of consent equal their slow twins, compiled and interpreted."""

import numpy as np
import pytest

import naive
from xseg._kernels import consent_kernels

NEVER = 2**63 - 1


@pytest.fixture(params=["compiled", "interpreted"])
def run(request):
    return (lambda kernel: kernel) if request.param == "compiled" else (lambda kernel: kernel.py_func)


@pytest.mark.parametrize("seed", range(20))
def test_the_deciding_entry_is_that_of_reading_all(run, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 40))
    effect = rng.integers(0, 3, n).astype(np.uint8)
    at = rng.integers(0, 6, n)
    recorded = np.sort(rng.integers(0, 6, n))
    columns = {
        "purpose": rng.integers(0, 3, n).astype(np.int32),
        "feature": rng.integers(0, 2, n).astype(np.int32),
        "effect": effect,
        "order": np.minimum(at, recorded),
        "at": at,
        "until": at + rng.integers(1, 4, n),
        "state": (10 * (effect == consent_kernels.GRANTS)).astype(np.uint8),
    }
    subject = rng.integers(0, 3, n).astype(np.int32)
    last, previous = np.full(3, -1), np.empty(n, np.int64)
    run(consent_kernels.chain_by_subject)(subject, last, previous, 0)
    words = {
        consent_kernels.IGNORED: ("given", "business"),
        consent_kernels.DENIES: ("refused", "account"),
        consent_kernels.GRANTS: ("given", "account"),
    }
    for now in range(7):
        for purpose in range(2):
            asked = np.array([0, 1, 2, -1])
            purposes = np.array([purpose, 2], np.int32)
            entries = run(consent_kernels.deciding_entries)(
                asked, last, previous, **columns, purposes=purposes, about=0, now=now
            )
            for who, entry in zip(asked, entries, strict=True):
                statements = [
                    {
                        "subject": int(subject[i]),
                        "purpose": "*" if columns["purpose"][i] == 2 else int(columns["purpose"][i]),
                        "feature": int(columns["feature"][i]),
                        "state": words[int(effect[i])][0],
                        "source": words[int(effect[i])][1],
                        "at": int(at[i]),
                        "until": int(columns["until"][i]),
                        "recorded": int(recorded[i]),
                        "number": i,
                    }
                    for i in range(n)
                ]
                allows = entry >= 0 and effect[entry] == consent_kernels.GRANTS and now < columns["until"][entry]
                assert allows == bool(naive.consent(statements, int(who), purpose, 0, now))


@pytest.mark.parametrize("seed", range(30))
def test_denials_spread_as_following_each_of_them_shows(run, seed):
    rng = np.random.default_rng(seed)
    nodes, n_links, n_spells, now = 6, int(rng.integers(0, 12)), int(rng.integers(0, 6)), 15
    left = rng.integers(0, nodes, n_links).astype(np.int32)
    right = ((left + rng.integers(1, nodes, n_links)) % nodes).astype(np.int32)
    since = rng.integers(0, 12, n_links)
    until = np.where(rng.random(n_links) < 0.5, NEVER, since + rng.integers(1, 6, n_links))
    who = rng.integers(0, nodes, n_spells)
    begins = rng.integers(0, 12, n_spells)
    ends = np.where(rng.random(n_spells) < 0.5, NEVER, begins + rng.integers(1, 6, n_spells))
    over = ends <= now
    kinds = np.repeat(
        np.array([consent_kernels.SPELL_ENDS, consent_kernels.SPELL_BEGINS, consent_kernels.LINK_BEGINS], np.int8),
        [over.sum(), n_spells, n_links],
    )
    moments = np.concatenate([ends[over], begins, since])
    items = np.concatenate([who[over], who, np.arange(n_links)])
    order = np.lexsort((kinds, moments))
    first, arcs = run(consent_kernels.arcs_by_node)(left, right, nodes)
    origins, times = run(consent_kernels.spread_denials)(
        kinds[order], moments[order], items[order], left, right, since, until, first, arcs
    )
    elsewhere = (origins >= 0) & (origins != np.arange(nodes)[:, None])
    found = {v: int(times[v][elsewhere[v]].min()) for v in range(nodes) if elsewhere[v].any()}
    links = list(zip(left.tolist(), right.tolist(), since.tolist(), until.tolist(), strict=True))
    spells = list(zip(who.tolist(), begins.tolist(), ends.tolist(), strict=True))
    assert found == naive.inherited_denials(range(nodes), links, spells, now)


@pytest.mark.parametrize("seed", range(10))
def test_a_spell_ends_with_the_next_grant_of_ones_own(run, seed):
    rng = np.random.default_rng(seed)
    n = 30
    subject = np.sort(rng.integers(0, 5, n))
    order = np.concatenate([np.sort(rng.integers(0, 9, (subject == one).sum())) for one in range(5)])
    grants = rng.random(n) < 0.4
    begins = order + rng.integers(0, 3, n)
    expected = []
    for i in range(n):
        later = [int(begins[j]) for j in range(i + 1, n) if subject[j] == subject[i] and grants[j]]
        expected.append(max(min(later, default=NEVER), int(order[i])))
    assert run(consent_kernels.spell_ends)(subject, grants, order, begins, NEVER).tolist() == expected
