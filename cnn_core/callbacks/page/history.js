// A history: a picture for every metric, the values of a chosen epoch, and a table of all.

const HISTORY = readData();
const LAST = HISTORY.epochs.length - 1;
const FRAME = { left: 64, top: 12, width: 476, height: 170 };
const KINDS = {
  training: { stroke: "var(--blue)" },
  validation: { stroke: "var(--orange)", "stroke-dasharray": "7 4" },
  learningRate: { stroke: "var(--grey)" },
};
const MOST_ROWS = 500; // of the table, around the chosen epoch
const state = { row: HISTORY.best ? HISTORY.best.row : LAST, log: false };

// A value that was not recorded is undefined; what is no number in JSON comes as text: "NaN", "-Infinity".
const valuesOf = (key) => HISTORY.values[key].map((value) => (value === null ? undefined : Number(value)));
const titleOf = (name) => (name === "learning_rate" ? say("learningRate") : name);

// The lines of a curve: it is broken where a value is not finite, not where none was recorded.
function linesOf(values, place, drawable) {
  const lines = [[]];
  values.forEach((value, row) => {
    if (value === undefined) return;
    if (drawable(value)) lines.at(-1).push(place(row, value));
    else lines.push([]);
  });
  return lines.filter((points) => points.length);
}

function upright(x, attributes) {
  return element("svg:line", { x1: x, x2: x, y1: FRAME.top, y2: FRAME.top + FRAME.height, ...attributes });
}

function picture({ name, curves }) {
  const all = curves.map(({ key }) => valuesOf(key));
  const positive = all.flat().every((value) => value === undefined || !Number.isFinite(value) || value > 0);
  const log = positive && (state.log || HISTORY.logarithmic.includes(name));
  const drawable = (value) => Number.isFinite(value);
  const shown = all.flat().filter(drawable);
  const [low, high] = shown.length ? [Math.min(...shown), Math.max(...shown)] : [0, 1];
  const y = low < high ? [low, high] : log ? [low / 2, low * 2] : [low - 0.5, low + 0.5];
  const svg = svgOf(560, 214, titleOf(name));
  const place = axes(svg, { ...FRAME, x: [0, LAST], y, log });
  if (HISTORY.best) svg.append(upright(place(HISTORY.best.row, low)[0], { class: "best" }));
  svg.append(upright(place(state.row, low)[0], { class: "marker" }));
  curves.forEach(({ kind }, at) => {
    for (const points of linesOf(all[at], place, drawable))
      svg.append(
        points.length > 1
          ? polyline(points, { "stroke-width": 2, ...KINDS[kind] })
          : element("svg:circle", { cx: points[0][0], cy: points[0][1], r: 3.5, fill: KINDS[kind].stroke }),
      );
    const value = all[at][state.row];
    if (drawable(value)) {
      const [cx, cy] = place(state.row, value);
      svg.append(element("svg:circle", { cx, cy, r: 5, fill: KINDS[kind].stroke }));
    }
  });
  svg.append(
    textAt(FRAME.left + FRAME.width / 2, 202, say("epoch"), { class: "caption" }),
    textAt(FRAME.left, 202, String(HISTORY.epochs[0])),
    textAt(FRAME.left + FRAME.width, 202, String(HISTORY.epochs[LAST])),
  );
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * 560;
    go(Math.round(((across - FRAME.left) / FRAME.width) * LAST));
  });
  return svg;
}

// What the chosen epoch has, with the line by which each curve is known.
function legend({ curves }) {
  const parts = curves.flatMap(({ key, kind }) => {
    const value = valuesOf(key)[state.row];
    const line = element("svg:line", { x1: 0, x2: 26, y1: 6, y2: 6, "stroke-width": 2, ...KINDS[kind] });
    const sign = element("svg:svg", { width: 26, height: 12, "aria-hidden": "true" }, line);
    const said = value === undefined ? "–" : number(value);
    if (value !== undefined) said.dataset.key = key;
    return [element("span", { class: "entry" }, sign, say(kind), " ", said)];
  });
  return element("p", {}, ...parts);
}

function drawPanels() {
  const main = document.querySelector("main");
  for (const old of main.querySelectorAll(".panel")) old.remove();
  for (const panel of HISTORY.panels) {
    const heading = element("h2", {}, titleOf(panel.name));
    const drawn = element("div", { class: "picture" }, picture(panel));
    main.insertBefore(
      element("section", { class: "panel", "aria-label": titleOf(panel.name) }, heading, drawn, legend(panel)),
      main.lastElementChild,
    );
  }
}

function drawTable() {
  $("table-title").textContent = say("table");
  const keys = Object.keys(HISTORY.values);
  const columns = keys.map(valuesOf);
  const texts = Object.values(HISTORY.texts);
  const head = [say("epoch"), ...keys, ...Object.keys(HISTORY.texts)].map((name) => element("th", { scope: "col" }, name));
  const first = Math.max(0, Math.min(state.row - MOST_ROWS / 2, LAST + 1 - MOST_ROWS));
  const rows = HISTORY.epochs.slice(first, first + MOST_ROWS).map((epoch, at) => {
    const row = first + at;
    const cells = columns.map((values) =>
      element("td", {}, values[row] === undefined ? "–" : number(values[row], 5)),
    );
    return element(
      "tr",
      {
        class: HISTORY.best && HISTORY.best.row === row ? "best" : null,
        "aria-current": row === state.row ? "true" : null,
        "data-row": row,
        on: { click: () => go(row) },
      },
      element("th", { scope: "row" }, String(epoch)),
      ...cells,
      ...texts.map((column) => element("td", {}, column[row])),
    );
  });
  $("table").replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}

// Bring the chosen row into the view of the table, without moving the page.
function scrollTable() {
  const [box, row] = [document.querySelector(".rows"), document.querySelector("tr[aria-current]")];
  const [around, inner] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
  const head = $("table").tHead.getBoundingClientRect().height;
  if (inner.top < around.top + head) box.scrollTop -= around.top + head - inner.top;
  if (inner.bottom > around.bottom) box.scrollTop += inner.bottom - around.bottom;
}

function draw() {
  drawLook();
  const { best, epochs } = HISTORY;
  $("best").hidden = !best;
  if (best) $("best").textContent = say("best", { epoch: epochs[best.row] });
  $("hint").textContent = say("hint") + (best ? ` ${say("bestHint", { monitor: best.monitor })}` : "");
  $("log").textContent = say("log");
  $("log").setAttribute("aria-pressed", String(state.log));
  $("epoch").value = state.row;
  $("epoch-label").textContent = `${say("epoch")} ${epochs[state.row]}`;
  $("epoch").setAttribute("aria-valuetext", $("epoch-label").textContent);
  drawPanels();
  drawTable();
  scrollTable();
}

function go(row) {
  state.row = Math.max(0, Math.min(LAST, row));
  draw();
}

function toggleLog() {
  state.log = !state.log;
  draw();
}

function start() {
  $("epoch").max = LAST;
  $("epoch").addEventListener("input", () => go(Number($("epoch").value)));
  $("best").addEventListener("click", () => go(HISTORY.best.row));
  $("log").addEventListener("click", toggleLog);
  listenToLook(draw);
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input") || event.ctrlKey || event.altKey || event.metaKey) return;
    const targets = { ArrowRight: state.row + 1, ArrowLeft: state.row - 1, Home: 0, End: LAST };
    if (event.key === "b" && HISTORY.best) go(HISTORY.best.row);
    else if (event.key === "l") toggleLog();
    else if (event.key in targets) go(targets[event.key]);
    else return;
    event.preventDefault();
  });
  draw();
}
