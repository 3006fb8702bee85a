"""Changed numbers that people can say: multiples of a power of ten that still do."""

import numpy as np

from xseg._kernels.jit import kernel
from xseg._kernels.margins import least_lead, write_parts

MAX_STEPS = 40


@kernel
def on_grid(value, places, way):
    """Round a number to decimal places, up or down; dividing gives 0.3 where 3 * 0.1 would not."""
    size = 10.0 ** abs(places)
    steps = value * size if places > 0 else value / size
    steps = np.ceil(steps - 1e-9) if way > 0 else np.floor(steps + 1e-9)
    return steps / size if places > 0 else steps * size


@kernel
def moved_on_grid(value, places, steps, before, low, high):
    """Return the number some steps of its grid away; itself where that would leave its range or pass where it was."""
    size = 10.0 ** abs(places)
    number = np.rint(value * size if places > 0 else value / size) + steps
    other = number / size if places > 0 else number * size
    passes = (other - before) * (value - before) <= 0
    return value if passes or other < low or other > high else other


@kernel
def snap(before, after, codes, target, coding, asked, parts):
    """Move changed numbers to multiples of a power of ten, outward first, and from there step by step until it does.

    Nothing is moved if so many steps do not suffice.
    """
    trial, scores = after.copy(), np.empty(parts.shape[0])
    for f in range(coding.n_coordinates):
        if not asked.whole[f] and after[f] != before[f] and not np.isnan(before[f]):
            rounded = on_grid(after[f], asked.places[f], after[f] - before[f])
            trial[f] = min(max(rounded, asked.lowest[f]), asked.highest[f])
    for _ in range(MAX_STEPS):
        scores[:] = coding.bias
        for f in range(trial.shape[0]):
            write_parts(f, trial[f], codes[f], coding, parts)
            scores += parts
        lead, chosen, value = least_lead(scores, target), -1, 0.0
        if lead > 0:
            after[:] = trial
            break
        for f in range(coding.n_coordinates):
            if asked.whole[f] or after[f] == before[f] or np.isnan(before[f]):
                continue
            for steps in (1, -1):
                other = moved_on_grid(trial[f], asked.places[f], steps, before[f], asked.lowest[f], asked.highest[f])
                changed = scores.copy()
                write_parts(f, trial[f], codes[f], coding, parts)
                changed -= parts
                write_parts(f, other, codes[f], coding, parts)
                changed += parts
                if least_lead(changed, target) > lead:
                    lead, chosen, value = least_lead(changed, target), f, other
        if chosen < 0:
            break
        trial[chosen] = value
