"""Cards share nothing that another thread could change, and the process keeps nothing about people afterwards."""

import functools
import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from types import FrameType, FunctionType, ModuleType
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import pytest

import xseg

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROWS = 2_600


@pytest.fixture(scope="module", params=["tree", "prototypes"])
def shop(request):
    customers = xseg.make_customers(ROWS, random_state=0)
    kinds = {
        "tree": xseg.TreeSegmenter(5, max_leaves=8, effort="fast", random_state=0),
        "prototypes": xseg.PrototypeSegmenter(4, random_state=0),
    }
    return customers, kinds[request.param].fit(customers)


def record(cards, row):
    return cards[row].json(), cards[row].text()


@pytest.mark.slow
@pytest.mark.parametrize(("row", "other"), [(1_500, 2_524), (2_524, 1_500), (0, 2_599)])
def test_a_card_is_right_when_another_thread_makes_one_between_any_two_lines(shop, row, other):
    customers, segmenter = shop

    def make():
        return xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy(), at=NOW, ids=range(ROWS))

    alone = record(make(), row)
    together = make()
    with ThreadPoolExecutor(1) as pool:

        def interrupt(frame, event, _):
            if not frame.f_code.co_filename.endswith(("_row_facts.py", "_make_cards.py")):
                return None
            if event == "line":
                pool.submit(lambda: together[other].reference).result()
            return interrupt

        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            interrupted = together[row]
        finally:
            sys.settrace(before)
    assert (interrupted.json(), interrupted.text()) == alone


@pytest.mark.slow
def test_many_threads_read_cards_of_all_blocks_at_once(shop):
    customers, segmenter = shop
    policy, rows = xseg.datasets.customers_policy(), range(0, ROWS, 65)
    alone = [record(xseg.make_cards(segmenter, customers, policy=policy, at=NOW), row) for row in rows]
    cards, start = xseg.make_cards(segmenter, customers, policy=policy, at=NOW), Barrier(4)

    def read(offset):
        start.wait()
        order = [*rows[offset * 10 :], *rows[: offset * 10]]
        return dict(zip(order, [record(cards, row) for row in order], strict=True))

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(read, range(4)):
            assert [found[row] for row in rows] == alone


def test_explainers_prepared_by_several_threads_at_once_agree():
    customers = xseg.make_customers(600, random_state=1)
    segmenter = xseg.TreeSegmenter(4, random_state=0).fit(customers)
    start = Barrier(6)

    def explained(_):
        start.wait()
        return xseg.explain(segmenter, customers.head(50)).values

    with ThreadPoolExecutor(6) as pool:
        first, *others = pool.map(explained, range(6))
    for other in others:
        np.testing.assert_array_equal(other, first)


def reachable(roots):
    """All strings and numbers in what containers and records hold, without following code or modules."""
    seen, waiting = set(), list(roots)
    while waiting:
        held = waiting.pop()
        if id(held) in seen or isinstance(held, ModuleType | FunctionType | FrameType | type):
            continue
        seen.add(id(held))
        if isinstance(held, str | float | np.floating):
            yield held
        elif isinstance(held, WeakKeyDictionary | WeakValueDictionary):
            waiting.extend([*held.keys(), *held.values()])
        else:
            waiting.extend(gc.get_referents(held))


def kept_by_the_process():
    """What module-level names and caches of functions of this package hold."""
    gc.collect()
    caches = [held for held in gc.get_objects() if type(held) is functools._lru_cache_wrapper]
    roots = [cache for cache in caches if cache.__module__.split(".")[0] == "xseg"]
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "xseg":
            roots += [held for held in vars(module).values() if not isinstance(held, ModuleType | FunctionType | type)]
    return list(reachable(roots))


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en", "de", "ar"])
def test_the_process_keeps_nothing_of_people_whose_cards_are_deleted(locale):
    customers = xseg.make_customers(400, random_state=3).reset_index(drop=True)
    segmenter = xseg.TreeSegmenter(4, max_leaves=8, random_state=0).fit(customers)
    people = customers.head(12).copy()
    values = [83_417.2961 + 13.1317 * row for row in range(12)]
    people["spend_year"] = values
    names = [f"Whoever-{row}-Quillfeather" for row in range(12)]

    def use(people):
        cards = xseg.make_cards(
            segmenter, people, ids=names, policy=xseg.datasets.customers_policy(), locale=locale, at=NOW
        )
        said = []
        for card in cards:
            said += [card.text(), card.markdown(), card.html(), card.email(), card.html(interactive=True)]
            said += xseg.cards.Card.from_json(card.json()).text().splitlines()
            said += card.text().splitlines()
        xseg.explain(segmenter, people)
        xseg.counterfactual(segmenter, people)
        xseg.Scorer(segmenter)(people.iloc[0].to_dict())
        return {line.strip() for line in said if any(name in line or "83" in line for name in names)}

    # Digests that other tests left alive may hold any five digits.
    before = {held for held in kept_by_the_process() if isinstance(held, str)}
    sentences = use(people)
    assert sentences
    written = [f"83{mark}{value - 83_000:.0f}" for value in map(int, values) for mark in (",", ".", "", "\u066c")]
    assert any(number in sentence for sentence in sentences for number in written)
    del people
    for held in kept_by_the_process():
        if isinstance(held, str):
            assert "Quillfeather" not in held
            assert held.strip() not in sentences
            found = [number for number in written if number in held]
            assert held in before or not found, f"{found} in {held[:300]!r}"
        else:
            assert float(held) not in values
