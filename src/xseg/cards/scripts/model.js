// The arithmetic of the what-if card: the segment of one person and why, with the bits of `predict`, `explain` and the
// points of `make_cards`. Values stand in the order of `model.features`; null is not known.

const NEGLIGIBLE = 1e-12;
const MOST_REASONS = 4;
const MOST_PER_POINT = 2;

function cellOf(feature, value) {
  if (value === null) return feature.missing;
  if (feature.cuts) {
    let low = 0;
    let high = feature.cuts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Number(value) < feature.cuts[middle]) high = middle;
      else low = middle + 1;
    }
    return low;
  }
  if (feature.cells) {
    const found = feature.cells.find(([name]) => name === value);
    return found ? found[1] : feature.missing;
  }
  return 0;
}

// What each feature adds to being in the segment that the values make.
function inBoxes(model, values) {
  const cells = model.features.map((feature, j) => cellOf(feature, values[j]));
  const pattern = (box) =>
    box.tests.reduce((failed, [j, failing], bit) => failed | (failing[cells[j]] << bit), 0);
  const segment = model.boxes.find((box) => box.open && pattern(box) === 0).segment;
  const base = model.base[segment];
  if (base === null) return { segment, rival: null, base, parts: null };
  const parts = values.map(() => 0);
  for (const box of model.boxes) {
    if (box.segment !== segment) continue;
    const start = pattern(box) * box.players.length;
    box.players.forEach((j, place) => (parts[j] += box.lines[start + place]));
  }
  return { segment, rival: null, base, parts };
}

function partOf(feature, value, segment) {
  if (feature.parts) return feature.parts[cellOf(feature, value)][segment];
  const [level, knot, slope, curvature, unknown] = feature.curve.map((line) => line[segment]);
  if (value === null) return unknown;
  const offset = Math.fround((Number(value) - feature.shift) * feature.factor) - knot;
  return level + slope * Math.abs(offset) + curvature * offset * offset;
}

// What each feature adds to the lead over the next best segment.
function byScores(model, values) {
  const scores = model.bias.map((bias, segment) =>
    model.order.reduce((sum, j) => sum + partOf(model.features[j], values[j], segment), bias));
  let own = 0;
  let rival = -1;
  for (let s = 1; s < scores.length; s++) {
    if (scores[s] > scores[own]) [own, rival] = [s, own];
    else if (rival < 0 || scores[s] > scores[rival]) rival = s;
  }
  if (rival < 0) rival = own;
  const parts = model.features.map((feature, j) => {
    const part = (segment) => partOf(feature, values[j], segment);
    return part(own) - feature.means[own] - (part(rival) - feature.means[rival]);
  });
  return { segment: own, rival, base: model.base[own] - model.base[rival], parts };
}

// The exactly rounded sum (Shewchuk, 1997), as Python's `fsum`.
function exactSum(terms) {
  const partials = [];
  for (let term of terms) {
    let kept = 0;
    for (let other of [...partials]) {
      if (Math.abs(term) < Math.abs(other)) [term, other] = [other, term];
      const high = term + other;
      const low = other - (high - term);
      if (low) partials[kept++] = low;
      term = high;
    }
    partials.length = kept;
    partials.push(term);
  }
  let sum = partials.pop() ?? 0;
  while (partials.length) {
    const before = sum;
    const next = partials.pop();
    sum = before + next;
    const low = next - (sum - before);
    if (low === 0) continue;
    const following = partials.at(-1) ?? 0;
    const twice = 2 * low;
    if (low * following > 0 && sum + twice - sum === twice) sum += twice;
    break;
  }
  return sum;
}

function roundHalfEven(number) {
  const whole = Math.round(number);
  return whole - number === 0.5 && whole % 2 ? whole - 1 : whole;
}

// Largest remainders: whole points that add up to the total.
function wholePoints(parts, total) {
  const exact = parts.map((part) => 100 * part);
  const whole = exact.map((part) => Math.floor(part + 1e-9));
  const lacking = total - whole.reduce((sum, part) => sum + part, 0);
  const byRemainder = parts.map((_, place) => place).sort((a, b) => whole[a] - exact[a] - (whole[b] - exact[b]));
  for (const place of byRemainder.slice(0, lacking)) whole[place] += 1;
  return whole;
}

function sharedOut({ base, rival, parts }, hidden) {
  const compared = rival !== null;
  const weighty = parts.map((_, j) => j)
    .filter((j) => Math.abs(parts[j]) > NEGLIGIBLE)
    .sort((a, b) => Math.abs(parts[b]) - Math.abs(parts[a]));
  const shown = weighty.filter((j) => !hidden[j]).slice(0, MOST_REASONS);
  const secret = weighty.filter((j) => hidden[j]);
  const unnamed = exactSum(secret.map((j) => parts[j]));
  const total = compared ? Math.max(base + exactSum(parts), 0) : 1;
  const rest = total - base - exactSum(shown.map((j) => parts[j])) - unnamed;
  const told = [base, ...shown.map((j) => parts[j]), rest, unnamed];
  const scale = compared ? Math.max(total, Math.max(...told.map(Math.abs)) / MOST_PER_POINT) : 1;
  const whole = scale > 0 ? roundHalfEven((100 * total) / scale) : 0;
  const points = wholePoints(told.map((part) => part / (scale || 1)), whole);
  const weakest = Math.min(...shown.map((j) => Math.abs(parts[j])));
  return {
    shown,
    base: points[0],
    reasons: points.slice(1, -2),
    rest: points.at(-2),
    hidden: secret.length ? points.at(-1) : null,
    outweighs: secret.some((j) => Math.abs(parts[j]) > weakest) || (secret.length > 0 && !shown.length),
    total: whole,
    totalValue: total,
  };
}

// The segment that values make, the exact part of each feature, and the points told of them.
function answer(model, values) {
  const found = (model.family === "boxes" ? inBoxes : byScores)(model, values);
  const hidden = model.features.map((feature) => Boolean(feature.hidden));
  return { ...found, points: found.parts && sharedOut(found, hidden) };
}

if (typeof module !== "undefined") module.exports = { answer, exactSum };
