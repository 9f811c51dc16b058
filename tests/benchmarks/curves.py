"""Throughput by the share of reads: the shape of the figure in Hunt et al., ATC 2010."""

import math

WIDTH, HEIGHT, MARGIN = 720, 420, 64
# By ensemble size; Apache's lines are dashed.
COLOURS = ["#1b6ca8", "#c0392b", "#27864b", "#8e5ea2"]


def table(curves):
    """`curves` maps (service, size) to rates by percentage of reads."""
    shares = sorted({share for curve in curves.values() for share in curve})
    lines = [
        "| members | service | " + " | ".join(f"{share} % reads" for share in shares) + " |",
        "|---|---|" + "---:|" * len(shares),
    ]
    for (service, size), curve in sorted(curves.items(), key=lambda item: item[0][::-1]):
        cells = " | ".join(f"{curve[share]:,.0f}" if share in curve else "" for share in shares)
        lines.append(f"| {size} | {service} | {cells} |")
    return "\n".join(lines)


def plot(curves):
    """The same as an SVG, rates on a logarithmic axis."""
    rates = [rate for curve in curves.values() for rate in curve.values()]
    low = math.floor(math.log10(min(rates)))
    high = math.ceil(math.log10(max(rates)))
    sizes = sorted({size for _, size in curves})

    def x(share):
        return MARGIN + share / 100 * (WIDTH - 2.5 * MARGIN)

    def y(rate):
        share = (math.log10(rate) - low) / (high - low)
        return HEIGHT - MARGIN - share * (HEIGHT - 1.5 * MARGIN)

    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(
            f'<path d="M{MARGIN} {at:.1f}H{x(100):.1f}" stroke="#ddd"/>'
            f'<text x="{MARGIN - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power:,}</text>'
        )
    for share in (0, 50, 90, 100):
        parts.append(
            f'<text x="{x(share):.1f}" y="{HEIGHT - MARGIN + 20}" '
            f'text-anchor="middle">{share}</text>'
        )
    parts.append(
        f'<text x="{x(50):.1f}" y="{HEIGHT - 16}" text-anchor="middle">'
        "percentage of reads</text>"
        f'<text x="{MARGIN}" y="20">requests per second</text>'
    )
    for row, ((service, size), curve) in enumerate(sorted(curves.items())):
        colour = COLOURS[sizes.index(size) % len(COLOURS)]
        dash = 'stroke-dasharray="5 4"' if service == "Apache" else ""
        line = f'fill="none" stroke="{colour}" stroke-width="2" {dash}'
        points = " ".join(
            f"{x(share):.1f},{y(rate):.1f}" for share, rate in sorted(curve.items())
        )
        at = MARGIN + 18 * row
        parts.append(
            f'<polyline points="{points}" {line}/>'
            f'<path d="M{x(100) + 14:.1f} {at}h22" {line}/>'
            f'<text x="{x(100) + 42:.1f}" y="{at + 4}">{service}, {size}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
