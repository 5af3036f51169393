// The network as a picture: what has been computed so far is filled in, what the step at hand computes is framed.

const RADIUS = 24;

function drawNetwork() {
  $("network-title").textContent = say("network");
  $("network-hint").textContent = say("networkHint", { sample: state.sample });
  const { columns, loss, ways, size } = TRACE.layout;
  const svg = element("svg:svg", {
    viewBox: `0 0 ${size[0]} ${size[1]}`,
    width: size[0],
    height: size[1],
    role: "img",
    "aria-label": say("network"),
  });
  const step = STEPS[state.position - 1];
  const lines = element("svg:g");
  const largest = Math.max(...TRACE.layers.filter((layer) => layer.W).map((layer) => layer.W.largest), 0) || 1;
  for (const way of ways) lines.append(way.lines ? weightLines(way, columns, largest) : arrow(way.points));
  svg.append(lines);
  for (const column of columns) svg.append(drawColumn(column, step));
  if (loss) svg.append(drawLoss(loss, step));
  $("network").replaceChildren(svg);
}

const unitAt = (column, unit) => column.y - column.height / 2 + (column.height * (unit + 0.5)) / column.units;
const isDone = (at) => at <= state.position;

function weightLines({ source, target }, columns, largest) {
  const group = element("svg:g");
  const [from, to] = [columns[source], columns[target]];
  const layer = TRACE.byName.get(to.name);
  const onPath = unitsOnPath();
  for (let j = 0; j < from.units; j++) {
    for (let k = 0; k < to.units; k++) {
      const weight = layer.W.at(j, k);
      const { weight: chosen } = state;
      const isChosen = chosen !== null && chosen.layer === layer && chosen.j === j && chosen.k === k;
      const isOnPath = onPath.has(`${from.name}|${j}`) && onPath.has(`${to.name}|${k}`);
      const ends = { x1: from.x + RADIUS, y1: unitAt(from, j), x2: to.x - RADIUS, y2: unitAt(to, k) };
      const line = element("svg:line", {
        ...ends,
        class: `weight${isChosen ? " chosen" : isOnPath ? " path" : ""}`,
        stroke: weight === 0 ? "var(--edge)" : `var(${weight < 0 ? "--orange" : "--blue"})`,
        "stroke-width": (0.8 + 4 * Math.min(Math.abs(weight) / largest, 1)).toFixed(2),
        "stroke-opacity": weight === 0 ? 1 : (0.35 + 0.65 * Math.sqrt(Math.abs(weight) / largest)).toFixed(2),
        "stroke-dasharray": weight < 0 ? "7 4" : null,
      });
      const said = `W ${to.name}[${j}, ${k}] = ${weight}` + (layer.dW ? `, dJ/dW = ${layer.dW.at(j, k)}` : "");
      const touch = element("svg:line", { ...ends, class: "touch" }, element("svg:title", {}, said));
      if (layer.dW && isPlain(layer)) touch.addEventListener("click", () => chooseWeight(layer, j, k));
      group.append(line, touch);
    }
  }
  return group;
}

function arrow(points) {
  const [[x0, y0], [x1, y1]] = points.slice(-2);
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [(8 * (x1 - x0)) / length, (8 * (y1 - y0)) / length];
  const head = `${x1},${y1} ${x1 - dx - dy / 2},${y1 - dy + dx / 2} ${x1 - dx + dy / 2},${y1 - dy - dx / 2}`;
  return element(
    "svg:g",
    { class: "arrow" },
    element("svg:polyline", { points: points.map((point) => point.join(",")).join(" ") }),
    element("svg:polygon", { points: head }),
  );
}

function label(x, y, text, attributes = {}) {
  return element("svg:text", { x, y, ...attributes }, text);
}

function drawColumn(column, step) {
  const { name, caption, x, y, height, half, units } = column;
  const layer = TRACE.byName.get(name);
  const group = element("svg:g", {
    class: step && step.layer === layer && layer ? `column now ${step.pass}` : "column",
  });
  const top = y - height / 2;
  group.append(label(x, top - 26, name, { class: "name" }), label(x, top - 11, caption, { class: "caption" }));
  const a = valueOf(name);
  const delta =
    layer && layer.delta && layer.delta.columns === a.columns && stepOfDelta(layer) && isDone(stepOfDelta(layer))
      ? layer.delta
      : null;
  const known = isDone(stepOfValue(name)) ? a : null;
  const per = rowsPerSample(a);
  const valueAt = (matrix, unit) =>
    matrix ? matrix.data[Math.floor(state.sample * per) * matrix.columns + unit] : null;
  group.append(
    element("svg:rect", { x: x - half, y: top, width: 2 * half, height, rx: column.folded ? 3 : 10, class: "frame" }),
  );
  if (column.folded) {
    const shown = Math.min(units, 200);
    for (let part = 0; part < shown; part++) {
      const unit = Math.floor((part * units) / shown);
      [known, delta].forEach((matrix, side) => {
        const value = valueAt(matrix, unit);
        if (value !== null)
          group.append(
            element("svg:rect", {
              x: x - half + side * half,
              y: top + (part * height) / shown,
              width: layer && layer.delta ? half : 2 * half,
              height: height / shown,
              ...fill(value, matrix.largest),
            }),
          );
      });
    }
    return group;
  }
  const back = Math.max(...TRACE.layers.map((each) => (each.delta ? each.delta.largest : 0))) || 1;
  for (let unit = 0; unit < units; unit++) {
    const [middle, value, error] = [unitAt(column, unit), valueAt(known, unit), valueAt(delta, unit)];
    const circle = element("svg:g", { class: "unit", "data-unit": `${name}|${unit}` });
    circle.append(element("svg:circle", { cx: x, cy: middle, r: RADIUS, class: "back" }));
    if (value !== null) {
      const whole = error === null;
      const shape = whole
        ? element("svg:circle", { cx: x, cy: middle, r: RADIUS, ...fill(value, a.largest) })
        : element("svg:path", {
            d: `M${x - RADIUS} ${middle}A${RADIUS} ${RADIUS} 0 0 1 ${x + RADIUS} ${middle}Z`,
            ...fill(value, a.largest),
          });
      circle.append(
        shape,
        label(x, middle - (whole ? 0 : 8), show(value, 3), { class: "value", "data-value": String(value) }),
      );
    }
    if (error !== null) {
      circle.append(
        element("svg:path", {
          d: `M${x - RADIUS} ${middle}A${RADIUS} ${RADIUS} 0 0 0 ${x + RADIUS} ${middle}Z`,
          ...fill(error, back),
        }),
        label(x, middle + 9, show(error, 2), { class: "value", "data-value": String(error) }),
      );
    }
    circle.append(
      element("svg:circle", {
        cx: x,
        cy: middle,
        r: RADIUS,
        class: unitsOnPath().has(`${name}|${unit}`) ? "rim path" : "rim",
      }),
    );
    group.append(circle);
  }
  return group;
}

function drawLoss([x, y], step) {
  const done = isDone(stepOf("J", null));
  const group = element("svg:g", { class: step && step.op === "J" ? "column now forward" : "column" });
  group.append(
    element("svg:rect", { x: x - 42, y: y - 18, width: 84, height: 36, rx: 8, class: "frame" }),
    label(x, y, done ? `J = ${show(TRACE.loss, 4)}` : "J", { class: "name" }),
  );
  TRACE.losses.forEach(({ name }, line) =>
    group.append(label(x, y + 30 + 13 * line, name.replaceAll("_", " "), { class: "caption" })),
  );
  return group;
}
