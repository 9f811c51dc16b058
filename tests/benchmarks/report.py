"""The table: limit, Apache, ours, ratio, goal; for people as markdown, for machines as JSON."""

import json
import os
import pathlib
import platform
import statistics
import subprocess

# What the machine can do without any server, as `quorate bench limits` names it.
LIMITS = [
    ("loopback ping-pong, 64 B, p50", "us", "pingpong_64B_p50"),
    ("write and fdatasync, 256 B, p50", "us", "fdatasync_256B_preallocated_p50"),
]


class Report:
    """Collects rows; a row is one figure of both servers."""

    def __init__(self):
        self.rows = []
        self.raw = []
        self.limits = {}

    def add(self, title, unit, values, *, limit=None, goal="", higher=False, met=None):
        """`values` maps a server to its runs; `met(ours, apache, limit)` judges the goal."""
        medians = {name: statistics.median(runs) for name, runs in values.items() if runs}
        ours, theirs = medians.get("quorate"), medians.get("Apache")
        ratio = None
        if ours and theirs:
            ratio = ours / theirs if higher else theirs / ours
        judged = None
        if met is not None and ours is not None:
            try:
                judged = bool(met(ours, theirs, limit))
            except TypeError:
                judged = None  # Needs a figure that is missing here.
        self.rows.append(
            {
                "measure": title,
                "unit": unit,
                "limit": limit,
                "apache": theirs,
                "quorate": ours,
                "times_better": ratio,
                "goal": goal,
                "met": judged,
                "runs": values,
            }
        )

    def markdown(self):
        lines = [
            "| measure | limit here | Apache 3.8 | quorate | times better | goal | met |",
            "|---|---|---|---|---|---|---|",
        ]
        for title, unit, name in LIMITS:
            if name in self.limits:
                lines.append(
                    f"| {title} [{unit}] | {number(self.limits[name])} |  |  |  |  |  |"
                )
        for row in self.rows:
            verdict = {None: "", True: "yes", False: "**no**"}[row["met"]]
            ratio = "" if row["times_better"] is None else f"{row['times_better']:.2f}"
            cells = [
                f"{row['measure']} [{row['unit']}]",
                number(row["limit"]),
                number(row["apache"]),
                number(row["quorate"]),
                ratio,
                row["goal"],
                verdict,
            ]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def save(self, path, facts):
        document = {"machine": facts, "limits": self.limits, "rows": self.rows, "raw": self.raw}
        pathlib.Path(path).write_text(json.dumps(document, indent=1) + "\n")


def number(value):
    """As many digits as mean something."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine():
    """What the figures depend on."""
    model = ""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "java": (java.stderr.splitlines() or [""])[0],
        "load_before": os.getloadavg(),
    }
