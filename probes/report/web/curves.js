// Curves: of the chosen task, their selectivity, and all tasks side by side.

const runsOf = (question) => data.questions[question].curves.map((place) => data.curves[place]);

const question = () => Number(chosen("question"));

const isTwin = (run) => run.twin !== "pretrained";

const main = () => {
  const runs = runsOf(question()).filter((run) => run.encoder === chosen("encoder"));
  return runs.find((run) => !isTwin(run)) ?? runs[0];
};

function seriesOf(run) {
  return { name: run.twin, color: isTwin(run) ? ORANGE : BLUE, dash: isTwin(run) ? [6, 3] : [1, 0] };
}

function pointsOf(run, rows, series, isTask) {
  return rows.map((row) => ({
    at: row.layer,
    layer: run.layers[row.layer],
    value: 100 * row.value,
    low: 100 * (row.low ?? row.value),
    high: 100 * (row.high ?? row.value),
    series,
    isBest: isTask && row.layer === run.best,
    note: !isTask ? "" : row.layer === run.best ? "best on dev" : run.mayBeBest.includes(row.layer) ? "not excluded as the best" : "",
  }));
}

function refillCurves() {
  const runs = runsOf(question()), encoders = distinct(runs.map((run) => run.encoder));
  fill("encoder", encoders.map((name) => [name, name]));
  const rows = main().rows.filter((row) => row.layer !== null && row.variant === "task");
  fill("metric", distinct(rows.map((row) => row.metric)).map((name) => [name, name]));
  const splits = distinct(rows.filter((row) => row.metric === chosen("metric")).map((row) => row.split));
  fill("split", splits.sort((a, b) => (b === "test") - (a === "test")).map((name) => [name, name]));
  const subsets = rows.filter((row) => row.split === chosen("split") && row.metric === chosen("metric"));
  fill("subset", distinct(subsets.map((row) => row.subset)).map((name) => [name, name]));
  fill("control", [...main().controls.map((name) => [name, name]), ["none", "none"]]);
  element("asked").textContent = data.questions[question()].asked;
  fill("run", runs.map((run) => [data.curves.indexOf(run), titleOf(run)]));
  for (const [id, place] of [["first", 0], ["second", 1]]) {
    fill(id, runs.map((run) => [data.curves.indexOf(run), titleOf(run)]), false);
    if (runs[place]) element(id).value = data.curves.indexOf(runs[place]);
  }
  refillLayers();
}

function drawCurves() {
  const shown = runsOf(question()).filter(
    (run) => run === main() || (run.encoder === main().encoder && isTwin(run) && element("show-twins").checked),
  );
  const where = { metric: chosen("metric"), split: chosen("split"), subset: chosen("subset") };
  const series = [], rows = [];
  const add = (run, variant, one) => {
    const found = select(run, { ...where, variant }).filter((row) => row.layer !== null && row.value !== null);
    if (!found.length) return;
    series.push(one);
    rows.push(...pointsOf(run, found, one.name, variant === "task" && run === main()));
  };
  for (const run of shown) add(run, "task", seriesOf(run));
  const control = chosen("control");
  if (control !== "none") add(main(), control, { name: `control ${control}`, color: GREEN, dash: [2, 2] });
  const floors = element("show-floors").checked
    ? select(main(), { ...where, layer: null }).filter((row) => row.value !== null)
        .filter((row) => !main().controls.some((name) => row.variant.startsWith(`${name}_`)))
        .map((row) => ({ name: row.variant, value: 100 * row.value, label: `${row.variant.replaceAll("_", " ")} ${percent(row.value)}` }))
    : [];
  const layers = main().layers, title = `${where.metric}, per cent of ${where.split}`;
  const best = select(main(), { ...where, variant: "task", layer: main().best })[0];
  const told = best ? `${main().task}: layer ${layers[main().best]}, chosen on dev, has ${percent(best.value)}${interval(best)} per cent.` : "";
  draw("curve-chart", curveChart({ layers, rows, floors, series, title }), `${title} by layer. ${told}`);
  const others = main().mayBeBest.filter((layer) => layer !== main().best).map((layer) => layers[layer]);
  element("curve-caption").textContent =
    `${told} Bands are 95 % intervals that resample ${best?.groups ?? "–"} groups of ${best?.n ?? "–"} examples; the ring is the layer that dev chose. ` +
    (others.length ? `Not excluded as the best on test: ${others.join(", ")}.` : "No other layer may be the best on test.") +
    (best?.detectable ? ` Differences below ${percent(best.detectable)} points to it are not detectable here.` : "");
  const named = distinct(rows.map((row) => row.series));
  const cell = (layer, name) => rows.find((row) => row.layer === layer && row.series === name);
  const text = (row) => (row ? `${row.value.toFixed(1)} [${row.low.toFixed(1)}, ${row.high.toFixed(1)}]` : "–");
  element("curve-values").replaceChildren(
    tableOf(["layer", ...named], layers.map((layer) => [layer, ...named.map((name) => text(cell(layer, name)))]), title),
  );
  drawSelectivity(where, layers);
}

function drawSelectivity(where, layers) {
  const control = chosen("control"), run = main();
  const variant = control === "word_type" ? "selectivity" : `selectivity.${control}`;
  const parts = distinct(run.rows.filter((row) => row.variant === variant && row.metric === where.metric && row.split === where.split).map((row) => row.subset));
  const shown = parts.filter((name) => name === "all" || name.startsWith("count:"));
  element("selectivity-figure").hidden = !shown.length;
  if (!shown.length) return;
  const rows = shown.flatMap((subset) =>
    select(run, { variant, metric: where.metric, split: where.split, subset }).map((row) => ({
      x: layers[row.layer], name: subset === "all" ? "all" : `${subset.slice(6)} times in train`, curve: run.twin,
      value: 100 * row.value, low: 100 * (row.low ?? row.value), high: 100 * (row.high ?? row.value),
    })),
  );
  draw("selectivity-chart", lineChart({ rows, places: layers, xTitle: LAYER, yTitle: "selectivity, points", height: 180 }), `Selectivity against ${control} by layer`);
  element("selectivity-caption").textContent = `Selectivity: accuracy minus that of the control ${control}` +
    (shown.length > 1 ? ", by how often the word type stands in train." : ".");
}

function drawHeat() {
  const title = chosen("heat-encoder"), rows = [];
  data.questions.forEach((one, place) => {
    const run = runsOf(place).find((run) => titleOf(run) === title);
    if (run) rows.push([place, run]);
  });
  const longest = rows.map(([, run]) => run.layers).reduce((a, b) => (b.length > a.length ? b : a), []);
  const lines = rows.map(([place, run]) => {
    const scores = select(run, { variant: "task", split: "test", subset: "all", metric: "accuracy" });
    const values = scores.map((row) => row.value), low = Math.min(...values), high = Math.max(...values);
    const cells = run.layers.map((name, layer) => {
      const score = scores.find((row) => row.layer === layer);
      if (!score) return "–";
      const share = high > low ? (100 * (score.value - low)) / (high - low) : 0;
      const mark = layer === run.best ? "● " : run.mayBeBest.includes(layer) ? "○ " : "";
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: mark + percent(score.value) });
      button.style.setProperty("--share", Math.round(share));
      button.classList.toggle("best", layer === run.best);
      button.setAttribute("aria-label", `${run.task}, layer ${name}: ${percent(score.value)} per cent${mark.startsWith("●") ? ", best on dev" : mark ? ", not excluded as the best" : ""}`);
      button.addEventListener("click", () => open(place, run, layer));
      return button;
    });
    return [`${data.questions[place].name} (${data.questions[place].experiment})`, ...cells];
  });
  element("heat").replaceChildren(tableOf(["task", ...longest], lines, "Accuracy on test by task and layer"));
}

function open(place, run, layer) {
  element("question").value = place;
  refillCurves();
  element("run").value = data.curves.indexOf(run);
  refillLayers();
  element("layer").value = layer;
  drawQuestion();
  element("curves").scrollIntoView();
}
