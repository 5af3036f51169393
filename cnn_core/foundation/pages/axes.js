// Frames with axes, for lines over epochs or layers.

const svgOf = (width, height, name) =>
  element("svg:svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": name });
const textAt = (x, y, text, attributes = {}) => element("svg:text", { x, y, ...attributes }, text);
const finite = (values) => values.filter((value) => Number.isFinite(value));

// A frame with axes; `place` turns values into points.
function axes(svg, { left, top, width, height, x, y, log = false }) {
  const scale = log ? Math.log10 : (value) => value;
  const [low, high] = y.map(scale);
  const place = (at, value) => [
    left + (width * (at - x[0])) / (x[1] - x[0] || 1),
    top + (height * (high - scale(value))) / (high - low || 1),
  ];
  svg.append(element("svg:rect", { x: left, y: top, width, height, class: "frame" }));
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const value = low + part * (high - low);
    const line = top + height * (1 - part);
    svg.append(
      element("svg:line", { x1: left, x2: left + width, y1: line, y2: line, class: "grid" }),
      textAt(left - 6, line, show(log ? 10 ** value : value, 3), { class: "tick" }),
    );
  }
  return place;
}

function polyline(points, attributes) {
  return element("svg:polyline", {
    points: points.map((point) => point.join(",")).join(" "),
    fill: "none",
    ...attributes,
  });
}
