//! A comparison as a drawing: for each policy how slow the slowest requests were.

use std::fmt::Write;

use super::score::{Comparison, Outcome};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
/// Where the drawing begins and ends: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (70.0, 70.0, 690.0, 400.0);
/// Shares of requests that are marked below.
const MARKS: [(f64, &str); 6] =
    [(0.0, "fastest"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];
/// Colours that people with any kind of sight can tell apart (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// The curves of latency of all policies: each further step to the right is a tenth as many
/// requests, each further step up ten times as long.
#[must_use]
pub fn svg(comparison: &Comparison) -> String {
    let scale = Scale::of(comparison);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"28\" font-size=\"17\">{}</text>\n<text x=\"20\" y=\"48\" fill=\"#555555\">{}</text>\n",
        escaped(&comparison.scenario),
        escaped(&comparison.about)
    );
    scale.grid(&mut text);
    for (outcome, colour) in comparison.outcomes.iter().zip(COLOURS.iter().cycle()) {
        scale.curve(outcome, colour, &mut text);
    }
    legend(comparison, &mut text);
    text.push_str("</svg>\n");
    text
}

/// From latencies and shares to places in the drawing.
struct Scale {
    /// Decimal logarithms of the lowest and the highest latency, whole numbers.
    bottom: f64,
    top: f64,
}

impl Scale {
    fn of(comparison: &Comparison) -> Self {
        let points = comparison.outcomes.iter().flat_map(|outcome| &outcome.curve);
        let latencies = points.map(|(_, latency)| latency.max(0.01));
        let (low, high) = latencies.fold((f64::MAX, 0.01_f64), |(low, high), l| (low.min(l), high.max(l)));
        let bottom = low.min(high).log10().floor();
        Self { bottom, top: high.log10().ceil().max(bottom + 1.0) }
    }

    fn x(share: f64) -> f64 {
        // 0, 0.9, 0.99 and so on are equally far apart, up to the last mark.
        let steps = -(1.0 - share.min(0.9999)).log10() / 4.0;
        FRAME.0 + steps * (FRAME.2 - FRAME.0)
    }

    fn y(&self, latency: f64) -> f64 {
        let part = (latency.max(0.01).log10() - self.bottom) / (self.top - self.bottom);
        FRAME.3 - part.clamp(0.0, 1.0) * (FRAME.3 - FRAME.1)
    }

    fn grid(&self, text: &mut String) {
        let (left, top, right, bottom) = FRAME;
        for (share, name) in MARKS {
            let x = Self::x(share);
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(
                text,
                "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555555\">{name}</text>",
                bottom + 20.0
            );
        }
        for decade in self.bottom as i32..=self.top as i32 {
            let (latency, name) = (10f64.powi(decade), named(decade));
            let y = self.y(latency);
            let _ = writeln!(
                text,
                "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555555\">{name}</text>",
                left - 8.0,
                y + 4.0
            );
        }
    }

    fn curve(&self, outcome: &Outcome, colour: &str, text: &mut String) {
        let points = outcome.curve.iter().filter(|(share, _)| *share <= 0.9999);
        let places: Vec<String> = points
            .map(|(share, latency)| format!("{:.1},{:.1}", Self::x(*share), self.y(*latency)))
            .collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            places.join(" ")
        );
    }
}

fn legend(comparison: &Comparison, text: &mut String) {
    for (place, (outcome, colour)) in comparison.outcomes.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let y = FRAME.1 + 10.0 + 38.0 * place as f64;
        let x = FRAME.2 + 16.0;
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{:.1}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y:.1}\">{}</text>\
             <text x=\"{}\" y=\"{:.1}\" fill=\"#555555\" font-size=\"11\">p99 {:.1} ms, {:.2} % errors</text>",
            y - 7.0,
            x + 20.0,
            escaped(&outcome.policy),
            x + 20.0,
            y + 15.0,
            outcome.p99_ms,
            outcome.errors * 100.0
        );
    }
}

/// The name of a power of ten of milliseconds.
fn named(decade: i32) -> String {
    match decade {
        ..0 => format!("{} µs", 10i32.pow((3 + decade.max(-3)) as u32)),
        0..3 => format!("{} ms", 10i32.pow(decade as u32)),
        _ => format!("{} s", 10i64.pow((decade - 3).min(9) as u32)),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_is_higher_and_rarer_is_further_right() {
        let scale = Scale { bottom: 0.0, top: 3.0 };
        assert!(scale.y(100.0) < scale.y(10.0));
        assert!(Scale::x(0.0) < Scale::x(0.5) && Scale::x(0.99) < Scale::x(0.999));
        assert!((Scale::x(0.0) - FRAME.0).abs() < 0.1 && (Scale::x(1.0) - FRAME.2).abs() < 0.1);
    }

    #[test]
    fn a_decade_has_a_name() {
        assert_eq!([-1, 0, 2, 3].map(named), ["100 µs", "1 ms", "100 ms", "1 s"]);
    }
}
