"""`results/index.html`: all results in one file that opens without a network."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from probes.report.payload import PairedDifference, describe_results, pack
from probes.result import Analysis, Record

PARTS = files("probes.report") / "web"
SCRIPTS = ("data.js", "chart.js", "view.js", "curves.js", "labels.js", "numbers.js", "page.js")


def write_page(
    records: Sequence[Record],
    analyses: Sequence[Analysis],
    differences: Sequence[PairedDifference],
    path: Path,
) -> Path:
    """Write the page over all curves and analyses; the same results give the same bytes.

    Curves are drawn by Vega-Lite, whose code is inside the file.
    """
    parts = {
        "style": _read("page.css"),
        "library": _plotting_library(),
        "script": "\n".join(map(_read, SCRIPTS)),
        "data": pack(describe_results(records, analyses, differences)),
    }
    page = _read("page.html")
    for name, text in parts.items():
        page = page.replace("{{" + name + "}}", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _read(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _plotting_library() -> str:
    """Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`."""
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # Inside an HTML file a script ends where this stands.
    return script.replace("</script", "<\\/script")
