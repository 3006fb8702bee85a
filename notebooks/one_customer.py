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
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import xseg
from xseg.consent import ConsentGate, Identities, Ledger, receipt
from xseg.exceptions import ApprovalError
from xseg.personas import persona_policy, persona_rules, persona_survey
from xseg.rights import ActionLog, erase
from xseg.touchpoints import Certification, Touchpoint


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
folder = Path(tempfile.mkdtemp())
customers = xseg.make_customers(2_000, random_state=0)
ids = list(customers.index)
policy = xseg.customers_policy()
notice = xseg.write_notice(policy, "en")

# %% [markdown]
# ## January: who agreed?
#
# Most customers agreed to personal offers in their account. Of some the shop only *assumes* it; that is no consent,
# and they are not segmented. Our customer has said nothing yet.

# %%
ledger = Ledger(now=calendar)
for number, customer in enumerate(ids[1:], 1):
    source = "business" if number % 7 == 0 else "account"
    ledger.append(customer, "offers", "given", source=source, at=calendar())
me = ids[0]
gate = ConsentGate(xseg.TreeSegmenter(5, random_state=0), ledger, "offers", policy=policy, at=calendar())
gate.fit(customers, subject_ids=ids)
segmenter = gate.segmenter_
print(f"{(gate.labels_ >= 0).sum():,} of {len(ids):,} are segmented")
segmenter.segments_

# %% [markdown]
# ## The review, before anybody is shown anything
#
# What the policy and the public notice declare is put beside what the model does. Of the whole table, some have not
# agreed: nobody may be placed from it as it is.

# %%
everybody = xseg.review(segmenter, policy, customers, ledger, notice, now=calendar())
print(everybody)

# %% [markdown]
# The shop places only those whom the gate admits. Cards of two segments lack a sentence about what the segment is;
# the review says so, and the shop can live with that for now.

# %%
admitted = gate.admit(customers, subject_ids=ids)
review = xseg.review(segmenter, policy, admitted.X, ledger, notice, now=calendar())
print(review)

# %% [markdown]
# A model is a draft until somebody puts their name to it, on a review. Whoever asks for an approved model gets no
# draft.

# %%
model = folder / "model.json"
xseg.save(segmenter, model)
try:
    xseg.load(model, require="approved")
except ApprovalError as error:
    print("refused:", error)

for state in ("reviewed", "approved"):
    xseg.approve(segmenter, by="the privacy officer on duty", review=review, state=state, now=calendar())
xseg.save(segmenter, model)
segmenter = xseg.load(model, require="approved")
print("now:", xseg.approval_of(segmenter).state)

# %% [markdown]
# ## February: the customer agrees, and reads their card
#
# What they say is written into the ledger and into a log of receipts, which is a file: nothing is forgotten when a
# program ends.

# %%
calendar.turn_to(2, 3)
log = ActionLog(folder / "actions.jsonl")
identities = Identities(now=calendar)
told = []


def tell(order):
    """Bring a notice to somebody who received the segment; here it is only written down."""
    told.append(f"{order.recipient}: {order.action} using {order.identifier}")
    return "done"


profile = xseg.Profile(
    segmenter,
    policy,
    ledger,
    me,
    customers.iloc[[0]],
    purpose="offers",
    log=log,
    identities=identities,
    send=tell,
    now=calendar,
)
print("before:", profile.segment, f"({profile.why})")
agreed = profile.agree()
print("after: ", agreed.effect.after)
agreed.card

# %% [markdown]
# The statement stands in the ledger, and the person gets a receipt for it.

# %%
receipt(ledger[-1], controller=policy.controller.name, concept=policy.purposes["offers"].concept)

# %% [markdown]
# Is the card true? Every fact of it is proven anew, and the ledger is asked again.

# %%
known = {"policy": policy, "ledger": ledger, "identities": identities}
print(xseg.verify_card(agreed.card, segmenter, profile.data(), **known))

# %% [markdown]
# ## March: what do you think of AI?
#
# The shop asks instead of guessing. Our customer answers, and says yes to the use of the answers; a neighbour stops
# after the first question, and is not put anywhere by half of what they said.

# %%
calendar.turn_to(3, 8)
survey = persona_survey()
answers = [
    {
        "respondent": me,
        "shops_with_ai": 3,
        "advice_is_right": 2,
        "checks_everything": 5,
        "handles_difficult": 2,
        "glad_of_it": 2,
        "prefers_people": 4,
        "may_use": "yes",
    },
    {"respondent": "a neighbour", "shops_with_ai": 4, "may_use": "yes"},
]
for written in survey.receipts(answers, now=calendar()):
    ledger.append(**written.statement())
scores = survey.score(answers, purpose="assistance")
personas = persona_rules().fit(scores)
print({name: personas.segment_names_[one] for name, one in zip(scores.index, personas.labels_, strict=True)})

# %% [markdown]
# Skeptics are not argued with. They are met by people, at a place that somebody certified by name.

# %%
certified = Certification(by="the head of service", on=date(2026, 1, 1), expires=date(2027, 1, 1))
places = [
    Touchpoint("assistant", "app", automated=True),
    Touchpoint("service desk", "phone", automated=False, certified=certified),
]
routes = xseg.route(
    personas,
    scores,
    touchpoints=places,
    ids=scores.index,
    policy=persona_policy(),
    permitted=[True, None],
    now=calendar().date(),
)
routes.to_frame()[["segment", "touchpoint", "automation", "reasons"]]

# %% [markdown]
# ## April: a mistake is corrected, and something is switched off
#
# The effect of each step is measured by asking the model before and after.

# %%
calendar.turn_to(4, 12)
for answer in (profile.correct("orders_90d", 9), profile.withhold("area_income"), profile.withhold("spend_year")):
    effect = answer.effect
    said = f"now in {effect.after!r}" if effect.changed else f"unchanged ({effect.because})"
    print(f"{answer.receipt['action']:9} {answer.receipt['details']['feature']:12} {said}")

# %% [markdown]
# ## June: why did they move?
#
# The change since January, shared out among what changed.

# %%
moved = xseg.change(segmenter, customers.iloc[[0]], profile.data())
shares = {name: round(float(value), 3) for name, value in zip(moved.feature_names, moved.values[0], strict=True)}
print(f"from {moved.before_names[0]!r} to {moved.after_names[0]!r}:", {n: v for n, v in shares.items() if v})

# %% [markdown]
# ## July: a partner receives the segment, and a neighbour's telephone says no
#
# The neighbour's telephone is linked to their account, and an advertiser knows the telephone. Its browser sends the
# Global Privacy Control. The denial reaches the account, which had agreed; and everybody who was given either is told
# to stop.

# %%
calendar.turn_to(7, 1)
print("given to the partner:", profile.release("Parcel Post Ltd"))

neighbour = ids[1]
identities.link("telephone", neighbour, kind="login", since=calendar())
identities.handed_over("telephone", "an advertiser", at=calendar())
print("before:", *identities.states(ledger, ["telephone", neighbour], "offers"))
ledger.append("telephone", "offers", "refused", source="signal", at=calendar())
print("after: ", *identities.states(ledger, ["telephone", neighbour], "offers"))
for order in identities.recall(ledger, "telephone", "offers", lambda _: "done", at=calendar()):
    print(f"told to stop using {order.identifier!r}: {order.recipient}")

# %% [markdown]
# A browser that sends `Sec-GPC: 1` is followed on the page of the preference centre too. Agreement does not travel as
# denials do: the account is in conflict, which is a no, whatever is agreed there.

# %% [markdown]
# ## August: the person objects to marketing
#
# No reason is asked, nothing is weighed, and whoever received the segment is told.

# %%
calendar.turn_to(8, 20)
profile.object_marketing()
print("given to the partner:", profile.release("Parcel Post Ltd"), f"({profile.why})")
print("who ever received it:", profile.recipients())
print("\n".join(told))

# %% [markdown]
# ## October: they come back, choose their own segment, and contest the model's

# %%
calendar.turn_to(10, 5)
profile.lift()
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
print("segment now:", profile.segment, f"({profile.why})")

counted = admitted.X.head(1)
print(erase(segmenter, counted, remaining=admitted.X.iloc[1:]))

# %% [markdown]
# ## What is left
#
# A log of what was asked and done, in which any change is found, and in which nothing personal is left.

# %%
log.verify(log.head)
print("own words left:", "presents" in log.path.read_text())
[f"{entry['dct:created'][:10]} {entry['action']}" for entry in log]
