// Training as a film: a slider over the epochs; loss, sizes, weights, histograms and the predictions of each.

const FILM = readData();
const LAST = FILM.frames.length - 1;
const MILLISECONDS = 6000; // of the whole film, if a frame is neither shorter nor longer than these
const [SHORTEST, LONGEST] = [60, 400];
const film = { frame: 0, timer: null };
const COLOURS = { a: "var(--grey)", delta: "var(--orange)", dW: "var(--blue)" };
const NAMES = { a: "a", delta: "δ", dW: "dW", W: "W" };

function drawLoss() {
  $("loss-title").textContent = say("loss");
  $("loss-hint").textContent = say("lossHint", { count: FILM.samples });
  const svg = svgOf(560, 220, say("loss"));
  const values = FILM.frames.map(({ J }) => J);
  const most = Math.max(...finite(values));
  const place = axes(svg, { left: 60, top: 12, width: 480, height: 170, x: [0, LAST], y: [0, most || 1] });
  svg.append(
    polyline(
      values.map((value, at) => place(at, value)),
      { stroke: "var(--blue)", "stroke-width": 2 },
    ),
  );
  const [x, y] = place(film.frame, values[film.frame]);
  svg.append(
    element("svg:line", { x1: x, x2: x, y1: 12, y2: 182, class: "marker" }),
    element("svg:circle", { cx: x, cy: y, r: 5, fill: "var(--blue)" }),
  );
  svg.append(
    textAt(300, 204, say("epoch"), { class: "caption" }),
    textAt(60, 204, "0"),
    textAt(540, 204, String(LAST)),
  );
  const value = number(values[film.frame]);
  value.id = "loss-value";
  const logs = Object.entries(FILM.frames[film.frame].logs).map(([name, each]) =>
    element("code", {}, `${name} ${show(each, 4)}`),
  );
  $("loss").replaceChildren(svg, element("p", {}, symbol("J"), " = ", value, " ", ...logs));
}

function drawSizes() {
  $("sizes-title").textContent = say("sizes");
  $("sizes-hint").textContent = say("sizesHint");
  const svg = svgOf(560, 230, say("sizes"));
  const all = FILM.frames
    .flatMap(({ sizes }) => Object.values(sizes).flat())
    .filter((value) => value > 0 && Number.isFinite(value));
  const limits = all.length ? [Math.min(...all), Math.max(...all)] : [0.1, 1];
  const { sizes } = FILM.frames[film.frame];
  const count = FILM.layers.length;
  const place = axes(svg, { left: 60, top: 12, width: 480, height: 170, x: [-0.5, count - 0.5], y: limits, log: true });
  for (const [name, values] of Object.entries(sizes)) {
    const points = values.flatMap((value, at) => (value > 0 && Number.isFinite(value) ? [place(at, value)] : []));
    svg.append(
      polyline(points, {
        stroke: COLOURS[name],
        "stroke-width": 2,
        "stroke-dasharray": name === "a" ? "2 4" : name === "dW" ? "7 4" : null,
      }),
    );
    for (const [x, y] of points) svg.append(element("svg:circle", { cx: x, cy: y, r: 4, fill: COLOURS[name] }));
  }
  const every = Math.ceil(count / 8);
  FILM.layers.forEach(
    ({ name }, at) => at % every === 0 && svg.append(textAt(place(at, limits[0])[0], 198, name, { class: "caption" })),
  );
  Object.keys(sizes).forEach((name, at) =>
    svg.append(
      element("svg:circle", { cx: 240 + at * 50, cy: 218, r: 5, fill: COLOURS[name] }),
      textAt(258 + at * 50, 218, NAMES[name]),
    ),
  );
  $("sizes").replaceChildren(svg);
}

function drawNetwork() {
  $("network-section").hidden = FILM.layout === null;
  if (!FILM.layout) return;
  $("network-title").textContent = say("network");
  $("network-hint").textContent = say("networkHint");
  const { columns, ways, size } = FILM.layout;
  const svg = svgOf(size[0], size[1], say("network"));
  const { weights } = FILM.frames[film.frame];
  const largest =
    Math.max(
      ...FILM.frames.flatMap((frame) =>
        Object.values(frame.weights).flatMap((each) => finite(each.data).map(Math.abs)),
      ),
      0,
    ) || 1;
  const unitAt = (column, unit) => column.y - column.height / 2 + (column.height * (unit + 0.5)) / column.units;
  for (const { source, target, lines } of ways) {
    if (!lines) continue;
    const [from, to] = [columns[source], columns[target]];
    const { data } = weights[to.name];
    data.forEach((weight, at) => {
      const [j, k] = [Math.floor(at / to.units), at % to.units];
      const colour = weight === 0 ? "var(--edge)" : `var(${weight < 0 ? "--orange" : "--blue"})`;
      const line = element("svg:line", {
        x1: from.x + 24,
        y1: unitAt(from, j),
        x2: to.x - 24,
        y2: unitAt(to, k),
        stroke: colour,
        "stroke-width": (0.6 + 5 * Math.min(Math.abs(weight) / largest, 1)).toFixed(2),
        "stroke-dasharray": weight < 0 ? "7 4" : null,
      });
      line.append(element("svg:title", {}, `W ${to.name}[${j}, ${k}] = ${weight}`));
      svg.append(line);
    });
  }
  for (const column of columns) {
    svg.append(
      textAt(column.x, column.y - column.height / 2 - 26, column.name, { class: "name" }),
      textAt(column.x, column.y - column.height / 2 - 11, column.caption, { class: "caption" }),
    );
    for (let unit = 0; unit < column.units; unit++)
      svg.append(element("svg:circle", { cx: column.x, cy: unitAt(column, unit), r: 20, class: "unit-rim" }));
  }
  $("network").replaceChildren(svg);
}

function drawSurface() {
  $("surface-section").hidden = FILM.surface === null;
  if (!FILM.surface) return;
  $("surface-title").textContent = say("surface");
  $("surface-hint").textContent = say("surfaceHint");
  const { side, limits, points, values } = FILM.surface;
  const [width, margin] = [360, 44];
  const svg = svgOf(width + 2 * margin, width + 2 * margin, say("surface"));
  const all = finite(FILM.frames.flatMap((frame) => frame.surface));
  const [middle, reach] = [(Math.max(...all) + Math.min(...all)) / 2, (Math.max(...all) - Math.min(...all)) / 2 || 1];
  const cell = width / side;
  FILM.frames[film.frame].surface.forEach((value, at) => {
    const [row, column] = [Math.floor(at / side), at % side];
    svg.append(
      element("svg:rect", {
        x: margin + column * cell,
        y: margin + (side - 1 - row) * cell,
        width: cell,
        height: cell,
        "shape-rendering": "crispEdges",
        ...fill(value - middle, reach),
      }),
    );
  });
  const [[x0, x1], [y0, y1]] = limits;
  const largest = Math.max(...values),
    least = Math.min(...values);
  points.forEach(([x, y], at) => {
    const high = (values[at] - least) / (largest - least || 1) > 0.5;
    svg.append(
      element("svg:circle", {
        cx: margin + (width * (x - x0)) / (x1 - x0),
        cy: margin + (width * (y1 - y)) / (y1 - y0),
        r: 4.5,
        fill: `var(${high ? "--blue" : "--orange"})`,
        stroke: "var(--paper)",
        "stroke-width": 1.5,
      }),
    );
  });
  [
    [x0, margin],
    [x1, margin + width],
  ].forEach(([value, x]) => svg.append(textAt(x, width + margin + 14, show(value, 3))));
  [
    [y0, margin + width],
    [y1, margin],
  ].forEach(([value, y]) => svg.append(textAt(margin - 6, y, show(value, 3), { class: "tick" })));
  $("surface").replaceChildren(svg);
}

function drawHistograms() {
  $("histograms-title").textContent = say("histograms");
  $("histograms-hint").textContent = say("histogramsHint");
  const rows = FILM.layers.map(({ name, ranges }, at) => {
    const counts = FILM.frames[film.frame].histograms[at];
    const parts = Object.entries(ranges).map(([quantity, [low, high]]) => {
      const svg = svgOf(220, 92, `${NAMES[quantity]} ${name}`);
      const bins = counts[quantity];
      const most = Math.max(...bins, 1);
      bins.forEach((count, bin) => {
        const height = (60 * count) / most;
        svg.append(
          element("svg:rect", {
            x: 10 + (200 * bin) / bins.length,
            y: 72 - height,
            width: 200 / bins.length - 1,
            height,
            fill: quantity === "delta" ? "var(--orange)" : quantity === "W" ? "var(--blue)" : "var(--grey)",
          }),
        );
      });
      svg.append(
        element("svg:line", { x1: 10, x2: 210, y1: 72, y2: 72, class: "grid" }),
        textAt(10, 84, show(low, 2), { class: "start" }),
        textAt(210, 84, show(high, 2), { class: "end" }),
        textAt(110, 84, NAMES[quantity], { class: "name" }),
      );
      return svg;
    });
    return element("div", { class: "histograms" }, element("h3", {}, name), ...parts);
  });
  $("histograms").replaceChildren(...rows);
}

function draw() {
  drawLook();
  $("frame").value = film.frame;
  $("frame-label").textContent = `${say("epoch")} ${film.frame}`;
  $("frame").setAttribute("aria-valuetext", `${say("epoch")} ${film.frame}`);
  $("play").textContent = say(film.timer ? "pause" : "play");
  drawLoss();
  drawSizes();
  drawNetwork();
  drawSurface();
  drawHistograms();
}

function go(frame) {
  film.frame = Math.max(0, Math.min(LAST, frame));
  draw();
}

function stop() {
  clearInterval(film.timer);
  film.timer = null;
}

function play() {
  if (film.timer) {
    stop();
    return draw();
  }
  if (film.frame === LAST) film.frame = 0;
  film.timer = setInterval(
    () => {
      if (film.frame + 1 >= LAST) stop();
      go(film.frame + 1);
    },
    Math.min(LONGEST, Math.max(SHORTEST, MILLISECONDS / (LAST + 1))),
  );
  return draw();
}

function start() {
  $("frame").max = LAST;
  $("frame").addEventListener("input", () => go(Number($("frame").value)));
  $("play").addEventListener("click", play);
  listenToLook(draw);
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, button") || event.ctrlKey || event.altKey || event.metaKey) return;
    const targets = { ArrowRight: film.frame + 1, ArrowLeft: film.frame - 1, Home: 0, End: LAST };
    if (event.key === " ") play();
    else if (event.key in targets) go(targets[event.key]);
    else return;
    event.preventDefault();
  });
  draw();
}
