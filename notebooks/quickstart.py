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
# # Quickstart
#
# From a table of customers to segments that a person can read, an exact reason for every customer, and a card for
# the customer. The table here is made up: the customers of a bookshop, with numbers, categories, an ordered age
# group and missing values. It goes in as it is.

# %%
import matplotlib.pyplot as plt
import shap

import xseg

customers = xseg.make_customers(5_000, random_state=0)
customers.head()

# %% [markdown]
# ## Segments
#
# Each segment is a few conditions on columns of the table, in their own units. Thresholds are round numbers, chosen
# while the tree is searched for and not rounded afterwards, so the table below *is* the model.

# %%
segmenter = xseg.TreeSegmenter(n_segments=5, random_state=0).fit(customers)
segmenter.segments_

# %% [markdown]
# What does a readable model cost? The relative cost is the cost of these segments over that of k-means
# with as many clusters, which may cut anywhere; 1 would be a free lunch. A person is asked `mean_depth_` questions.

# %%
print(f"relative cost {segmenter.relative_cost_:.3f}")
print(f"questions per customer  {segmenter.mean_depth_:.1f}")

# %% [markdown]
# Names are proposals. People who know the customers give better ones, largest segment first, with `segment_names`.
# More leaves than segments (`max_leaves`) buy tighter segments with longer rules.

# %% [markdown]
# ## Explanations
#
# `explain` gives exact Shapley values of membership, measured against everyone the segmenter was fitted on. It
# returns a `shap.Explanation`, so every plot of shap takes it. Start with one customer: the share of all customers
# in the segment, plus one contribution for each feature, is 1.

# %%
explanation = xseg.explain(segmenter, customers)
shap.plots.waterfall(explanation[0], show=False)
plt.show()

# %% [markdown]
# Membership in one segment, over many customers:

# %%
about_one = xseg.explain(segmenter, customers.head(1_000), of=segmenter.segment_names_[0])
shap.plots.beeswarm(about_one, max_display=8, show=False)
plt.show()

# %% [markdown]
# Features that no rule asks about have contributions of exactly 0. Nothing is sampled, so the sum is exact up to the
# last digits of a float:

# %%
sums = explanation.base_values + explanation.values.sum(axis=1)
print(f"largest difference from 1: {abs(sums - 1).max():.1e}")

# %% [markdown]
# ## Cards
#
# A card tells one customer which segment they are in, why, and what they can do about it. What may be said about
# each column stands in a policy, a file that people who are not programmers can read.

# %%
cards = xseg.make_cards(segmenter, customers.head(3), policy=xseg.datasets.customers_policy())
cards[0]

# %% [markdown]
# The same card as plain text, for a letter:

# %%
print(cards[1].text())

# %%
print(cards[2].text())

# %% [markdown]
# ## Save and load
#
# A saved model is a JSON file of thresholds and counts. It holds no row, and loading it executes nothing.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

with TemporaryDirectory() as folder:
    file = Path(folder) / "model.json"
    xseg.save(segmenter, file)
    loaded = xseg.load(file)

print(bool((loaded.predict(customers) == segmenter.labels_).all()))

# %% [markdown]
# ## In a pipeline
#
# Columns that go through a scikit-learn pipeline are explained as the columns they came from: the one-hot columns of
# a category count as one. `set_output` lets the names through, so that the rules can use them. The numbers are
# already scaled here, so the segmenter leaves them alone.

# %%
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

numbers = ["orders_90d", "spend_year", "recency_days", "basket_mean", "web_visits_month", "tenure_months"]
columns = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("channel", OneHotEncoder(sparse_output=False), ["channel"]),
    ],
    verbose_feature_names_out=False,
).set_output(transform="pandas")
pipeline = make_pipeline(columns, xseg.TreeSegmenter(n_segments=4, max_leaves=6, scaling="none", random_state=0))
pipeline.fit(customers)
pipeline[-1].segments_

# %%
folded = xseg.explain(pipeline, customers.head(1_000))
shap.plots.bar(folded, show=False)
plt.show()

# %% [markdown]
# The rules of this pipeline speak of scaled numbers, in which 0 is the mean. Without the pipeline the rules speak of
# orders and euros, and missing values are handled anyway; that is usually the better choice.
