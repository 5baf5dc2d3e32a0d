//! What was measured, as Markdown.

use std::fmt::Write as _;

use super::scenario::Setup;
use super::{Arguments, Measured};

/// What is common to the tables of a scenario.
pub(super) fn head(arguments: &Arguments, setup: Setup) -> String {
    format!(
        "{} {}; {} core(s) each; mean work {:.0} ms at speed 1; {} gateway(s) for each policy, {} s",
        setup.backends,
        setup.scenario.description(),
        setup.cores,
        1e3 * setup.capacity() / arguments.capacity,
        arguments.gateways,
        arguments.seconds,
    )
}

/// One table, and what it cost the machine.
pub(super) fn write(arguments: &Arguments, load: f64, measured: &Measured) -> String {
    let mut text = format!(
        "| load {load}, {:.0} requests/s | p50 ms | p90 ms | p99 ms | p99.9 ms | p99 to the first | errors |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
        measured.plan.rate
    );
    let first = measured.samples.first().map_or(1.0, |sample| sample.percentile(0.99));
    for (policy, sample) in arguments.policies.iter().zip(&measured.samples) {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| sample.percentile(share));
        let (ratio, errors) = (p99 / first, sample.errors());
        let _ = writeln!(
            text,
            "| `{policy}` | {p50:.0} | {p90:.0} | {p99:.0} | {p999:.0} | {ratio:.2} | {errors:.4} % |"
        );
    }
    let (sent, answered) = (&measured.sent, &measured.answered);
    let _ = write!(
        text,
        "\nCPU: gateways {:.0} %, free {:.0} %. Requests were sent {:.1} ms late in the median, p99 {:.1} ms; \
         answers {:.1} and {:.1} ms.",
        measured.cpu.gateways,
        measured.cpu.free,
        sent.percentile(0.5),
        sent.percentile(0.99),
        answered.percentile(0.5),
        answered.percentile(0.99),
    );
    text
}
