// Charts as Vega-Lite specifications: data in, specification out. Colours are Okabe and Ito's.

const BLUE = "#0072b2", ORANGE = "#d55e00", GREEN = "#009e73";
const PALETTE = [BLUE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", ORANGE, "#8c8c8c", "#a08a00"];
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]];
const LAYER = "layer (emb = output of the embeddings)";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const isNarrow = () => innerWidth < 600;

function theme() {
  const text = colour("--text"), quiet = colour("--quiet"), line = colour("--line");
  const axis = { labelColor: text, titleColor: quiet, gridColor: line, domainColor: quiet, tickColor: quiet, titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 12 };
  return {
    background: null,
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis,
    legend: { labelColor: text, titleColor: quiet, labelFontSize: 12, labelLimit: 260, orient: "bottom", columns: isNarrow() ? 1 : 3, title: null, symbolOpacity: 1, symbolStrokeWidth: 2.5 },
    title: { color: text, fontSize: 13, anchor: "start" },
  };
}

// A symbol that says dashes or shape alone, in the colour of text.
const plainSymbol = () => ({ symbolFillColor: colour("--text"), symbolStrokeColor: colour("--text") });

async function draw(id, spec, description) {
  const place = document.getElementById(id);
  const whole = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", config: theme(), description, ...spec };
  return vegaEmbed(place, whole, { renderer: "svg", actions: false, tooltip: { theme: "custom" } });
}

function clear(id, message) {
  const place = document.getElementById(id);
  for (const name of ["role", "aria-roledescription", "aria-label"]) place.removeAttribute(name);
  place.replaceChildren(message);
}

const onLayers = (layers) => ({
  field: "layer", type: "ordinal", sort: layers, scale: { domain: layers }, axis: { labelAngle: 0 }, title: LAYER,
});
const number = (field, title, extra = {}) => ({
  field, type: "quantitative", title, scale: { zero: false, nice: true }, ...extra,
});

// Curves with bands, best layers ringed, floors as level lines. rows: {layer, value, low, high, series, mark}.
function curveChart({ layers, rows, floors, series, title }) {
  const color = {
    field: "series", type: "nominal", scale: { domain: series.map((one) => one.name), range: series.map((one) => one.color) },
    legend: { symbolType: "stroke" },
  };
  const dash = {
    field: "series", type: "nominal",
    scale: { domain: series.map((one) => one.name), range: series.map((one) => one.dash) },
    legend: { symbolType: "stroke" },
  };
  const tooltip = [
    { field: "series", title: "curve" }, { field: "layer" }, { field: "value", format: ".1f" },
    { field: "low", format: ".1f" }, { field: "high", format: ".1f" }, { field: "note" },
  ];
  const x = onLayers(layers), y = number("value", title);
  // Names of floors stand right of the plot where there is room.
  const side = isNarrow() ? { align: "right", baseline: "bottom", dy: -2 } : { align: "left", baseline: "middle", dx: 6 };
  const room = floors.length && !isNarrow() ? { padding: { left: 5, top: 5, bottom: 5, right: 140 } } : {};
  return {
    width: "container", height: 300, autosize: { type: "fit-x", contains: "padding" }, ...room,
    layer: [
      { data: { values: rows }, mark: { type: "area", opacity: 0.18 }, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color } },
      { data: { values: rows }, mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color, strokeDash: dash } },
      { data: { values: rows }, mark: { type: "point", filled: true, size: 45, opacity: 1 }, encoding: { x, y, color, tooltip } },
    ].concat(!rows.some((row) => row.isBest) ? [] : [
      { data: { values: rows.filter((row) => row.isBest) }, mark: { type: "point", size: 190, strokeWidth: 2.5, filled: false, opacity: 1 }, encoding: { x, y, color, tooltip } },
    ], !floors.length ? [] : [
      { data: { values: floors }, mark: { type: "rule", strokeDash: [5, 4], color: colour("--quiet") }, encoding: { y, tooltip: [{ field: "name", title: "floor" }, { field: "value", format: ".1f" }] } },
      { data: { values: floors }, mark: { type: "text", ...side, color: colour("--quiet"), fontSize: 11 }, encoding: { x: { value: "width" }, y, text: { field: "label" } } },
    ]),
  };
}

// Lines with bands: rows {x, name, value, low, high}; `places` in their order, numbers on a scale of their own.
function lineChart({ rows, places, isNumber, isLog, xTitle, yTitle, height = 220, dashes = false, names = null }) {
  const x = isNumber
    ? { field: "x", type: "quantitative", title: xTitle, scale: isLog ? { type: "log" } : { zero: false } }
    : { field: "x", type: "ordinal", sort: places, title: xTitle, axis: { labelAngle: places.some((one) => one.length > 4) ? -40 : 0 } };
  const y = number("value", yTitle);
  const shown = names ?? distinct(rows.map((row) => row.name));
  const scale = shown.length > PALETTE.length ? { domain: shown, scheme: "tableau20" } : { domain: shown, range: PALETTE };
  const color = { field: "name", type: "nominal", scale, ...(shown.length === 1 ? { legend: null } : {}) };
  const curves = distinct(rows.map((row) => row.curve));
  const dash = dashes && curves.length > 1
    ? { strokeDash: { field: "curve", type: "nominal", sort: curves, scale: { domain: curves, range: curves.map((_, n) => DASHES[n % 4]) }, legend: { symbolType: "stroke", ...plainSymbol() } } }
    : {};
  const tooltip = ["name", "curve", "x"].map((field) => ({ field })).concat(
    ["value", "low", "high"].map((field) => ({ field, format: ".4~g" })),
  );
  return {
    width: "container", height, autosize: { type: "fit-x", contains: "padding" }, data: { values: rows },
    layer: [
      { mark: { type: "area", opacity: 0.13 }, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color, detail: { field: "curve" } } },
      { mark: { type: "line", point: { size: 28 } }, encoding: { x, y, color, ...dash, detail: { field: "curve" }, tooltip } },
    ],
  };
}

// Level lines with their names at the right end; floors of all curves that are equal stand there once.
function floorLayers(floors) {
  const values = floors.filter((one, place) => floors.findIndex((other) => other.name === one.name && other.value === one.value) === place)
    .map((one) => ({ ...one, label: `${one.name.replaceAll("_", " ")} ${Number(one.value.toPrecision(4))}` }));
  const y = { field: "value", type: "quantitative" };
  return [
    { data: { values }, mark: { type: "rule", strokeDash: [5, 4], color: colour("--quiet") }, encoding: { y, tooltip: [{ field: "name", title: "floor" }, { field: "curve" }, { field: "value", format: ".4~g" }] } },
    { data: { values }, mark: { type: "text", align: "right", baseline: "bottom", dy: -2, fontSize: 11, color: colour("--quiet") }, encoding: { x: { value: "width" }, y, text: { field: "label" } } },
  ];
}

// Names below each other, a dot with its interval for each line.
function dotChart({ rows, places, yTitle }) {
  const y = { field: "x", type: "nominal", sort: places, title: null, axis: { labelLimit: 220 } };
  const x = number("value", yTitle);
  const names = distinct(rows.map((row) => row.name));
  const color = { field: "name", type: "nominal", scale: { domain: names, range: PALETTE } };
  const shape = { field: "curve", type: "nominal", sort: null, legend: plainSymbol() };
  const tooltip = ["x", "name", "curve", "value", "low", "high"].map((field) => ({ field }));
  return {
    width: "container", height: 40 + 16 * places.length, autosize: { type: "fit-x", contains: "padding" }, data: { values: rows },
    layer: [
      { mark: { type: "rule", opacity: 0.5 }, encoding: { y, x: { ...x, field: "low" }, x2: { field: "high" }, color } },
      { mark: { type: "point", filled: true, size: 40 }, encoding: { y, x, color, shape, tooltip } },
    ],
  };
}

// Share of each label's examples that were taken for each label.
function confusionChart({ rows, labels }) {
  const step = labels.length > 25 ? 15 : 24, size = { step };
  const axis = { labelLimit: 110, labelOverlap: false, labelFontSize: labels.length > 25 ? 10 : 12 };
  return {
    width: size, height: size, data: { values: rows },
    mark: { type: "rect" },
    encoding: {
      x: { field: "predicted", type: "nominal", sort: labels, title: "predicted", axis: { ...axis, orient: "top", labelAngle: -60 } },
      y: { field: "label", type: "nominal", sort: labels, title: "label", axis },
      color: { field: "share", type: "quantitative", scale: { scheme: "viridis", type: "sqrt", domain: [0, 1] }, legend: { title: "share of the label", format: ".0%", orient: "bottom", gradientLength: 180 } },
      tooltip: [{ field: "label" }, { field: "predicted" }, { field: "count" }, { field: "share", format: ".1%" }],
    },
  };
}
