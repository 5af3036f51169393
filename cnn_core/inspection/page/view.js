// The page: buttons, the network, the step at hand with its formula, numbers and arrays, and the chain of a weight.

const MOST_TERMS = 8; // of a sum that is written out
const MOST_SHOWN_PATHS = 12;
const ROUNDING = 1e-4; // of an array's largest element: what is less apart is the same sum in float32
const WINDOW = { rows: 8, columns: 10 }; // of a large array, around the chosen element

const state = { position: 0, sample: 0, cell: [0, 0], weight: null };
const rowsPerSample = (matrix) => Math.max(1, matrix.rows / TRACE.n);
const sampleOf = (matrix, row) => Math.floor(row / rowsPerSample(matrix));

// Arrays

// An array as a table around a cell; { lit: which cells have a frame, choose: what a click does }.
function arrayFigure(name, matrix, origin, { around = [0, 0], lit = () => false, choose = null, chosen = null } = {}) {
  const caption = element("figcaption", {}, name, ` ${shapeOf(matrix)}`, element("small", {}, origin));
  const figure = element("figure", { class: "array" }, caption);
  const [rows, columns] = [matrix.rows, matrix.columns];
  const large = rows > WINDOW.rows || columns > WINDOW.columns;
  if (large) {
    figure.append(heatMap(matrix, around, choose));
    caption.append(element("small", {}, say("folded", { rows, columns })));
  }
  const first = (at, count, shown) => Math.max(0, Math.min(at - (shown >> 1), count - shown));
  const [top, left] = [first(around[0], rows, WINDOW.rows), first(around[1], columns, WINDOW.columns)];
  const table = element("table", { role: choose ? "grid" : null, "aria-label": caption.textContent });
  const numbers = [element("td")];
  for (let column = left; column < Math.min(columns, left + WINDOW.columns); column++) numbers.push(element("th", { scope: "col" }, String(column)));
  table.append(element("tr", {}, ...numbers));
  for (let row = top; row < Math.min(rows, top + WINDOW.rows); row++) {
    const line = element("tr", {}, element("th", { scope: "row" }, String(row)));
    for (let column = left; column < Math.min(columns, left + WINDOW.columns); column++) {
      const isChosen = chosen !== null && chosen[0] === row && chosen[1] === column;
      const cell = element("td", {
        class: isChosen ? "chosen" : lit(row, column) ? "lit" : null,
        style: tint(matrix.at(row, column), matrix.largest),
        role: choose ? "gridcell" : null,
        tabindex: choose ? (isChosen ? "0" : "-1") : null,
        "aria-selected": choose ? String(isChosen) : null,
        "data-row": row,
        "data-column": column,
      });
      cell.append(number(matrix.at(row, column), 4));
      if (choose) cell.addEventListener("click", () => choose(row, column));
      line.append(cell);
    }
    table.append(line);
  }
  if (choose) table.addEventListener("keydown", (event) => moveInGrid(event, matrix, choose));
  figure.append(element("div", { class: "scroll" }, table));
  return figure;
}

function moveInGrid(event, matrix, choose) {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  if (!(event.key in moves) || event.target.dataset.row === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  const [row, column] = [Number(event.target.dataset.row) + moves[event.key][0], Number(event.target.dataset.column) + moves[event.key][1]];
  if (row < 0 || column < 0 || row >= matrix.rows || column >= matrix.columns) return;
  choose(row, column);
  document.querySelector('td[role="gridcell"][tabindex="0"]')?.focus();
}

function heatMap(matrix, around, choose) {
  const [down, across] = [Math.ceil(matrix.rows / 160), Math.ceil(matrix.columns / 160)];
  const [height, width] = [Math.ceil(matrix.rows / down), Math.ceil(matrix.columns / across)];
  const canvas = element("canvas", { width, height, class: "map", "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const [blue, orange] = ["--blue", "--orange"].map((name) => style.getPropertyValue(name).trim());
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let most = 0; // of the tile's elements the one of most weight
      for (let i = row * down; i < Math.min(matrix.rows, (row + 1) * down); i++) {
        for (let j = column * across; j < Math.min(matrix.columns, (column + 1) * across); j++) {
          if (Math.abs(matrix.at(i, j)) > Math.abs(most)) most = matrix.at(i, j);
        }
      }
      context.globalAlpha = Math.sqrt(Math.min(Math.abs(most) / matrix.largest, 1));
      context.fillStyle = most < 0 ? orange : blue;
      context.fillRect(column, row, 1, 1);
    }
  }
  if (choose) {
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const part = (at, length, count) => Math.min(count - 1, Math.max(0, Math.floor((at / length) * count)));
      choose(part(event.clientY - box.top, box.height, matrix.rows), part(event.clientX - box.left, box.width, matrix.columns));
    });
  }
  return canvas;
}

// Steps: for each operation the formula, the same with numbers, the arrays that it reads

const origin = (at, kind) => (at ? say("fromStep", { step: at }) : say(kind));

// What a step is made of: { formula: [...], terms: [...], operands: [...], why, name }.
const DESCRIPTIONS = {
  z({ layer }, [row, column]) {
    const [source] = layer.inputs;
    const read = valueOf(source);
    const terms = Array.from({ length: read.columns }, (_, j) => [read.at(row, j), layer.W.at(j, column)]);
    if (layer.b) terms.push([layer.b.data[column]]);
    return {
      name: symbol("z", layer.name),
      formula: [symbol("z", layer.name), " = ", symbol("a", source), " · ", symbol("W", layer.name), ...(layer.b ? [" + ", symbol("b", layer.name)] : [])],
      terms,
      shapes: [[read, " · ", layer.W, ...(layer.b ? [" + ", layer.b] : [])]],
      operands: [
        { name: symbol("a", source), values: read, from: origin(stepOfValue(source), "input"), around: [row, 0], lit: (i) => i === row },
        { name: symbol("W", layer.name), values: layer.W, from: say("parameter"), around: [0, column], lit: (_, k) => k === column },
        ...(layer.b ? [{ name: symbol("b", layer.name), values: layer.b, from: say("parameter"), around: [0, column], lit: (_, k) => k === column }] : []),
      ],
      why: say("zWhy"),
    };
  },

  a({ layer }, [row, column]) {
    const before = layer.z || valueOf(layer.inputs[0]);
    const from = isDense(layer) ? stepOf("z", layer) : stepOfValue(layer.inputs[0]);
    const rowWise = layer.slope === null;
    const g = layer.activation;
    return {
      name: symbol("a", layer.name),
      formula: [symbol("a", layer.name), ` = ${g}(`, symbol("z", layer.name), ")"],
      numbers: rowWise ? [`${g}(`, symbol("z", layer.name, [row, ":"]), `)[${column}]`] : [`${g}(`, number(before.at(row, column)), ")"],
      shapes: [[before]],
      operands: [{ name: symbol("z", layer.name), values: before, from: origin(from, "input"), around: [row, column], lit: (i, k) => i === row && (rowWise || k === column) }],
      why: say(rowWise ? "aRowWhy" : "aWhy", { g }),
    };
  },

  operation({ layer }) {
    const given = Object.entries(layer.parameters).map(([name, values]) => ({ name: symbol(name, layer.name), values, from: say("parameter") }));
    return {
      name: symbol("a", layer.name),
      formula: [symbol("a", layer.name), ` = ${layer.kind}(`, ...layer.inputs.flatMap((source, at) => [at ? ", " : "", symbol("a", source)]), ")"],
      shapes: [layer.inputs.flatMap((source, at) => [at ? ", " : "", valueOf(source)])],
      operands: [...layer.inputs.map((source) => ({ name: symbol("a", source), values: valueOf(source), from: origin(stepOfValue(source), "input") })), ...given],
      why: say("operationWhy", { kind: layer.kind, inputs: layer.inputs.join(", ") }),
    };
  },

  J() {
    const rest = TRACE.loss - TRACE.losses.reduce((sum, loss) => sum + loss.value, 0);
    const isSmall = Math.abs(rest) <= 1e-6 * Math.abs(TRACE.loss);
    const parts = [...TRACE.losses.map((loss) => [loss.name, loss.value]), ...(isSmall ? [] : [[say("penalties"), rest]])];
    return {
      name: symbol("J"),
      formula: [symbol("J"), " = ", ...TRACE.losses.flatMap((loss, at) => [at ? " + " : "", `${loss.name}(`, symbol("a", loss.output), ", ", symbol("y"), ")"]), ...(isSmall ? [] : [` + ${say("penalties")}`])],
      numbers: parts.flatMap(([, value], at) => [at ? " + " : "", number(value)]),
      total: TRACE.loss,
      shapes: [],
      operands: TRACE.losses.flatMap((loss) => [
        { name: symbol("a", loss.output), values: valueOf(loss.output), from: origin(stepOfValue(loss.output), "input") },
        { name: symbol("y"), values: loss.target, from: say("target") },
      ]),
      why: say("JWhy"),
    };
  },

  da({ layer, parts }, [row, column]) {
    const losses = TRACE.losses.filter(({ output }) => output === layer.name).map((loss) => `∂ ${loss.name} / ∂a`);
    const partName = ({ from, reader }) => (from === "fromLoss" ? losses.join(" + ") : say(from, { layer: reader ? reader.name : "" }));
    return {
      name: symbol("da", layer.name),
      formula: [symbol("da", layer.name), " = ", ...parts.flatMap((part, at) => [at ? " + " : "", element("span", { class: "words" }, partName(part))])],
      terms: parts.length > 1 ? parts.map(({ values }) => [values.at(row, column)]) : [],
      shapes: [],
      like: ["da", "a"],
      operands: parts.length > 1
        ? parts.map((part) => ({ name: partName(part), values: part.values, from: part.reader ? origin(stepOfBack(part.reader, layer.name), "input") : "", around: [row, column], lit: (i, k) => i === row && k === column }))
        : [{ name: symbol("a", layer.name), values: layer.a, from: origin(stepOfValue(layer.name), "input"), around: [row, column], lit: (i, k) => i === row && k === column }, ...targetsOf(layer)],
      why: say(parts.every(({ from }) => from === "fromLoss") ? "daLossWhy" : "daWhy"),
    };
  },

  dz({ layer, parts }, [row, column]) {
    const g = layer.activation;
    const z = layer.z || valueOf(layer.inputs[0]);
    const lit = (i, k) => i === row && (layer.slope === null || k === column);
    const da = { name: symbol("da", layer.name), values: layer.da, from: origin(stepOfDa(layer), "input"), around: [row, column], lit };
    const cached = { name: symbol("z", layer.name), values: z, from: say("cached", { step: stepOf("z", layer) || stepOfValue(layer.inputs[0]) }), around: [row, column], lit };
    if (layer.slope === null) {
      const merged = parts.every(({ from }) => from === "fromLoss");
      return {
        name: symbol("δ", layer.name),
        formula: [symbol("δ", layer.name), " = ", symbol("da", layer.name), ` · ${g}′(`, symbol("z", layer.name), ")"],
        shapes: [],
        like: ["δ", "z"],
        operands: [da, cached],
        why: say(merged ? "dzLossWhy" : "dzRowWhy", { g }),
      };
    }
    return {
      name: symbol("δ", layer.name),
      formula: [symbol("δ", layer.name), " = ", symbol("da", layer.name), ` ⊙ ${g}′(`, symbol("z", layer.name), ")"],
      terms: [[layer.da.at(row, column), layer.slope.at(row, column)]],
      shapes: [],
      like: ["δ", "z"],
      operands: [da, cached, { name: [`${g}′(`, symbol("z", layer.name), ")"], values: layer.slope, from: "", around: [row, column], lit }],
      why: say("dzWhy", { g }),
    };
  },

  dW({ layer }, [row, column]) {
    const [source] = layer.inputs;
    const read = valueOf(source);
    return {
      name: symbol("dW", layer.name),
      formula: [symbol("dW", layer.name), " = ", symbol("a", source), element("sup", {}, "T"), " · ", symbol("δ", layer.name)],
      terms: Array.from({ length: read.rows }, (_, i) => [read.at(i, row), layer.delta.at(i, column)]),
      isShare: true,
      shapes: [[read, element("sup", {}, "T"), " · ", layer.delta]],
      like: ["dW", "W"],
      operands: [
        { name: symbol("a", source), values: read, from: origin(stepOfValue(source), "input"), around: [0, row], lit: (_, j) => j === row },
        { name: symbol("δ", layer.name), values: layer.delta, from: origin(stepOfDelta(layer), "input"), around: [0, column], lit: (_, k) => k === column },
      ],
      why: say("dWWhy"),
    };
  },

  db({ layer }, [, column]) {
    return {
      name: symbol("db", layer.name),
      formula: [symbol("db", layer.name), " = Σ", element("sub", {}, "i"), " ", symbol("δ", layer.name), "[i, :]"],
      terms: Array.from({ length: layer.delta.rows }, (_, i) => [layer.delta.at(i, column)]),
      isShare: true,
      shapes: [],
      like: ["db", "b"],
      operands: [{ name: symbol("δ", layer.name), values: layer.delta, from: origin(stepOfDelta(layer), "input"), around: [0, column], lit: (_, k) => k === column }],
      why: say("dbWhy"),
    };
  },

  dp({ layer, parameter }) {
    return {
      name: symbol(`d${parameter}`, layer.name),
      formula: [symbol(`d${parameter}`, layer.name), ` = ${layer.kind}′ · `, symbol("da", layer.name)],
      shapes: [],
      like: [`d${parameter}`, parameter],
      operands: [
        { name: symbol("da", layer.name), values: layer.da, from: origin(stepOfDa(layer), "input") },
        { name: symbol(parameter, layer.name), values: layer.parameters[parameter], from: say("parameter") },
      ],
      why: say("dpWhy", { kind: layer.kind }),
    };
  },

  back({ layer, source }, [row, column]) {
    const name = symbol("da", source);
    if (!isDense(layer)) {
      return {
        name,
        formula: [name.cloneNode(true), ` ← ${layer.kind}′ · `, symbol("da", layer.name)],
        shapes: [],
        like: [`da ${source}`, `a ${source}`],
        operands: [{ name: symbol("da", layer.name), values: layer.da, from: origin(stepOfDa(layer), "input") }],
        why: say("backOperationWhy", { kind: layer.kind, source }),
      };
    }
    return {
      name,
      formula: [name.cloneNode(true), readersOf(source).length > 1 ? " ← " : " = ", symbol("δ", layer.name), " · ", symbol("W", layer.name), element("sup", {}, "T")],
      terms: Array.from({ length: layer.W.columns }, (_, k) => [layer.delta.at(row, k), layer.W.at(column, k)]),
      shapes: [[layer.delta, " · ", layer.W, element("sup", {}, "T")]],
      like: [`da ${source}`, `a ${source}`],
      operands: [
        { name: symbol("δ", layer.name), values: layer.delta, from: origin(stepOfDelta(layer), "input"), around: [row, 0], lit: (i) => i === row },
        { name: symbol("W", layer.name), values: layer.W, from: say("parameter"), around: [column, 0], lit: (j) => j === column },
      ],
      why: say("backWhy"),
    };
  },
};

const stepOfBack = (reader, source) => (STEPS.find((each) => each.op === "back" && each.layer === reader && each.source === source) || { at: stepOfDelta(reader) }).at;
const targetsOf = (layer) => TRACE.losses.filter(({ output }) => output === layer.name).map((loss) => ({ name: symbol("y"), values: loss.target, from: say("target") }));

function titleOf(step) {
  const { layer, op, parameter, source } = step;
  return say(op, { layer: layer ? layer.name : "", kind: layer ? layer.kind : "", parameter, source });
}

function jump(position) {
  state.position = Math.max(0, Math.min(STEPS.length, position));
  const step = STEPS[state.position - 1];
  const result = step && step.result;
  const wanted = result && result.rows === rowsPerSample(result) * TRACE.n && !["dW", "db", "dp"].includes(step.op);
  state.cell = [wanted ? Math.floor(state.sample * rowsPerSample(result)) : 0, 0];
  draw();
}

function choose(row, column) {
  state.cell = [row, column];
  const step = STEPS[state.position - 1];
  if (step.op === "dW" && isPlain(step.layer)) state.weight = { layer: step.layer, j: row, k: column };
  else if (!["dW", "db", "dp"].includes(step.op)) state.sample = Math.min(TRACE.n - 1, sampleOf(step.result, row));
  draw();
}

// A sum of products with its numbers put in, and what it comes to.
function writtenOut(terms) {
  const parts = [];
  terms.slice(0, MOST_TERMS).forEach((factors, at) => {
    if (at) parts.push(" + ");
    factors.forEach((factor, place) => {
      const text = number(factor, 5);
      parts.push(place ? " · " : "", ...(factor < 0 && (at || place) ? ["(", text, ")"] : [text]));
    });
  });
  if (terms.length > MOST_TERMS) parts.push(" + … ", element("small", {}, say("more", { count: terms.length - MOST_TERMS })));
  return parts;
}

function drawStep() {
  const panel = $("step");
  const step = STEPS[state.position - 1];
  panel.replaceChildren();
  if (!step) {
    panel.append(element("h2", { id: "heading" }, say("start")), element("p", {}, say("startWhy")));
    if (TRACE.loss === null) panel.append(element("p", {}, say("noTargets")));
    const arrays = [...TRACE.inputs].map(([name, values]) => arrayFigure(symbol("a", name), values, say("input")));
    arrays.push(...TRACE.losses.map((loss) => arrayFigure(symbol("y"), loss.target, say("target"))));
    panel.append(element("div", { class: "arrays" }, ...arrays));
    return;
  }
  const [row, column] = state.cell;
  const said = DESCRIPTIONS[step.op](step, state.cell);
  const pass = say(step.pass === "forward" ? "forwardPass" : "backwardPass", { number: step.number, count: step.count });
  panel.append(
    element("p", { class: `pass ${step.pass}` }, pass),
    element("h2", { id: "heading" }, titleOf(step)),
    element("p", {}, said.why),
    element("h3", {}, say("formula")),
    element("p", { class: "formula", id: "formula" }, ...said.formula),
  );
  const value = step.op === "J" ? TRACE.loss : step.result.at(row, column);
  const numbers = said.numbers || (said.terms && writtenOut(said.terms));
  if (numbers) {
    const at = step.result && (step.result.shape.length > 1 ? [row, column] : [column]);
    const result = number(value);
    result.id = "value";
    panel.append(
      element("h3", {}, step.result ? say("numbersFor", { at: at.join(", ") }) : say("numbers")),
      element("p", { class: "formula", id: "numbers" }, symbol(said.name.querySelector("var").textContent, step.layer ? said.name.querySelector("sub").textContent : null, at), " = ", ...(numbers.length ? [...numbers, " = "] : []), result),
    );
    if (said.isShare) {
      const sum = said.terms.reduce((total, factors) => total + factors.reduce((product, factor) => product * factor, 1), 0);
      if (Math.abs(sum - value) > ROUNDING * step.result.largest) {
        result.replaceWith(number(sum));
        panel.append(element("p", {}, element("small", {}, say("share", { value: show(value) }))));
      }
    }
  }
  const shapes = said.shapes.map((parts) => element("code", {}, ...parts.map((part) => (part instanceof Matrix ? shapeOf(part) : part)), step.result ? ` → ${shapeOf(step.result)}` : ""));
  if (said.like) shapes.push(element("code", {}, say("like", { name: said.like[0], like: said.like[1] }), `: ${shapeOf(step.result)} ✓`));
  if (shapes.length) panel.append(element("h3", {}, say("shapes")), element("p", { class: "shapes" }, ...shapes));
  const figures = said.operands.map(({ name, values, from, around, lit }) => arrayFigure(Array.isArray(name) ? element("span", {}, ...name) : name, values, from, { around, lit }));
  if (step.result) figures.push(arrayFigure(said.name.cloneNode(true), step.result, say("result"), { around: [row, column], choose, chosen: [row, column] }));
  figures.at(-1).classList.toggle("result", Boolean(step.result));
  panel.append(element("h3", {}, say("arrays")), element("div", { class: "arrays" }, ...figures));
  if (step.result) panel.append(element("p", {}, element("small", {}, say("numbersHint"))));
}

function drawControls() {
  const [{ position }, forwards] = [state, STEPS.filter((step) => step.pass === "forward").length];
  $("forward").disabled = position >= forwards;
  $("backward").disabled = position < forwards || position >= STEPS.length;
  $("undo").disabled = $("restart").disabled = position === 0;
  for (const id of ["forward", "backward", "undo", "restart"]) $(id).textContent = say(id);
  drawLook();
  $("sample-label").textContent = say("sample");
  $("sample").value = state.sample;
  $("sample").max = TRACE.n - 1;
  $("steps-title").textContent = say("steps");
  $("steps").replaceChildren(
    ...[null, ...STEPS].map((step, at) =>
      element("li", {}, element("button", { type: "button", class: step ? step.pass : "given", "aria-current": at === position ? "step" : null, "data-step": at, on: { click: () => jump(at) } }, step ? titleOf(step) : say("start"))),
    ),
  );
}

// Bring the step at hand into the list's view, without moving the page.
function scrollSteps() {
  const list = document.querySelector("nav");
  const current = list.querySelector("[aria-current]");
  const [around, inner] = [list.getBoundingClientRect(), current.getBoundingClientRect()];
  if (inner.top < around.top) list.scrollTop -= around.top - inner.top + 8;
  if (inner.bottom > around.bottom) list.scrollTop += inner.bottom - around.bottom + 8;
}

function draw() {
  markPath();
  drawControls();
  drawNetwork();
  drawStep();
  drawChain();
  scrollSteps();
}

function start() {
  $("forward").addEventListener("click", () => jump(state.position + 1));
  $("backward").addEventListener("click", () => jump(state.position + 1));
  $("undo").addEventListener("click", () => jump(state.position - 1));
  $("restart").addEventListener("click", () => jump(0));
  listenToLook(draw);
  $("sample").addEventListener("input", () => {
    state.sample = wholeNumber("sample", TRACE.n);
    jump(state.position);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, summary") || event.ctrlKey || event.altKey || event.metaKey) return;
    const targets = { ArrowRight: state.position + 1, ArrowLeft: state.position - 1, Home: 0, End: STEPS.length };
    if (!(event.key in targets)) return;
    event.preventDefault();
    jump(targets[event.key]);
  });
  startChain();
  draw();
}
