// What methods found, every number as a table, and where numbers come from.

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
    const rows = panel.lines.flatMap((line) => line.points.map(([x, value, low, high]) => ({ x: panel.values.length ? panel.values[x] : panel.places[x], name: line.name, curve: line.curve, value, low: low ?? value, high: high ?? value })));
    const spec = panel.axis === "names"
      ? dotChart({ rows, places: panel.places, yTitle: panel.metric })
      : lineChart({ rows, places: panel.places, isNumber: panel.values.length > 0, isLog: panel.axis === "logarithm", xTitle: panel.x, yTitle: panel.metric, dashes: true });
    if (panel.floors.length && panel.axis !== "names") spec.layer.push(...floorLayers(panel.floors));
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
