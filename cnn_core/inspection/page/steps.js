// The traced batch as matrices, the steps that computed it, and the chain of partial derivatives of a weight.

class Matrix {
  // The last axis goes across, all others down: rowsOf(sample) says which rows are a sample's.
  constructor({ shape, data }) {
    this.shape = shape;
    this.columns = shape.length ? shape[shape.length - 1] : 1;
    this.rows = this.columns ? data.length / this.columns : 0;
    this.data = Float64Array.from(data, Number); // what is no number in JSON comes as text: "NaN", "-Infinity"
    this.largest = this.data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0) || 1;
  }

  at(row, column) {
    return this.data[row * this.columns + column];
  }
}

const TRACE = (() => {
  const read = (array) => (array ? new Matrix(array) : null);
  const readAll = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, read(array)]));
  const trace = readData();
  trace.inputs = new Map(trace.inputs.map(({ name, values }) => [name, read(values)]));
  for (const layer of trace.layers) {
    for (const key of ["z", "a", "slope", "da", "delta", "W", "b", "dW", "db"]) layer[key] = read(layer[key]);
    layer.dInputs = layer.dInputs.map(read);
    layer.parameters = readAll(layer.parameters);
    layer.gradients = readAll(layer.gradients);
    layer.linear = layer.activation === "linear";
  }
  trace.outputs = new Map(trace.outputs.map(({ name, values }) => [name, read(values)]));
  trace.penalties = new Map(trace.penalties.map(({ name, values }) => [name, read(values)]));
  for (const loss of trace.losses) loss.target = read(loss.target);
  trace.byName = new Map(trace.layers.map((layer) => [layer.name, layer]));
  return trace;
})();

const valueOf = (name) => (TRACE.inputs.has(name) ? TRACE.inputs.get(name) : TRACE.byName.get(name).a);
const isDense = (layer) => layer.W !== null;
const readersOf = (name) =>
  TRACE.layers.flatMap((layer) =>
    layer.inputs.flatMap((input, slot) => (input === name ? [{ layer, slot, back: layer.dInputs[slot] || null }] : [])),
  );

// What adds up to dJ/da of a layer: [{ from, reader, values }].
function comesBack(layer) {
  const found = [];
  if (TRACE.outputs.has(layer.name)) found.push({ from: "fromLoss", values: TRACE.outputs.get(layer.name) });
  if (TRACE.penalties.has(layer.name)) found.push({ from: "fromPenalty", values: TRACE.penalties.get(layer.name) });
  for (const { layer: reader, back } of readersOf(layer.name)) {
    if (back) found.push({ from: "fromReader", reader, values: back });
  }
  return found;
}

// Every step: { pass, op, layer, result, ... }; `result` is the array that it computes.
const STEPS = (() => {
  const steps = [];
  const add = (pass, op, layer, result, more = {}) => steps.push({ pass, op, layer, result, ...more });
  for (const layer of TRACE.layers) {
    if (isDense(layer)) {
      add("forward", "z", layer, layer.z || layer.a);
      if (!layer.linear) add("forward", "a", layer, layer.a);
    } else if (layer.kind === "activation") {
      add("forward", "a", layer, layer.a);
    } else {
      add("forward", "operation", layer, layer.a);
    }
  }
  if (TRACE.loss !== null) {
    add("forward", "J", null, null);
    for (const layer of [...TRACE.layers].reverse()) {
      if (!layer.delta) continue;
      const parts = comesBack(layer);
      if (parts.length !== 1 || parts[0].from !== "fromReader") add("backward", "da", layer, layer.da, { parts });
      const bends = (isDense(layer) || layer.kind === "activation") && !layer.linear;
      if (bends) add("backward", "dz", layer, layer.delta, { parts });
      if (isDense(layer)) {
        if (layer.dW) add("backward", "dW", layer, layer.dW);
        if (layer.db) add("backward", "db", layer, layer.db);
      } else {
        for (const [parameter, values] of Object.entries(layer.gradients))
          add("backward", "dp", layer, values, { parameter });
      }
      layer.inputs.forEach((source, slot) => {
        const values = layer.dInputs[slot];
        if (values && TRACE.byName.has(source) && layer.kind !== "activation")
          add("backward", "back", layer, values, { source });
      });
    }
  }
  const counts = { forward: 0, backward: 0 };
  steps.forEach((step, at) => Object.assign(step, { at: at + 1, number: ++counts[step.pass] }));
  steps.forEach((step) => (step.count = counts[step.pass]));
  return steps;
})();

// The number of the step that computed something of a layer, 0 for what is given.
function stepOf(op, layer) {
  const step = STEPS.find((each) => each.op === op && each.layer === layer);
  return step ? step.at : 0;
}
const stepOfValue = (name) => {
  const layer = TRACE.byName.get(name);
  return layer ? stepOf("a", layer) || stepOf("z", layer) || stepOf("operation", layer) : 0;
};
const stepOfDelta = (layer) => stepOf("dz", layer) || stepOfDa(layer);
function stepOfDa(layer) {
  if (stepOf("da", layer)) return stepOf("da", layer);
  const step = STEPS.find((each) => each.op === "back" && each.source === layer.name);
  if (step) return step.at;
  const [reader] = readersOf(layer.name); // an activation passes back what is its own δ
  return reader ? stepOfDelta(reader.layer) : 0;
}

// The chain of one weight.

const MOST_PATHS = 4096;
const isPlain = (layer) => isDense(layer) && layer.a.shape.length === 2 && valueOf(layer.inputs[0]).shape.length === 2;

// What a layer's activation is followed by, if it is one Dense layer and nothing else.
function onlyReader(layer) {
  const parts = comesBack(layer);
  if (parts.length !== 1 || parts[0].from !== "fromReader") return null;
  return isPlain(parts[0].reader) ? parts[0].reader : null;
}

function countPaths(layer) {
  const reader = layer.linear || layer.slope ? onlyReader(layer) : null;
  return reader ? reader.a.columns * countPaths(reader) : 1;
}

// The factors of dJ/dz of a unit, one list for each path to J, those next to J first.
function pathsFrom(layer, sample, unit, expand) {
  const bent = layer.linear ? [] : [{ over: ["a", layer, unit], under: ["z", layer, unit], by: "bySlope" }];
  if (!layer.linear && !layer.slope) {
    return [[{ over: ["J"], under: ["z", layer, unit], by: "byDelta", value: layer.delta.at(sample, unit) }]];
  }
  for (const factor of bent) factor.value = layer.slope.at(sample, unit);
  const reader = expand ? onlyReader(layer) : null;
  if (!reader) {
    const onlyLoss = comesBack(layer).every(({ from }) => from === "fromLoss");
    const by = onlyLoss ? "byLoss" : "byReaders";
    return [[{ over: ["J"], under: ["a", layer, unit], by, value: layer.da.at(sample, unit) }, ...bent]];
  }
  const found = [];
  for (let next = 0; next < reader.a.columns; next++) {
    const weight = { over: ["z", reader, next], under: ["a", layer, unit], by: "byWeight", at: [unit, next] };
    weight.value = reader.W.at(unit, next);
    for (const path of pathsFrom(reader, sample, next, expand)) found.push([...path, weight, ...bent]);
  }
  return found;
}

// { paths: [{ factors, value }], total, share, gradient } of dJ/dW[j, k]; `share` is what the trace says of the sample.
function chainOf(layer, sample, j, k) {
  const read = valueOf(layer.inputs[0]);
  const last = { over: ["z", layer, k], under: ["W", layer, j, k], by: "byInput", value: read.at(sample, j) };
  const expand = countPaths(layer) <= MOST_PATHS;
  const paths = pathsFrom(layer, sample, k, expand).map((before) => {
    const factors = [...before, last];
    return { factors, value: factors.reduce((product, factor) => product * factor.value, 1) };
  });
  paths.sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
  const total = paths.reduce((sum, path) => sum + path.value, 0);
  const shares = Array.from({ length: read.rows }, (_, row) => read.at(row, j) * layer.delta.at(row, k));
  return { paths, total, shares, gradient: layer.dW.at(j, k) };
}
