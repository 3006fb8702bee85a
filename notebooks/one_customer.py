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
# A made-up bookshop segments its customers, and one of them has a year with it: they agree, look, correct, switch
# something off, object, come back, and leave. Everything they ask for is done and measured.

# %%
from datetime import UTC, datetime, timedelta

import xseg
from xseg.consent import ConsentGate, Ledger, receipt
from xseg.rights import ActionLog, erase


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
policy = xseg.customers_policy()

# %% [markdown]
# ## January: who agreed?
#
# Most customers agreed to personal offers in their account. Of some the shop only *assumes* it; that is no consent, and
# they are not segmented. Our customer has said nothing yet.

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
# ## February: the customer agrees, and reads their card

# %%
calendar.turn_to(2, 3)
log = ActionLog()
profile = xseg.Profile(segmenter, policy, ledger, me, customers.iloc[[0]], purpose="offers", log=log, now=calendar)
print("before:", profile.segment, f"({profile.why})")
agreed = profile.agree()
print("after: ", agreed.effect.after)
agreed.card

# %% [markdown]
# The statement stands in the ledger, and the person gets a receipt for it.

# %%
receipt(ledger[-1], controller=policy.controller.name, concept=policy.purposes["offers"].concept)

# %% [markdown]
# Is the card true? Every fact of it is proven anew.

# %%
print(xseg.verify_card(agreed.card, segmenter, profile.data(), policy=policy))

# %% [markdown]
# ## April: a mistake is corrected, and something is switched off
#
# The effect of each step is measured by asking the model before and after.

# %%
calendar.turn_to(4, 12)
for answer in (profile.correct("orders_90d", 9), profile.withhold("area_income"), profile.withhold("spend_year")):
    effect = answer.effect
    told = f"now in {effect.after!r}" if effect.changed else f"unchanged ({effect.because})"
    print(f"{answer.receipt['action']:9} {answer.receipt['details']['feature']:12} {told}")

# %% [markdown]
# ## June: why did they move?
#
# The change since January, shared out among what changed.

# %%
moved = xseg.change(segmenter, customers.iloc[[0]], profile.data())
shares = {name: round(float(value), 3) for name, value in zip(moved.feature_names, moved.values[0], strict=True)}
print(f"from {moved.before_names[0]!r} to {moved.after_names[0]!r}:", {n: v for n, v in shares.items() if v})

# %% [markdown]
# ## July: a partner receives the segment; August: the person objects

# %%
calendar.turn_to(7, 1)
print("given to the partner:", profile.release("Parcel Post Ltd"))
calendar.turn_to(8, 20)
profile.object_marketing()
print("given to the partner:", profile.release("Parcel Post Ltd"), f"({profile.why})")
print("who ever received it:", profile.recipients())

# %% [markdown]
# ## October: they come back, choose their own segment, and contest the model's

# %%
calendar.turn_to(10, 5)
profile.lift()
profile.agree()
other = next(name for name in segmenter.segment_names_ if name != profile.segment)
print("chosen:", profile.choose(other).effect.after)
profile.contest("I buy presents for my school; that is not me.")
case = profile.cases()[0]
decided = profile.decide(case.number, by="the privacy officer on duty", decision="Presents no longer count.")
print("closed by", decided.receipt["details"]["by"])

# %% [markdown]
# ## December: they leave
#
# Their data, corrections and choice are erased. They agreed after the model was fitted, so that its counts never held
# them. Of somebody it did count, the part is subtracted, and a refit on the others says whether anything else changes.

# %%
calendar.turn_to(12, 28)
held = sorted(profile.export())
profile.erase()
print("held before:", ", ".join(held))
print("segment now:", profile.segment, f"({profile.why})")

admitted = gate.admit(customers, subject_ids=ids)
counted = admitted.X.head(1)
print(erase(segmenter, counted, remaining=admitted.X.iloc[1:]))

# %% [markdown]
# ## What is left
#
# A log of what was asked and done, in which any change is found.

# %%
log.verify(log.head)
[f"{entry['dct:created'][:10]} {entry['action']}" for entry in log]
