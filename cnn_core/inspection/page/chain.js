// One weight: the product of partial derivatives along every path from it to J.

const MOST_SHOWN_PATHS = 12;
const trained = TRACE.layers.filter((layer) => isPlain(layer) && layer.dW && layer.delta);
let pathUnits = new Set(); // units that a path of the chosen weight runs through: "layer|unit"
const unitsOnPath = () => pathUnits;

function chooseWeight(layer, j, k) {
  state.weight = { layer, j, k };
  draw();
}

function startChain() {
  if (!trained.length) return;
  state.weight = { layer: trained[0], j: 0, k: 0 };
  const changed = () => {
    const layer = trained[$("chain-layer").selectedIndex];
    chooseWeight(layer, wholeNumber("chain-row", layer.W.rows), wholeNumber("chain-column", layer.W.columns));
  };
  for (const id of ["chain-layer", "chain-row", "chain-column"]) $(id).addEventListener("input", changed);
  $("chain-layer").append(...trained.map((layer) => element("option", {}, layer.name)));
}

function derivative({ over, under }) {
  const said = ([name, layer, ...at]) => (layer ? symbol(`∂${name}`, layer.name, at) : element("var", {}, `∂${name}`));
  return element("span", { class: "fraction" }, element("span", {}, said(over)), element("span", {}, said(under)));
}

function origins(factor) {
  const [, layer] = factor.under;
  return say(factor.by, { g: layer.activation, at: (factor.at || []).join(", ") });
}

function pathRow(path, number) {
  const factors = path.factors.flatMap((factor, at) => [
    at ? element("span", { class: "times" }, "·") : "",
    element(
      "span",
      { class: "factor" },
      derivative(factor),
      element("b", {}, numberOf(factor.value)),
      element("small", {}, origins(factor)),
    ),
  ]);
  return element(
    "li",
    { "aria-label": say("path", { number }) },
    ...factors,
    element("span", { class: "times" }, "="),
    element("b", { class: "product" }, numberOf(path.value)),
  );
}

const numberOf = (value) => number(value, 5);

function drawChain() {
  $("chain-title").textContent = say("chain");
  $("chain-hint").textContent = say(trained.length ? "chainHint" : "noChain");
  $("chain-choice").hidden = !trained.length;
  for (const [id, key] of [
    ["chain-layer-label", "layer"],
    ["chain-row-label", "row"],
    ["chain-column-label", "column"],
  ])
    $(id).textContent = say(key);
  if (!state.weight) return;
  const { layer, j, k } = state.weight;
  $("chain-layer").selectedIndex = trained.indexOf(layer);
  Object.assign($("chain-row"), { value: j, max: layer.W.rows - 1 });
  Object.assign($("chain-column"), { value: k, max: layer.W.columns - 1 });
  const chain = chainOf(layer, state.sample, j, k);
  const shown = chain.paths.slice(0, MOST_SHOWN_PATHS);
  const rows = shown.map((path, at) => pathRow(path, at + 1));
  if (chain.paths.length > shown.length) {
    const rest = chain.paths.slice(MOST_SHOWN_PATHS).reduce((sum, path) => sum + path.value, 0);
    rows.push(
      element(
        "li",
        {},
        `${say("morePaths", { count: chain.paths.length - shown.length })} = `,
        element("b", { class: "product" }, numberOf(rest)),
      ),
    );
  }
  $("chain").replaceChildren(...rows);
  const paths =
    chain.paths.length === 1
      ? say("onePath", { sample: state.sample })
      : say("paths", { count: chain.paths.length, sample: state.sample });
  const share = numberOf(chain.total);
  share.id = "chain-share";
  const gradient = numberOf(chain.gradient);
  gradient.id = "chain-sum";
  const ofUse = chain.shares.reduce((sum, value) => sum + value, 0);
  const isWhole = Math.abs(ofUse - chain.gradient) <= ROUNDING * layer.dW.largest;
  $("chain-total").replaceChildren(
    element("p", {}, `${paths}: `, share),
    element(
      "p",
      {},
      `${say("samples")}: `,
      symbol("dW", layer.name, [j, k]),
      " = ",
      ...writtenOut(chain.shares.map((value) => [value])),
      " = ",
      isWhole ? gradient : numberOf(ofUse),
    ),
    ...(isWhole ? [] : [element("p", {}, element("small", {}, say("share", { value: "" }), gradient))]),
  );
}

function markPath() {
  pathUnits = new Set();
  if (!state.weight) return;
  const { layer, j, k } = state.weight;
  pathUnits.add(`${layer.inputs[0]}|${j}`).add(`${layer.name}|${k}`);
  for (let next = layer; next && (next.linear || next.slope);) {
    const reader = onlyReader(next);
    if (reader) for (let unit = 0; unit < reader.a.columns; unit++) pathUnits.add(`${reader.name}|${unit}`);
    next = reader;
  }
}
