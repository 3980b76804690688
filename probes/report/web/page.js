// The page: choices, and what is drawn when one changes.

const element = (id) => document.getElementById(id);
const chosen = (id) => element(id).value;

function fill(id, options, keep = true) {
  const place = element(id), before = place.value;
  place.replaceChildren(
    ...options.map(([value, text]) => Object.assign(document.createElement("option"), { value, textContent: text })),
  );
  if (keep && options.some(([value]) => String(value) === before)) place.value = before;
}

function fillGrouped(id, entries) {
  const place = element(id);
  for (const group of distinct(entries.map((one) => one.group))) {
    const box = Object.assign(document.createElement("optgroup"), { label: group });
    for (const { value, text } of entries.filter((one) => one.group === group))
      box.append(Object.assign(document.createElement("option"), { value, textContent: text }));
    place.append(box);
  }
}

// A table; its first column names the rows.
function tableOf(header, rows, caption, onSort = null, sorted = null) {
  const table = document.createElement("table");
  table.append(Object.assign(document.createElement("caption"), { textContent: caption, hidden: true }));
  const head = table.createTHead().insertRow();
  header.forEach((name, column) => {
    const cell = Object.assign(document.createElement("th"), { scope: "col" });
    if (onSort) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
      button.addEventListener("click", () => onSort(column));
      cell.setAttribute("aria-sort", sorted?.column === column ? (sorted.isUp ? "ascending" : "descending") : "none");
      cell.append(button);
    } else cell.textContent = name;
    head.append(cell);
  });
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value, column) => {
      const cell = column === 0 ? Object.assign(document.createElement("th"), { scope: "row" }) : line.insertCell();
      cell.append(value instanceof Node ? value : String(value ?? ""));
      if (typeof value === "string" && Number.isNaN(parseFloat(value))) cell.classList.add("text");
      if (column === 0) line.append(cell);
    });
  }
  return table;
}

function start(data) {
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

  function refillLayers() {
    const run = data.curves[chosen("run")];
    fill("layer", run.layers.map((name, layer) => [layer, name]));
    element("layer").value = run.best;
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

  function drawLabels() {
    const run = data.curves[chosen("run")], layer = Number(chosen("layer")), labels = run.confusion.labels;
    if (!labels.length) {
      for (const id of ["confusion-chart", "class-chart"]) clear(id, run.confusion.why);
      for (const id of ["confusion-caption", "class-caption"]) element(id).textContent = "";
    } else {
      const counts = confusionOf(run, layer), total = counts.map((row) => row.reduce((a, b) => a + b, 0));
      const order = labels.map((_, place) => place).sort((a, b) => total[b] - total[a]);
      const rows = order.flatMap((label) =>
        order.map((predicted) => ({
          label: labels[label], predicted: labels[predicted], count: counts[label][predicted],
          share: total[label] ? counts[label][predicted] / total[label] : 0,
        })),
      );
      const named = order.map((place) => labels[place]);
      draw("confusion-chart", confusionChart({ rows, labels: named }), `Confusion matrix of ${run.task} at layer ${run.layers[layer]}`);
      const wrong = rows.filter((row) => row.label !== row.predicted).sort((a, b) => b.count - a.count).slice(0, 3);
      element("confusion-caption").textContent = `Layer ${run.layers[layer]} on test. Most frequent mistakes: ` +
        wrong.map((row) => `${row.label} taken for ${row.predicted} (${row.count})`).join(", ") + ".";
      drawClasses(run, layer, named);
    }
    drawCounts(run);
  }

  function drawClasses(run, layer, named) {
    const scores = labelScores(run);
    const at = (label) => scores.find((row) => row.layer === layer && row.label === label);
    const present = named.filter((label) => at(label).support > 0);
    const kind = chosen("labels-shown");
    const shown = kind === "all" ? present
      : kind === "hardest" ? [...present].sort((a, b) => at(a).f1 - at(b).f1).slice(0, 8) : present.slice(0, 8);
    const rows = scores.filter((row) => shown.includes(row.label) && row.f1 !== null).map((row) => ({
      x: run.layers[row.layer], name: row.label, curve: run.twin, value: 100 * row.f1, low: 100 * row.f1, high: 100 * row.f1,
    }));
    draw("class-chart", lineChart({ rows, places: run.layers, xTitle: LAYER, yTitle: "F1 of a label, per cent", names: shown }), `F1 of labels of ${run.task} by layer`);
    element("class-caption").textContent = `F1 of ${shown.length} of ${present.length} labels that occur in test.`;
  }

  function drawCounts(run) {
    const rows = run.rows.filter((row) => row.variant === "task" && row.subset.startsWith("count:") && row.split === "test" && row.metric === "accuracy" && row.layer !== null && row.value !== null)
      .map((row) => ({ x: run.layers[row.layer], name: `${row.subset.slice(6)} times in train`, curve: run.twin, value: 100 * row.value, low: 100 * (row.low ?? row.value), high: 100 * (row.high ?? row.value) }));
    element("count-chart").parentElement.hidden = !rows.length;
    if (!rows.length) return;
    draw("count-chart", lineChart({ rows, places: run.layers, xTitle: LAYER, yTitle: "accuracy, per cent", height: 180 }), `Accuracy of ${run.task} by how often the word type stands in train`);
    element("count-caption").textContent = "Accuracy by how often the word type stands in train.";
  }

  function drawDifference() {
    const [first, second] = ["first", "second"].map((id) => Number(chosen(id)));
    const one = data.curves[first], other = data.curves[second], found = differenceOf(data, first, second);
    element("difference-values").replaceChildren();
    if (!found) {
      clear("difference-chart", "");
      element("difference-caption").textContent = first === second ? "Choose two different curves."
        : "No paired difference of these two: it needs the outcomes of both runs, over the same examples (run the experiment here).";
      return;
    }
    const rows = found.value.map((value, layer) => ({ x: one.layers[layer], name: "difference", curve: "", value: 100 * value, low: 100 * found.low[layer], high: 100 * found.high[layer] }));
    const chart = lineChart({ rows, places: one.layers, xTitle: LAYER, yTitle: "difference, points of accuracy" });
    chart.layer.unshift({ data: { values: [{ zero: 0 }] }, mark: { type: "rule", color: colour("--quiet") }, encoding: { y: { field: "zero", type: "quantitative" } } });
    draw("difference-chart", chart, `${titleOf(one)} minus ${titleOf(other)}, by layer`);
    const layers = one.layers.filter((_, layer) => found.p[layer] < 0.05);
    element("difference-caption").textContent = `${one.task}: ${titleOf(one)} minus ${titleOf(other)} on the same test examples, with 95 % intervals that resample groups. ` +
      (layers.length ? `Sign-flip permutation with max-T over layers tells them apart (p < .05) at ${layers.join(", ")}.` : "No layer tells them apart (p < .05, sign flips, max-T).");
    const sign = (value) => (value >= 0 ? "+" : "−") + Math.abs(100 * value).toFixed(2);
    element("difference-values").replaceChildren(
      tableOf(["layer", "difference", "low", "high", "p (max-T)"], rows.map((row, layer) => [row.x, sign(found.value[layer]), sign(found.low[layer]), sign(found.high[layer]), found.p[layer].toFixed(4)]), "Differences"),
    );
  }

  function drawMethods() {
    element("methods").hidden = !data.studies.length;
    if (!data.studies.length) return;
    const study = data.studies[chosen("analysis")];
    element("analysis-asked").textContent = study.asked;
    element("panels").replaceChildren(
      ...study.panels.map((panel, place) => {
        const figure = document.createElement("figure");
        const chart = Object.assign(document.createElement("div"), { id: `panel-${place}`, className: "chart" });
        figure.append(Object.assign(document.createElement("figcaption"), { textContent: panel.title }), chart);
        return figure;
      }),
    );
    study.panels.forEach((panel, place) => {
      const rows = panel.lines.flatMap((line) => line.points.map(([x, value, low, high]) => ({ x: panel.isNumber ? panel.values[x] : panel.places[x], name: line.name, curve: line.curve, value, low: low ?? value, high: high ?? value })));
      const spec = panel.isNamed
        ? dotChart({ rows, places: panel.places, yTitle: panel.metric })
        : lineChart({ rows, places: panel.places, isNumber: panel.isNumber, isLog: panel.isLog, xTitle: panel.x, yTitle: panel.metric, dashes: true });
      if (panel.floors.length && !panel.isNamed) spec.layer.push(...floorLayers(panel.floors));
      draw(`panel-${place}`, spec, `${panel.title}, by ${panel.x}`);
    });
    element("notes").replaceChildren(...study.notes.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
  }

  const HEADER = ["experiment", "task", "encoder", "twin", "variant", "draw", "layer", "split", "subset", "metric", "at", "value", "low", "high", "n", "groups", "detectable", "run"];
  let sorted = null;

  function tableRows() {
    const runs = chosen("scope") === "question" ? runsOf(question())
      : chosen("scope") === "analysis" ? (data.studies[chosen("analysis")]?.analyses ?? []).map((place) => data.analyses[place])
      : [...data.curves, ...data.analyses];
    const words = chosen("search").toLowerCase().split(/\s+/).filter(Boolean);
    const rows = runs.flatMap((run) => run.rows.map((row) => [
      run.experiment, run.task, run.encoder, run.twin, row.variant, row.draw, row.layer === null ? null : run.layers[row.layer],
      row.split, row.subset, row.metric, row.at ?? "", row.value, row.low, row.high, row.n, row.groups, row.detectable, run.id.slice(0, 6),
    ]));
    const kept = rows.filter((row) => {
      const text = row.slice(0, 11).concat(row[17]).join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    if (sorted) {
      const { column, isUp } = sorted;
      kept.sort((a, b) => {
        const [one, other] = [a[column], b[column]];
        if (one === null || other === null) return (one === null) - (other === null);
        return (isUp ? 1 : -1) * (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true }));
      });
    }
    return kept;
  }

  function drawRows() {
    const rows = tableRows(), most = 200;
    element("found").textContent = `${rows.length} rows${rows.length > most ? `, of which the first ${most} are shown; the download has all` : ""}.`;
    const short = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value);
    const sort = (column) => {
      sorted = { column, isUp: sorted?.column === column ? !sorted.isUp : true };
      drawRows();
      element("rows").querySelectorAll("thead button")[column].focus();
    };
    element("rows").replaceChildren(tableOf(HEADER, rows.slice(0, most).map((row) => row.map(short)), "Scores", sort, sorted));
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([toCsv(HEADER, tableRows())], { type: "text/csv" }));
    link.download = "scores.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function drawSources() {
    const header = ["run", "curve", "experiment", "package", "commit", "encoder", "corpus", "cache", "device", "seconds"];
    const runs = runsOf(question());
    const line = (run) => [run.id, titleOf(run), run.experiment, run.package, run.commit, run.fingerprints.encoder.slice(0, 12), run.fingerprints.corpus.slice(0, 12), run.fingerprints.cache.slice(0, 12), run.device, run.seconds];
    const box = Object.assign(document.createElement("div"), { className: "scroll" });
    box.append(tableOf(header, runs.map(line), "Runs"));
    const configs = runs.map((run) => {
      const details = document.createElement("details");
      details.append(Object.assign(document.createElement("summary"), { textContent: `Settings of ${run.id.slice(0, 6)}, ${titleOf(run)}` }));
      details.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(run.config, null, 1), tabIndex: 0 }));
      return details;
    });
    element("sources").replaceChildren(box, ...configs);
  }

  function drawQuestion() {
    drawCurves();
    drawLabels();
    drawDifference();
    drawRows();
    drawSources();
    history.replaceState(null, "", `#task=${encodeURIComponent(data.questions[question()].key)}`);
  }

  function drawAll() {
    drawQuestion();
    drawHeat();
    drawMethods();
  }

  fillGrouped("question", data.questions.map((one, value) => ({ group: one.experiment, value, text: one.name })));
  const asked = decodeURIComponent(location.hash.replace("#task=", ""));
  const place = data.questions.findIndex((one) => one.key === asked);
  element("question").value = place >= 0 ? place : data.first;
  fill("heat-encoder", distinct(data.curves.map(titleOf)).map((name) => [name, name]));
  fillGrouped("analysis", data.studies.map((one, value) => ({ group: one.method, value, text: `${one.experiment}: ${one.name}` })));
  element("about").textContent = data.about;
  refillCurves();
  drawAll();

  const on = (ids, act, kind = "change") => ids.forEach((id) => element(id).addEventListener(kind, act));
  on(["question"], () => { refillCurves(); drawQuestion(); });
  on(["encoder", "metric", "split"], () => { refillCurves(); drawCurves(); drawLabels(); });
  on(["subset", "control", "show-twins", "show-floors"], drawCurves);
  on(["heat-encoder"], drawHeat);
  on(["run"], () => { refillLayers(); drawLabels(); });
  on(["layer", "labels-shown"], drawLabels);
  on(["first", "second"], drawDifference);
  on(["analysis"], () => { drawMethods(); drawRows(); });
  on(["scope"], drawRows);
  on(["search"], drawRows, "input");
  on(["download"], download, "click");
  document.querySelectorAll("form").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

unpack(element("data").textContent).then(start).catch((error) => {
  console.error(error);
  const box = Object.assign(document.createElement("p"), { className: "error", textContent: `The results in this page cannot be shown: ${error.message}` });
  document.querySelector("main").prepend(box);
});
