// The page: buttons, the network, the step at hand with its formula, numbers and arrays, and the chain of a weight.

const MOST_TERMS = 8; // of a sum that is written out
const ROUNDING = 1e-4; // of an array's largest element: what is less apart is the same sum in float32

const state = { position: 0, sample: 0, cell: [0, 0], weight: null };
const rowsPerSample = (matrix) => Math.max(1, matrix.rows / TRACE.n);
const sampleOf = (matrix, row) => Math.floor(row / rowsPerSample(matrix));

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
  if (terms.length > MOST_TERMS)
    parts.push(" + … ", element("small", {}, say("more", { count: terms.length - MOST_TERMS })));
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
  const pass = say(step.pass === "forward" ? "forwardPass" : "backwardPass", {
    number: step.number,
    count: step.count,
  });
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
      element(
        "p",
        { class: "formula", id: "numbers" },
        symbol(
          said.name.querySelector("var").textContent,
          step.layer ? said.name.querySelector("sub").textContent : null,
          at,
        ),
        " = ",
        ...(numbers.length ? [...numbers, " = "] : []),
        result,
      ),
    );
    if (said.isShare) {
      const sum = said.terms.reduce(
        (total, factors) => total + factors.reduce((product, factor) => product * factor, 1),
        0,
      );
      if (Math.abs(sum - value) > ROUNDING * step.result.largest) {
        result.replaceWith(number(sum));
        panel.append(element("p", {}, element("small", {}, say("share", { value: show(value) }))));
      }
    }
  }
  const shapes = said.shapes.map((parts) =>
    element(
      "code",
      {},
      ...parts.map((part) => (part instanceof Matrix ? shapeOf(part) : part)),
      step.result ? ` → ${shapeOf(step.result)}` : "",
    ),
  );
  if (said.like)
    shapes.push(
      element("code", {}, say("like", { name: said.like[0], like: said.like[1] }), `: ${shapeOf(step.result)} ✓`),
    );
  if (shapes.length) panel.append(element("h3", {}, say("shapes")), element("p", { class: "shapes" }, ...shapes));
  const figures = said.operands.map(({ name, values, from, around, lit }) =>
    arrayFigure(Array.isArray(name) ? element("span", {}, ...name) : name, values, from, { around, lit }),
  );
  if (step.result)
    figures.push(
      arrayFigure(said.name.cloneNode(true), step.result, say("result"), {
        around: [row, column],
        choose,
        chosen: [row, column],
      }),
    );
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
      element(
        "li",
        {},
        element(
          "button",
          {
            type: "button",
            class: step ? step.pass : "given",
            "aria-current": at === position ? "step" : null,
            "data-step": at,
            on: { click: () => jump(at) },
          },
          step ? titleOf(step) : say("start"),
        ),
      ),
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
