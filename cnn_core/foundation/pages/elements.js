// What all pages are made with: elements, numbers, colours, the language and the theme. TEXTS is the page's own.

const LOOK = {
  en: { language: "中文", languageLabel: "Switch to Chinese", theme: "Light or dark" },
  zh: { language: "English", languageLabel: "切换到英文", theme: "浅色或深色" },
};
let language = (navigator.language || "en").startsWith("zh") ? "zh" : "en";

function say(key, values = {}) {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

const $ = (id) => document.getElementById(id);
const readData = () => JSON.parse($("data").textContent);

function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function show(value, digits = 6) {
  if (!Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(digits))).replace(/-/g, "−");
}

// A number with all its digits within reach.
function number(value, digits = 6) {
  return element("data", { value: String(value), title: String(value) }, show(value, digits));
}

// z with the layer below the line, and [row, column] behind.
function symbol(name, layer = null, at = null) {
  const made = element("span", { class: "symbol" }, element("var", {}, name));
  if (layer) made.append(element("sub", {}, layer));
  if (at) made.append(`[${at.join(", ")}]`);
  return made;
}

function tint(value, largest) {
  if (Number.isNaN(value)) return "background: var(--edge)";
  const share = Math.sqrt(Math.min(Math.abs(value) / largest, 1));
  return `background: color-mix(in srgb, var(${value < 0 ? "--orange" : "--blue"}) ${Math.round(62 * share)}%, transparent)`;
}

function fill(value, largest) {
  const share = Math.sqrt(Math.min(Math.abs(value) / largest, 1)) || 0;
  return { fill: `var(${value < 0 ? "--orange" : "--blue"})`, "fill-opacity": (0.66 * share).toFixed(3) };
}

// What a field says, from 0 to below `count`. Fields speak on "input": "change" comes with the click on something else.
const wholeNumber = (id, count) => Math.max(0, Math.min(count - 1, Math.trunc(Number($(id).value)) || 0));
const shapeOf = ({ shape }) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;

// Let a button switch between light and dark, and one between the languages; `draw` follows.
function listenToLook(draw) {
  $("language").addEventListener("click", () => {
    language = language === "en" ? "zh" : "en";
    draw();
  });
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    draw();
  });
}

function drawLook() {
  const texts = LOOK[language];
  document.documentElement.lang = language;
  $("language").textContent = texts.language;
  $("language").setAttribute("aria-label", texts.languageLabel);
  $("theme").setAttribute("aria-label", texts.theme);
  $("theme").title = texts.theme;
}
