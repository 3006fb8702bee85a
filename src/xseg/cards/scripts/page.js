// The controls of the what-if card. Without this script the card is the plain one.

function start(facts, root) {
  const values = facts.values.slice();
  const numbers = new Intl.NumberFormat(facts.locale, { maximumFractionDigits: 20 });
  const plural = new Intl.PluralRules(facts.locale);
  const make = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key in node) node[key] = value;
      else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const points = (n) => {
    const sign = n > 0 ? "+" : n < 0 ? "\u2212" : "";
    const form = facts.points[plural.select(Math.abs(n))] ?? facts.points.other;
    return sign + form.replace("{number}", numbers.format(Math.abs(n)));
  };
  const own = answer(facts.model, facts.values).segment;
  const told = make("p", { className: "made" });
  const reasons = make("ul", { className: "points" });
  const live = make("div", { role: "status", "aria-live": "polite", className: "answer" }, told, reasons);

  function tell() {
    const found = answer(facts.model, values);
    const sentence = found.segment === own ? facts.say.same_result : facts.say.result;
    told.textContent = sentence.replace("{group}", facts.segments[found.segment]);
    const shown = found.points ? found.points.shown : [];
    reasons.replaceChildren(...shown.map((j, place) =>
      make("li", {}, make("span", { textContent: facts.fields[j].label }), " ",
        make("span", { className: "number", textContent: points(found.points.reasons[place]) }))));
  }

  const inputs = new Map();
  function control(field, j) {
    const id = `xseg-what-if-${j}`;
    if (field.fixed) {
      return [make("span", { textContent: field.label }), make("span", { textContent: field.shown ?? "" })];
    }
    const label = make("label", { htmlFor: id, textContent: field.label });
    const value = facts.values[j];
    if (field.kind === "number") {
      const input = make("input", { id, type: "number", step: field.whole ? "1" : "any", value: value ?? "" });
      inputs.set(j, input);
      input.addEventListener("input", () => set(j, input.value === "" ? null : Number(input.value)));
      return [label, input];
    }
    const choices = field.kind === "choice"
      ? (facts.model.features[j].cells ?? []).map(([name]) => [name, name])
      : [["true", facts.yes], ["false", facts.no]];
    const select = make("select", { id },
      ...choices.map(([name, text]) => make("option", { value: name, textContent: text })),
      make("option", { value: "", textContent: facts.say.unknown }));
    inputs.set(j, select);
    select.value = value === null ? "" : String(value);
    select.addEventListener("change", () => {
      const chosen = select.value;
      set(j, chosen === "" ? null : field.kind === "choice" ? chosen : chosen === "true");
    });
    return [label, select];
  }

  const off = new Map();
  const given = facts.values.slice();
  function set(j, value) {
    given[j] = value;
    values[j] = off.get(j)?.checked ? null : value;
    tell();
  }

  const rows = facts.fields.map((field, j) => {
    if (field === null) return null;
    const box = make("input", { type: "checkbox", id: `xseg-what-if-off-${j}` });
    off.set(j, box);
    box.addEventListener("change", () => {
      values[j] = box.checked ? null : given[j];
      tell();
    });
    const without = make("label", { className: "off" }, box, ` ${facts.say.withhold}`);
    without.append(make("span", { className: "hidden", textContent: `: ${field.label}` }));
    return make("li", {}, ...control(field, j), without);
  }).filter(Boolean);

  const reset = make("button", { type: "button", textContent: facts.say.reset });
  reset.addEventListener("click", () => {
    facts.values.forEach((value, j) => {
      values[j] = given[j] = value;
      if (off.has(j)) off.get(j).checked = false;
      if (inputs.has(j)) inputs.get(j).value = value === null ? "" : String(value);
    });
    tell();
  });
  const form = make("form", { className: "what-if-form", autocomplete: "off" }, make("ul", {}, ...rows), reset);
  form.addEventListener("submit", (event) => event.preventDefault());
  root.append(
    make("h2", { textContent: facts.say.title }),
    make("p", { className: "details", textContent: facts.say.intro }),
    live,
    form);
  root.hidden = false;
  tell();
}

for (const root of document.querySelectorAll(".xseg-card .what-if")) {
  start(JSON.parse(root.querySelector("script[type='application/json']").textContent), root);
}
