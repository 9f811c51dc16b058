//! What a workload found out: named figures with units, as a table or as JSON.
//!
//! Every figure knows whether more is better, so that comparisons need no knowledge of the workload.

use super::clock::{float, seconds};
use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    /// A name that is unique within the outcome, in the style of a JSON key.
    pub(super) name: String,
    /// The value in `unit`.
    pub(super) value: f64,
    /// Its unit.
    pub(super) unit: &'static str,
    /// Which way is better.
    pub(super) better: Better,
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    /// More, as with rates.
    Higher,
    /// Less, as with times and sizes.
    Lower,
    /// Neither: a fact for the reader.
    Neither,
}

/// All figures of one run of one workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// The workload with its parameters, readable.
    pub(super) title: String,
    /// Whether it was ended early.
    pub(super) partial: bool,
    /// The figures in the order of the table.
    pub(super) metrics: Vec<Metric>,
}

impl Outcome {
    /// An outcome without figures.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a figure.
    pub(super) fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        better: Better,
    ) {
        self.metrics.push(Metric { name: name.into(), value, unit, better });
    }

    /// Adds p50 to max of a histogram of nanoseconds, in microseconds.
    pub(super) fn add_latency(&mut self, name: &str, histogram: &Histogram<u64>) {
        if histogram.is_empty() {
            return;
        }
        for (label, quantile) in QUANTILES {
            let micros = float(histogram.value_at_quantile(quantile)) / 1e3;
            self.add(format!("{name}_{label}"), micros, "us", Better::Lower);
        }
        self.add(format!("{name}_max"), float(histogram.max()) / 1e3, "us", Better::Lower);
    }

    /// Adds what the server's processor did during `elapsed` nanoseconds for `operations`.
    pub(super) fn add_cpu(&mut self, cpu: Option<Duration>, elapsed: u64, operations: u64) {
        let Some(cpu) = cpu else { return };
        if elapsed > 0 {
            let share = cpu.as_secs_f64() / seconds(elapsed) * 100.0;
            self.add("server_cpu", share, "% of a core", Better::Neither);
        }
        if operations > 0 {
            let each = cpu.as_secs_f64() * 1e6 / float(operations);
            self.add("server_cpu_per_op", each, "us", Better::Lower);
        }
    }

    /// The figure of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The outcome for machines.
    pub(super) fn to_json(&self) -> Value {
        let metrics: Map<String, Value> = self
            .metrics
            .iter()
            .map(|m| (m.name.clone(), json!({ "value": m.value, "unit": m.unit })))
            .collect();
        json!({ "workload": self.title, "partial": self.partial, "metrics": metrics })
    }

    /// The outcome for people.
    pub(super) fn to_table(&self) -> String {
        let ended = if self.partial { " (ended early)" } else { "" };
        let mut text = format!("{}{ended}\n", self.title);
        for metric in &self.metrics {
            let value = readable(metric.value);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {:<28} {:>14} {}", metric.name, value, metric.unit);
        }
        text
    }
}

/// A number with as many digits as mean something, in groups of three.
pub(super) fn readable(value: f64) -> String {
    let digits = match value.abs() {
        v if v.fract() == 0.0 => 0,
        v if v < 1.0 => 3,
        v if v < 10.0 => 2,
        v if v < 1000.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

/// A histogram of nanoseconds, 64 ns to 10 minutes, to three digits.
pub(super) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(100, 600_000_000_000, 3)?)
}

/// The time between two readings.
pub(super) fn cpu_between(before: Option<Duration>, after: Option<Duration>) -> Option<Duration> {
    Some(after?.saturating_sub(before?))
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_known_distribution_in_microseconds() {
        let mut histogram = histogram().unwrap();
        for micros in 1..=1000 {
            histogram.record(micros * 1000).unwrap();
        }
        let mut outcome = Outcome::new("test");
        outcome.add_latency("read", &histogram);
        let value = |name: &str| outcome.get(name).unwrap().value;
        assert!((value("read_p50") - 500.0).abs() < 1.0, "{outcome:?}");
        assert!((value("read_p99") - 990.0).abs() < 1.5, "{outcome:?}");
        assert!((value("read_max") - 1000.0).abs() < 1.5, "{outcome:?}");
    }

    #[test]
    fn an_empty_histogram_adds_nothing() {
        let mut outcome = Outcome::new("test");
        outcome.add_latency("read", &histogram().unwrap());
        assert_eq!(outcome.metrics, []);
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(readable(0.0), "0");
        assert_eq!(readable(0.1234), "0.123");
        assert_eq!(readable(12.34), "12.3");
        assert_eq!(readable(123_456.7), "123,457");
        assert_eq!(readable(-1234.0), "-1,234");
        assert_eq!(readable(-123.0), "-123");
        assert_eq!(readable(0.5), "0.500");
    }
}
