// The page as a whole: what is drawn when a choice changes.

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

function start(found) {
  data = found;
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
