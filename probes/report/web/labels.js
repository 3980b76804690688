// The labels of one curve, and the difference of two.

function refillLayers() {
  const run = data.curves[chosen("run")];
  fill("layer", run.layers.map((name, layer) => [layer, name]));
  element("layer").value = run.best;
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
