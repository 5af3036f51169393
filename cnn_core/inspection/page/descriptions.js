// What every step is made of: for each operation the formula, its terms, and the arrays that it reads.

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
      formula: [
        symbol("z", layer.name),
        " = ",
        symbol("a", source),
        " · ",
        symbol("W", layer.name),
        ...(layer.b ? [" + ", symbol("b", layer.name)] : []),
      ],
      terms,
      shapes: [[read, " · ", layer.W, ...(layer.b ? [" + ", layer.b] : [])]],
      operands: [
        {
          name: symbol("a", source),
          values: read,
          from: origin(stepOfValue(source), "input"),
          around: [row, 0],
          lit: (i) => i === row,
        },
        {
          name: symbol("W", layer.name),
          values: layer.W,
          from: say("parameter"),
          around: [0, column],
          lit: (_, k) => k === column,
        },
        ...(layer.b
          ? [
              {
                name: symbol("b", layer.name),
                values: layer.b,
                from: say("parameter"),
                around: [0, column],
                lit: (_, k) => k === column,
              },
            ]
          : []),
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
      numbers: rowWise
        ? [`${g}(`, symbol("z", layer.name, [row, ":"]), `)[${column}]`]
        : [`${g}(`, number(before.at(row, column)), ")"],
      shapes: [[before]],
      operands: [
        {
          name: symbol("z", layer.name),
          values: before,
          from: origin(from, "input"),
          around: [row, column],
          lit: (i, k) => i === row && (rowWise || k === column),
        },
      ],
      why: say(rowWise ? "aRowWhy" : "aWhy", { g }),
    };
  },

  operation({ layer }) {
    const given = Object.entries(layer.parameters).map(([name, values]) => ({
      name: symbol(name, layer.name),
      values,
      from: say("parameter"),
    }));
    return {
      name: symbol("a", layer.name),
      formula: [
        symbol("a", layer.name),
        ` = ${layer.kind}(`,
        ...layer.inputs.flatMap((source, at) => [at ? ", " : "", symbol("a", source)]),
        ")",
      ],
      shapes: [layer.inputs.flatMap((source, at) => [at ? ", " : "", valueOf(source)])],
      operands: [
        ...layer.inputs.map((source) => ({
          name: symbol("a", source),
          values: valueOf(source),
          from: origin(stepOfValue(source), "input"),
        })),
        ...given,
      ],
      why: say("operationWhy", { kind: layer.kind, inputs: layer.inputs.join(", ") }),
    };
  },

  J() {
    const rest = TRACE.loss - TRACE.losses.reduce((sum, loss) => sum + loss.value, 0);
    const isSmall = Math.abs(rest) <= 1e-6 * Math.abs(TRACE.loss);
    const parts = [
      ...TRACE.losses.map((loss) => [loss.name, loss.value]),
      ...(isSmall ? [] : [[say("penalties"), rest]]),
    ];
    return {
      name: symbol("J"),
      formula: [
        symbol("J"),
        " = ",
        ...TRACE.losses.flatMap((loss, at) => [
          at ? " + " : "",
          `${loss.name}(`,
          symbol("a", loss.output),
          ", ",
          symbol("y"),
          ")",
        ]),
        ...(isSmall ? [] : [` + ${say("penalties")}`]),
      ],
      numbers: parts.flatMap(([, value], at) => [at ? " + " : "", number(value)]),
      total: TRACE.loss,
      shapes: [],
      operands: TRACE.losses.flatMap((loss) => [
        {
          name: symbol("a", loss.output),
          values: valueOf(loss.output),
          from: origin(stepOfValue(loss.output), "input"),
        },
        { name: symbol("y"), values: loss.target, from: say("target") },
      ]),
      why: say("JWhy"),
    };
  },

  da({ layer, parts }, [row, column]) {
    const losses = TRACE.losses.filter(({ output }) => output === layer.name).map((loss) => `∂ ${loss.name} / ∂a`);
    const partName = ({ from, reader }) =>
      from === "fromLoss" ? losses.join(" + ") : say(from, { layer: reader ? reader.name : "" });
    return {
      name: symbol("da", layer.name),
      formula: [
        symbol("da", layer.name),
        " = ",
        ...parts.flatMap((part, at) => [at ? " + " : "", element("span", { class: "words" }, partName(part))]),
      ],
      terms: parts.length > 1 ? parts.map(({ values }) => [values.at(row, column)]) : [],
      shapes: [],
      like: ["da", "a"],
      operands:
        parts.length > 1
          ? parts.map((part) => ({
              name: partName(part),
              values: part.values,
              from: part.reader ? origin(stepOfBack(part.reader, layer.name), "input") : "",
              around: [row, column],
              lit: (i, k) => i === row && k === column,
            }))
          : [
              {
                name: symbol("a", layer.name),
                values: layer.a,
                from: origin(stepOfValue(layer.name), "input"),
                around: [row, column],
                lit: (i, k) => i === row && k === column,
              },
              ...targetsOf(layer),
            ],
      why: say(parts.every(({ from }) => from === "fromLoss") ? "daLossWhy" : "daWhy"),
    };
  },

  dz({ layer, parts }, [row, column]) {
    const g = layer.activation;
    const z = layer.z || valueOf(layer.inputs[0]);
    const lit = (i, k) => i === row && (layer.slope === null || k === column);
    const da = {
      name: symbol("da", layer.name),
      values: layer.da,
      from: origin(stepOfDa(layer), "input"),
      around: [row, column],
      lit,
    };
    const cached = {
      name: symbol("z", layer.name),
      values: z,
      from: say("cached", { step: stepOf("z", layer) || stepOfValue(layer.inputs[0]) }),
      around: [row, column],
      lit,
    };
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
      operands: [
        da,
        cached,
        { name: [`${g}′(`, symbol("z", layer.name), ")"], values: layer.slope, from: "", around: [row, column], lit },
      ],
      why: say("dzWhy", { g }),
    };
  },

  dW({ layer }, [row, column]) {
    const [source] = layer.inputs;
    const read = valueOf(source);
    return {
      name: symbol("dW", layer.name),
      formula: [
        symbol("dW", layer.name),
        " = ",
        symbol("a", source),
        element("sup", {}, "T"),
        " · ",
        symbol("δ", layer.name),
      ],
      terms: Array.from({ length: read.rows }, (_, i) => [read.at(i, row), layer.delta.at(i, column)]),
      isShare: true,
      shapes: [[read, element("sup", {}, "T"), " · ", layer.delta]],
      like: ["dW", "W"],
      operands: [
        {
          name: symbol("a", source),
          values: read,
          from: origin(stepOfValue(source), "input"),
          around: [0, row],
          lit: (_, j) => j === row,
        },
        {
          name: symbol("δ", layer.name),
          values: layer.delta,
          from: origin(stepOfDelta(layer), "input"),
          around: [0, column],
          lit: (_, k) => k === column,
        },
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
      operands: [
        {
          name: symbol("δ", layer.name),
          values: layer.delta,
          from: origin(stepOfDelta(layer), "input"),
          around: [0, column],
          lit: (_, k) => k === column,
        },
      ],
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
      formula: [
        name.cloneNode(true),
        readersOf(source).length > 1 ? " ← " : " = ",
        symbol("δ", layer.name),
        " · ",
        symbol("W", layer.name),
        element("sup", {}, "T"),
      ],
      terms: Array.from({ length: layer.W.columns }, (_, k) => [layer.delta.at(row, k), layer.W.at(column, k)]),
      shapes: [[layer.delta, " · ", layer.W, element("sup", {}, "T")]],
      like: [`da ${source}`, `a ${source}`],
      operands: [
        {
          name: symbol("δ", layer.name),
          values: layer.delta,
          from: origin(stepOfDelta(layer), "input"),
          around: [row, 0],
          lit: (i) => i === row,
        },
        {
          name: symbol("W", layer.name),
          values: layer.W,
          from: say("parameter"),
          around: [column, 0],
          lit: (j) => j === column,
        },
      ],
      why: say("backWhy"),
    };
  },
};

const stepOfBack = (reader, source) =>
  (
    STEPS.find((each) => each.op === "back" && each.layer === reader && each.source === source) || {
      at: stepOfDelta(reader),
    }
  ).at;
const targetsOf = (layer) =>
  TRACE.losses
    .filter(({ output }) => output === layer.name)
    .map((loss) => ({ name: symbol("y"), values: loss.target, from: say("target") }));
