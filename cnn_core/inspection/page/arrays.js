// Arrays as tables and maps of colours, in which an element can be chosen.

const WINDOW = { rows: 8, columns: 10 }; // of a large array, around the chosen element

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
  for (let column = left; column < Math.min(columns, left + WINDOW.columns); column++)
    numbers.push(element("th", { scope: "col" }, String(column)));
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
  const [row, column] = [
    Number(event.target.dataset.row) + moves[event.key][0],
    Number(event.target.dataset.column) + moves[event.key][1],
  ];
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
      choose(
        part(event.clientY - box.top, box.height, matrix.rows),
        part(event.clientX - box.left, box.width, matrix.columns),
      );
    });
  }
  return canvas;
}
