// Elements of the page, and what is shown of the results.

let data = null; // everything that the page knows, once it is unpacked

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
  table.append(Object.assign(document.createElement("caption"), { textContent: caption, className: "unseen" }));
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
