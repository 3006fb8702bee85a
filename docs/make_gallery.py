"""The cards of the gallery: every form, state and language, made anew at every build."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

import xseg
from xseg.cards import AnyCard, make_decided_card
from xseg.i18n import LOCALES

__all__ = ["write_gallery"]

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMES = ("Now and then", "Quiet for a while", "Loyal readers", "Collectors", "Sends much back")


def write_gallery(folder: Path) -> str:
    """Write the cards of the gallery; gives its page in Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = []
    for heading, text, cards in _sections():
        frames = []
        for name, caption, card in cards:
            (folder / f"{name}.html").write_text(card.html(), encoding="utf-8")
            frames.append(
                f'<figure><figcaption><a href="gallery/{name}.html">{caption}</a></figcaption>'
                f'<iframe src="gallery/{name}.html" title="{caption}" loading="lazy" '
                'style="width:100%;height:40rem;border:1px solid #ccc;border-radius:12px"></iframe></figure>'
            )
        sections.append(f"## {heading}\n\n{text}\n\n```{{raw}} html\n" + "\n".join(frames) + "\n```\n")
    return "# Gallery of cards\n\n" + "\n".join(sections) + _other_forms(folder)


def _sections() -> Iterator[tuple[str, str, list[tuple[str, str, AnyCard]]]]:
    customers = xseg.make_customers(3_000, random_state=0)
    policy = xseg.datasets.customers_policy()
    tree = xseg.TreeSegmenter(5, max_leaves=8, segment_names=NAMES, random_state=0).fit(customers)
    cards = xseg.make_cards(tree, customers, policy=policy, ids=list(customers.index), at=NOW)
    close = next(card for card in cards if card.certainty.close)
    clear = next(card for card in cards if not card.certainty.close and len(card.reasons) == 4)
    missing = next(card for card in _prototypes(customers, policy) if card.unknown_matters)
    yield (
        "States",
        "The same shop; what is known, how near the next group is, and what the policy says differ.",
        [
            ("clear", "Clear", clear),
            ("close", "A close call", close),
            ("missing", "Something is not known", missing),
            ("no-policy", "No policy: nothing is claimed", xseg.make_cards(tree, customers, at=NOW)[0]),
            ("hidden", "The strongest reason may not be named", _hidden(tree, customers)),
            ("fixed", "Nothing that the person can change", _fixed(tree, customers)),
            ("long", "Long names", _long()),
            ("small", "A small group", _small(tree, customers)),
        ],
    )
    yield (
        "Languages",
        "Numbers, currencies, dates and lists follow CLDR. What a policy does not translate keeps its words.",
        [
            (f"locale-{locale}", locale, xseg.make_cards(tree, customers, policy=policy, at=NOW, locale=locale)[0])
            for locale in LOCALES
        ]
        + [
            (
                "formal-de",
                "de, formal",
                xseg.make_cards(tree, customers, policy=policy, at=NOW, locale="de", tone="formal")[0],
            )
        ],
    )
    yield (
        "Decided by the person",
        "Whoever is placed by no model gets a card too: no reasons, but why, and what can be done.",
        [
            (f"decided-{why}", caption, make_decided_card(tree, why, segment=segment, policy=policy, at=NOW))
            for why, segment, caption in (
                ("chosen", "Collectors", "A group of one's own choice"),
                ("no_consent", None, "No consent"),
                ("objected", None, "An objection"),
            )
        ],
    )
    yield "Kinds of models", "Rules, scores, and rules that stand in for another method.", _kinds(customers, policy)


def _hidden(tree: xseg.TreeSegmenter, customers: pd.DataFrame) -> xseg.cards.Card:
    strongest = xseg.make_cards(tree, customers, at=NOW)[0].reasons[0].feature
    return xseg.make_cards(tree, customers, policy={"features": {strongest: {"sensitive": True}}}, at=NOW)[0]


def _fixed(tree: xseg.TreeSegmenter, customers: pd.DataFrame) -> xseg.cards.Card:
    fixed = {"features": {name: {"mutable": False} for name in customers.columns}}
    return xseg.make_cards(tree, customers, policy=fixed, at=NOW)[0]


def _small(tree: xseg.TreeSegmenter, customers: pd.DataFrame) -> xseg.cards.Card:
    return xseg.make_cards(tree, customers, policy={"minimum_group_size": 10_000}, at=NOW)[0]


def _long() -> xseg.cards.Card:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {f"a column with a very long name indeed, number {j} of twelve": rng.normal(size=600) for j in range(12)}
    )
    names = tuple(f"A group that somebody gave a name which hardly fits on a line, number {k}" for k in range(6))
    return xseg.make_cards(
        xseg.TreeSegmenter(6, max_leaves=12, segment_names=names, random_state=0).fit(table), table, at=NOW
    )[0]


def _prototypes(customers: pd.DataFrame, policy: xseg.Policy) -> Sequence[xseg.cards.Card]:
    segmenter = xseg.PrototypeSegmenter(4, random_state=0).fit(customers)
    return xseg.make_cards(segmenter, customers, policy=policy, at=NOW)


def _kinds(customers: pd.DataFrame, policy: xseg.Policy) -> list[tuple[str, str, xseg.cards.Card]]:
    mixture = xseg.MixtureSegmenter(4, random_state=0).fit(customers)
    numbers = customers[["orders_90d", "spend_year", "recency_days"]]
    stand_in = xseg.SurrogateSegmenter(KMeans(4, n_init=3, random_state=0)).fit(numbers)
    return [
        ("prototypes", "Prototypes", _prototypes(customers, policy)[0]),
        ("mixture", "A mixture", xseg.make_cards(mixture, customers, policy=policy, at=NOW)[0]),
        ("stand-in", "Rules that stand in for k-means", xseg.make_cards(stand_in, numbers, at=NOW)[0]),
    ]


def _other_forms(folder: Path) -> str:
    customers = xseg.make_customers(3_000, random_state=0)
    tree = xseg.TreeSegmenter(5, max_leaves=8, segment_names=NAMES, random_state=0).fit(customers)
    card = xseg.make_cards(tree, customers, policy=xseg.datasets.customers_policy(), at=NOW)[0]
    (folder / "card.email.html").write_text(card.email(), encoding="utf-8")
    (folder / "what-if.html").write_text(card.html(interactive=True), encoding="utf-8")
    (folder / "card.svg").write_bytes(card.svg())
    (folder / "card.png").write_bytes(card.png())
    (folder / "card.pdf").write_bytes(card.pdf())
    (folder / "card.md").write_text(card.markdown(), encoding="utf-8")
    (folder / "segment.html").write_text(
        xseg.segment_card(tree, customers, segment=0, policy=xseg.datasets.customers_policy()).html(), encoding="utf-8"
    )
    (folder / "report.html").write_text(
        xseg.make_report(tree, customers, policy=xseg.datasets.customers_policy()).html(), encoding="utf-8"
    )
    return f"""
## Other forms

With the model inside, to play with: <a href="gallery/what-if.html">what if</a>. For e-mail:
<a href="gallery/card.email.html">tables and styles in place</a>. As a picture: <a href="gallery/card.svg">SVG</a> or
<a href="gallery/card.png">PNG</a>. On paper: <a href="gallery/card.pdf">PDF</a>. For those who work with the segments:
<a href="gallery/segment.html">a page about one segment</a> and <a href="gallery/report.html">one about the model</a>.

As plain text:

```text
{card.text()}```

As JSON, of which [a schema](api/index.md) is published:

```text
{card.json()[:900]} ...
```
"""
