"""The cheapest change of a row that makes one additive score the highest.

Let ``g_sf`` be the part of feature f in the score of segment s, and ``x`` the row. Wanted is

    minimise    sum_f  c_f(x_f, y_f)
    subject to  b_t + sum_f g_tf(y_f)  >=  b_s + sum_f g_sf(y_f)    for every rival s of the target t,

where ``c_f`` is ``|y_f - x_f| / scale_f`` for a number and a constant for a category. In lead over rival s feature f
gains ``d_sf(y_f) = (g_tf - g_sf)(y_f) - (g_tf - g_sf)(x_f)``; all gains together must make up for the lead at x.

- `score_margins`: leads on one feature. Between two knots a lead is linear or quadratic, so the first value that
  changes a lead is the root of such a function. A change of one feature alone is found exactly this way.
- `integer_programme`: where the curvature of all scores is equal (distances without squares, and squares, where the
  quadratic terms cancel) every ``d_sf`` is linear between knots. Ranges between knots are columns of a linear
  programme with chains (a range further out is used only if the nearer ones are used up), solved by a dual simplex
  with upper bounds; branch and bound enforces chains, whole numbers and the choice among categories. Depth first; a
  relaxation that costs as much as the best change known is cut off. When no node is left the change is proven.
- `step_search`: otherwise a branch and bound over candidate values of each feature, bounded by what a unit of cost can
  gain at most; each number of the best combination is then pulled back by bisection.
- `nearest_scores`: calls these for every row and target, and rounds the changed numbers outward.

`scipy.optimize.milp` (HiGHS) finds the same costs; ``benchmarks/counterfactual.py`` puts both side by side.
"""
