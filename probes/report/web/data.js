// What the page knows: the embedded results, unpacked, and questions put to them.

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  for (const run of [...data.curves, ...data.analyses]) run.rows = unpackRows(run.rows);
  return data;
}

// Columns of numbers, or of places in a list of names, become one object a row.
function unpackRows({ length, columns }) {
  const names = Object.keys(columns);
  return Array.from({ length }, (_, row) =>
    Object.fromEntries(
      names.map((name) => {
        const { names: known, values } = columns[name];
        return [name, known ? known[values[row]] : values[row]];
      }),
    ),
  );
}

// Rows with these fields; those of single control draws only where a draw is asked for.
function select(run, fields) {
  const wanted = Object.entries({ draw: null, ...fields });
  return run.rows.filter((row) => wanted.every(([name, value]) => row[name] === value));
}

const distinct = (values) => [...new Set(values)];
const percent = (value) => (value === null || value === undefined ? "–" : (100 * value).toFixed(1));
const interval = (row) => (row.low === null ? "" : ` [${percent(row.low)}, ${percent(row.high)}]`);

function titleOf(run) {
  return `${run.encoder}, ${run.twin}`;
}

// How often each label was taken for each other one at a layer: full matrices, written as [label, predicted, count].
function confusionOf(run, layer) {
  const size = run.confusion.labels.length;
  const counts = Array.from({ length: size }, () => new Array(size).fill(0));
  for (const [label, predicted, count] of run.confusion.layers[layer] ?? []) counts[label][predicted] = count;
  return counts;
}

// Precision, recall and F1 of each label at each layer.
function labelScores(run) {
  const layers = Object.keys(run.confusion.layers).map(Number);
  return layers.flatMap((layer) => {
    const counts = confusionOf(run, layer);
    return run.confusion.labels.map((label, place) => {
      const support = counts[place].reduce((a, b) => a + b, 0);
      const taken = counts.reduce((sum, row) => sum + row[place], 0);
      const right = counts[place][place];
      return {
        layer,
        label,
        support,
        recall: support ? right / support : null,
        precision: taken ? right / taken : null,
        f1: support + taken ? (2 * right) / (support + taken) : null,
      };
    });
  });
}

// The paired difference of two curves, whichever of the two was written first.
function differenceOf(data, first, second) {
  const found = data.differences.find((one) => one.first === first && one.second === second);
  if (found) return found;
  const other = data.differences.find((one) => one.first === second && one.second === first);
  if (!other) return null;
  const turn = (values) => values.map((value) => -value);
  return { first, second, value: turn(other.value), low: turn(other.high), high: turn(other.low), p: other.p };
}

function toCsv(header, rows) {
  const quote = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows].map((row) => row.map(quote).join(",")).join("\n") + "\n";
}
