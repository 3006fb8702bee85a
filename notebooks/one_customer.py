# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A year in the life of one customer
#
# A made-up bookshop segments its customers, and one of them has a year with it: they agree, look, say what they think
# of AI, correct, switch something off, object, come back, and leave. Everything they ask for is done and measured.

# %%
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd

import xseg
from xseg.exceptions import ApprovalError
from xseg.governance.consent import ConsentGate, Identities, Ledger, make_consent_receipt, read_gpc
from xseg.governance.personas import persona_policy, persona_rules, persona_survey
from xseg.governance.rights import ActionLog, erase
from xseg.governance.routing import Certification, PeopleFacts, Touchpoint, route


class Calendar:
    """A clock that the story sets."""

    def __init__(self):
        self.now = datetime(2026, 1, 10, 9, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now

    def turn_to(self, month, day):
        self.now = datetime(2026, month, day, 9, tzinfo=UTC)


calendar = Calendar()
customers = xseg.make_customers(2_000, random_state=0)
ids = list(customers.index)
policy = xseg.datasets.customers_policy()

# %% [markdown]
# ## January: who agreed?
#
# Most customers agreed to personal offers in their account. Of some the shop only *assumes* it; that is no consent,
# and they are not segmented. Our customer has said nothing yet.

# %%
ledger = Ledger(clock=calendar)
for number, customer in enumerate(ids[1:], 1):
    source = "business" if number % 7 == 0 else "account"
    ledger.append(customer, "offers", "given", source=source, at=calendar())
me = ids[0]
gate = ConsentGate(xseg.TreeSegmenter(5, random_state=0), ledger, purpose="offers", policy=policy, at=calendar())
gate.fit(customers, ids=ids)
segmenter = gate.segmenter_
print(f"{(gate.labels_ >= 0).sum():,} of {len(ids):,} are segmented")
segmenter.segments_

# %% [markdown]
# ## Still January: nobody may use it yet
#
# A model is a draft until somebody puts their name to it. The first draft was made with a column that somebody had
# added to the table. The review puts the model beside the policy, and finds it.

# %%
admitted = gate.admit(customers, ids=ids).X
with_more = admitted[["orders_90d", "spend_year"]].assign(pages_read=np.where(np.arange(len(admitted)) % 2, 900, 100))
first_draft = xseg.TreeSegmenter(5, random_state=0).fit(with_more)
first_review = xseg.governance.reviews.review(first_draft, with_more, policy=policy, at=calendar())
for finding in first_review.at_least("error"):
    print(finding.message)

# %% [markdown]
# With such findings nobody can approve it.

# %%
xseg.governance.approval.approve(
    first_draft, by="the privacy officer", review=first_review, state="reviewed", at=calendar()
)
try:
    xseg.governance.approval.approve(first_draft, by="the privacy officer", review=first_review, at=calendar())
except ApprovalError as refused:
    print(str(refused).splitlines()[0].rstrip(":"))

# %% [markdown]
# So the column goes, which leaves the model above. It is saved, and the shop's program will not load it: it is a
# draft.

# %%
path = Path(mkdtemp()) / "model.json"
xseg.save(segmenter, path)
try:
    xseg.load(path, require="approved", at=calendar.now)
except ApprovalError as refused:
    print(str(refused).removeprefix(f"{path}: "))

# %% [markdown]
# The review of the first draft is no help, since it is of another model. Its own, with the ledger and the public
# notice, finds no error, and then somebody says that they have seen it, and somebody else that it may be used, until
# the end of the year.

# %%
review = xseg.governance.reviews.review(
    segmenter,
    admitted,
    policy=policy,
    ledger=ledger,
    notice=xseg.governance.reviews.write_notice(policy, locale="en"),
    at=calendar(),
)
try:
    xseg.governance.approval.approve(segmenter, by="the privacy officer", review=first_review, at=calendar())
except ApprovalError as refused:
    print(refused)
print(len(review.at_least("error")), "errors in its own review")
ends = date(2027, 1, 1)
for state, name in (("reviewed", "the privacy officer"), ("approved", "the head of marketing")):
    signed = xseg.governance.approval.approve(
        segmenter, by=name, review=review, state=state, expires=ends, at=calendar()
    )
    print(f"{signed.state} by {signed.by} on {signed.day}, on review {signed.review[:8]}")
xseg.save(segmenter, path)
segmenter = xseg.load(path, require="approved", at=calendar.now)

# %% [markdown]
# ## February: the customer agrees, and reads their card
#
# What they say is written into the ledger and into a log of receipts. The log is a file: nothing is forgotten when a
# program ends. Whoever receives their segment will be told when it no longer holds.

# %%
calendar.turn_to(2, 3)
log = ActionLog(path.with_name("receipts.jsonl"))
told = []


def tell(notice):
    """Bring a notice to its recipient; here it is only written down."""
    told.append(f"{notice.recipient}: {notice.action} using {notice.identifier}")
    return "done"


profile = xseg.governance.rights.Profile(
    segmenter,
    customers.iloc[[0]],
    policy=policy,
    ledger=ledger,
    subject=me,
    purpose="offers",
    log=log,
    send=tell,
    clock=calendar,
)
print("before:", profile.segment, f"({profile.basis})")
agreed = profile.agree()
print("after: ", agreed.effect.after)
agreed.card

# %% [markdown]
# The statement stands in the ledger, and the person gets a receipt for it.

# %%
make_consent_receipt(ledger[-1], controller=policy.controller.name, concept=policy.purposes["offers"].concept)

# %% [markdown]
# Is the card true? Every fact of it is proven anew, and the ledger is asked again.

# %%
print(xseg.verify_card(segmenter, profile.data(), card=agreed.card, policy=policy, ledger=ledger))

# %% [markdown]
# ## March: what do you think of AI?
#
# The shop asks before it lets a program help anybody. Our customer answers and agrees that the answers are used; a
# second one answers and does not agree; a third one stops after the first question; a fourth one is all for it.

# %%
calendar.turn_to(3, 15)
survey = persona_survey()
careful = {"shops_with_ai": "About once a month", "advice_is_right": "Rather not", "checks_everything": "Completely",
           "handles_difficult": "Not at all", "glad_of_it": "Rather not", "prefers_people": "Mostly"}  # fmt: skip
keen = {"shops_with_ai": "Nearly every day", "advice_is_right": "Mostly", "checks_everything": "Not at all",
        "handles_difficult": "Mostly", "glad_of_it": "Completely", "prefers_people": "Rather not"}  # fmt: skip
second, third, fourth = ids[1:4]
answers = survey.read(
    [
        {"respondent": me, **careful, "may_use": "yes"},
        {"respondent": second, **keen, "may_use": "no"},
        {"respondent": third, "shops_with_ai": "Nearly every day", "may_use": "yes"},
        {"respondent": fourth, **keen, "may_use": "yes"},
    ]
)
scores = survey.score(answers, purpose="assistance")
scores

# %% [markdown]
# What was left open is missing, and so is everything of the one who did not agree. Every yes has a receipt, which
# goes into the ledger with the others.

# %%
for agreed_to in survey.receipts(answers, at=calendar()):
    agreed_to.check(survey, at=calendar())
    ledger.append(**agreed_to.statement())
    print(f"{agreed_to.respondent} agreed to {agreed_to.purpose!r} until {agreed_to.until[:10]}")

# %% [markdown]
# ## Who is met by whom?
#
# Four personas are told apart by the scores. A program helps those who are glad of it and said yes. Everybody else is
# met by people, and the reasons are told. (Three hundred others were asked before.)

# %%
others = pd.DataFrame(np.random.default_rng(0).integers(1, 6, (300, 3)), columns=scores.columns)
personas = persona_rules().fit(pd.concat([others, scores]))
vouched = Certification(by="the privacy officer", on=date(2026, 1, 2), expires=date(2027, 1, 2))
places = [
    Touchpoint("assistant", "app", automated=True),
    Touchpoint("chat with people", "app", automated=False),
    Touchpoint("service desk", "phone", automated=False, certified=vouched),
]
may_help = ledger.mask(scores.index, "assistance", at=calendar()).tolist()
asked = {"policy": persona_policy(survey), "ids": scores.index, "at": calendar.now}
routes = route(personas, scores, touchpoints=places, people=PeopleFacts(permitted=may_help), **asked)
routes.to_frame()[["segment", "touchpoint", "reasons"]]

# %% [markdown]
# Had the shop only guessed from clicks how far our customer trusts AI, their card would say so.

# %%
for policy_of_scores in (persona_policy(survey), persona_policy(survey, inferred={"ai_trust": "your clicks"})):
    card = xseg.make_cards(personas, scores.head(1), policy=policy_of_scores)[0]
    print(next(reason.origin.source for reason in card.reasons if reason.feature == "ai_trust"))

# %% [markdown]
# ## April: a mistake is corrected, and something is switched off
#
# The effect of each step is measured by asking the model before and after.

# %%
calendar.turn_to(4, 12)
for answer in (profile.correct("orders_90d", 9), profile.withhold("area_income"), profile.withhold("spend_year")):
    effect = answer.effect
    said = f"now in {effect.after!r}" if effect.changed else f"unchanged ({effect.unchanged_reason})"
    print(f"{answer.receipt['action']:9} {answer.receipt['details']['feature']:12} {said}")

# %% [markdown]
# ## June: why did they move?
#
# The change since January, shared out among what changed.

# %%
moved = xseg.change(segmenter, profile.data(), before=customers.iloc[[0]])
shares = {name: round(float(value), 3) for name, value in zip(moved.feature_names, moved.values[0], strict=True)}
print(f"from {moved.before_names[0]!r} to {moved.after_names[0]!r}:", {n: v for n, v in shares.items() if v})

# %% [markdown]
# ## July: a partner receives the segment; August: the person objects
#
# An objection to marketing needs no reason. Nothing more is given away, and the partner is told to stop.

# %%
devices = Identities(clock=calendar)
for device in ("phone", "laptop"):
    devices.link(device, me, kind="login")
calendar.turn_to(7, 1)
print("given to the partner:", profile.release("Parcel Post Ltd"))
devices.record_disclosure(me, "Parcel Post Ltd")
calendar.turn_to(8, 20)
profile.object_marketing()
print("given to the partner:", profile.release("Parcel Post Ltd"), f"({profile.basis})")
print("who ever received it:", profile.recipients())
print("told:", *told)
profile.card()

# %% [markdown]
# ## September: a browser says no
#
# The browser on their phone sends the header `Sec-GPC: 1`: do not sell or share. It was said on one device and holds
# on all that belong to the same person. Whoever was given one of them is told, and what they answer is kept.

# %%
calendar.turn_to(9, 9)
for scope in read_gpc("1"):
    ledger.append("phone", scope, "refused", source="signal", at=calendar())
everything = ["phone", "laptop", me]
for device, state in zip(everything, devices.states(ledger, everything, "sharing"), strict=True):
    print(f"{device:8} {state.value}")
for order in devices.recall(ledger, "phone", "sharing", lambda order: f"stopped using {order.identifier}"):
    print(f"{order.recipient}: {order.answer}")

# %% [markdown]
# ## October: they come back, choose their own segment, and contest the model's

# %%
calendar.turn_to(10, 5)
for take_back in (profile.lift, profile.withdraw_objection, profile.withdraw_marketing_objection, profile.rejoin):
    take_back()
profile.agree()
other = next(name for name in segmenter.segment_names_ if name != profile.segment)
print("chosen:", profile.choose(other).effect.after)
profile.contest("I buy presents for my school; that is not me.")
(case,) = profile.cases()
print("a person answers by", case.due)
decided = profile.decide(case.number, by="the privacy officer on duty", decision="Presents no longer count.")
print("closed by", decided.receipt["details"]["by"])

# %% [markdown]
# ## December: they leave
#
# Their data, corrections and choice are erased. They agreed after the model was fitted, so that its counts never held
# them. Of somebody it did count, the part is subtracted, and a refit on the others says whether anything else
# changes.

# %%
calendar.turn_to(12, 28)
held = sorted(profile.export())
profile.erase()
print("held before:", ", ".join(held))
print("segment now:", profile.segment, f"({profile.basis})")

print(erase(segmenter, admitted.head(1), remaining=admitted.iloc[1:]))

# %% [markdown]
# ## What is left
#
# A log of what was asked and done, in which any change is found, and in which none of their own words are left.

# %%
log.verify(log.head)
print("own words left:", "presents" in log.path.read_text())
[f"{entry['dct:created'][:10]} {entry['action']}" for entry in log.find_receipts(me)]
