//! The report for people and for machines.

use super::report::{Report, Row, Writes};
use super::survey::Found;
use serde_json::{Value, json};
use std::fmt::{Display, Write as _};

/// A line for each server, and what it comes to.
pub(crate) fn text(report: &Report) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(report.rows.iter().map(cells));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| rows.iter().filter_map(|row| Some(row.get(column)?.len())).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (row, at) in rows.iter().zip(0_usize..) {
        let mut line = String::new();
        // Behind the address of a server that cannot be reached stands why.
        let why = at.checked_sub(1).and_then(|at| report.rows.get(at)?.found.as_ref().err());
        let shown = if why.is_some() { 1 } else { HEAD.len() };
        for (cell, width) in row.iter().zip(&widths).take(shown) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        if let Some(why) = why {
            line.push_str(why);
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "{}", verdict(report));
    for unknown in &report.unknown {
        let _ = writeln!(text, "not known: {unknown}");
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// The report as JSON; what is not known is null.
pub(crate) fn json(report: &Report) -> Value {
    let (writes, margin) = match report.writes {
        Writes::Yes { margin } => (Some(true), Some(margin)),
        Writes::Likely => (None, None),
        Writes::No => (Some(false), None),
    };
    json!({
        "servers": report.rows.iter().map(row_json).collect::<Vec<_>>(),
        "leader": report.leader,
        "voters": report.voters.count(),
        "serving": report.voters.serving(),
        "writes": writes,
        "can_fail": margin,
        "survives": report.voters.survives(),
        "unknown": report.unknown,
        "warnings": report.warnings,
    })
}

fn row_json(row: &Row) -> Value {
    let found = row.found.as_ref().ok();
    let brief = found.map(|found| &found.brief);
    let figures = found.and_then(|found| found.figures.as_ref());
    json!({
        "address": row.address,
        "error": row.found.as_ref().err(),
        "role": brief.map(|brief| brief.role.name()),
        "epoch": brief.and_then(|brief| brief.epoch()),
        "zxid": brief.and_then(|brief| brief.zxid).map(|zxid| zxid.to_string()),
        "lag": row.lag,
        "connections": brief.and_then(|brief| brief.connections),
        "sessions": figures.and_then(|figures| figures.sessions),
        "watches": figures.and_then(|figures| figures.watches),
        "version": brief.and_then(|brief| brief.version.as_deref()),
    })
}

fn cells(row: &Row) -> [String; HEAD.len()] {
    let mut cells = [const { String::new() }; HEAD.len()];
    let told = match &row.found {
        Ok(found) => told(found, row.lag),
        Err(_) => Vec::new(),
    };
    let all = std::iter::once(row.address.clone()).chain(told);
    for (cell, text) in cells.iter_mut().zip(all) {
        *cell = text;
    }
    cells
}

fn told(found: &Found, lag: Option<i64>) -> Vec<String> {
    let (brief, figures) = (&found.brief, found.figures.as_ref());
    vec![
        brief.role.name().to_owned(),
        or_dash(brief.epoch()),
        or_dash(brief.zxid),
        or_dash(lag),
        or_dash(brief.connections),
        or_dash(figures.and_then(|figures| figures.sessions)),
        or_dash(figures.and_then(|figures| figures.watches)),
    ]
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// What it comes to, in a sentence.
fn verdict(report: &Report) -> String {
    let (serving, voters) = (report.voters.serving(), report.voters.count());
    match report.writes {
        Writes::Yes { .. } if report.voters.alone => "takes writes".to_owned(),
        Writes::Yes { margin } => {
            let survives = report.voters.survives();
            let usual = if margin == survives {
                String::new()
            } else {
                format!(" ({survives} when all are up)")
            };
            format!(
                "takes writes: {serving} of {voters} voters serve, and {} may fail now{usual}",
                if margin == 0 { "none".to_owned() } else { margin.to_string() }
            )
        }
        Writes::Likely => {
            format!("seems to take writes: {serving} of {voters} voters were seen to serve")
        }
        Writes::No => {
            let leads = if report.leader.is_some() { "" } else { ", and nobody leads" };
            format!("takes no writes: {serving} of {voters} voters serve{leads}")
        }
    }
}

const HEAD: [&str; 8] =
    ["server", "role", "epoch", "zxid", "lag", "connections", "sessions", "watches"];
