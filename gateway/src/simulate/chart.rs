//! A comparison as a drawing: for each policy how slow the slowest requests were.

use std::fmt::Write;

use super::score::{Comparison, Outcome};
use super::table::{millis, percent};

const WIDTH: f64 = 1000.0;
/// Where the curves begin and end: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (70.0, 82.0, 700.0, 412.0);
/// Between the entries of the legend, and from its last one to the lower edge.
const ENTRY: f64 = 40.0;
/// Shares of requests that are marked below.
const MARKS: [(f64, &str); 6] =
    [(0.0, "p0"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];
/// Where a scale may begin and end, and what is marked between, within a power of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// Colours that people with any kind of sight can tell apart (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
/// Strokes and gaps: of curves that coincide, both are seen. Not as many as colours, so that it takes
/// long until both are the same again.
const DASHES: [&str; 4] = ["none", "10 5", "3 4", "12 4 3 4"];
const GREY: &str = "#555555";

/// The curves of latency of all policies: each further step to the right is a tenth as many
/// requests, each further step up ten times as long.
#[must_use]
pub fn svg(comparison: &Comparison) -> String {
    let scale = Scale::of(comparison);
    let height = (FRAME.3 + 68.0).max(FRAME.1 + ENTRY * (comparison.outcomes.len() as f64 + 0.5));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    write(&mut text, (20.0, 28.0), "font-size=\"17\"", &comparison.scenario);
    write(&mut text, (20.0, 48.0), &format!("fill=\"{GREY}\""), &comparison.about);
    scale.grid(&mut text);
    for (outcome, look) in comparison.outcomes.iter().zip(looks()) {
        scale.curve(outcome, &look, &mut text);
    }
    legend(comparison, &mut text);
    text.push_str("</svg>\n");
    text
}

/// How the curves are drawn, one after the other.
fn looks() -> impl Iterator<Item = String> {
    let pairs = COLOURS.iter().cycle().zip(DASHES.iter().cycle());
    pairs.map(|(colour, dashes)| {
        format!("stroke=\"{colour}\" stroke-dasharray=\"{dashes}\" stroke-width=\"2\"")
    })
}

fn write(text: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{}</text>", escaped(words));
}

fn line(text: &mut String, from: (f64, f64), to: (f64, f64), look: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(text, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {look}/>");
}

/// From latencies and shares to places in the drawing.
struct Scale {
    /// The latencies at the lower and the upper edge, milliseconds.
    bottom: f64,
    top: f64,
}

impl Scale {
    fn of(comparison: &Comparison) -> Self {
        let points = comparison.outcomes.iter().flat_map(drawn);
        let latencies = points.map(|(_, latency)| latency.max(0.01));
        let (low, high) = latencies.fold((f64::MAX, 0.01_f64), |(low, high), l| (low.min(l), high.max(l)));
        let decade = low.min(high).log10().floor();
        let round = |latency: &f64| *latency <= low.min(high) * 1.000_1;
        let bottom = steps(decade).filter(round).last().unwrap_or(low);
        let top = steps(decade).find(|latency| *latency >= high && *latency >= bottom * 10.0);
        Self { bottom, top: top.unwrap_or(high) }
    }

    fn x(share: f64) -> f64 {
        // 0, 0.9, 0.99 and so on are equally far apart, up to the last mark.
        let steps = -(1.0 - share.min(0.9999)).log10() / 4.0;
        FRAME.0 + steps * (FRAME.2 - FRAME.0)
    }

    fn y(&self, latency: f64) -> f64 {
        let part = (latency.max(0.01) / self.bottom).log10() / (self.top / self.bottom).log10();
        FRAME.3 - part.clamp(0.0, 1.0) * (FRAME.3 - FRAME.1)
    }

    fn grid(&self, text: &mut String) {
        let (left, top, right, bottom) = FRAME;
        let grey = |anchor: &str| format!("text-anchor=\"{anchor}\" fill=\"{GREY}\"");
        for (share, name) in MARKS {
            let x = Self::x(share);
            line(text, (x, top), (x, bottom), "stroke=\"#dddddd\"");
            write(text, (x, bottom + 19.0), &grey("middle"), name);
        }
        let shown = steps(self.bottom.log10().floor())
            .filter(|latency| *latency >= self.bottom * 0.999_9)
            .take_while(|latency| *latency <= self.top * 1.000_1);
        for latency in shown {
            let y = self.y(latency);
            line(text, (left, y), (right, y), "stroke=\"#dddddd\"");
            write(text, (left - 8.0, y + 4.0), &grey("end"), &named(latency));
        }
        write(text, (left - 50.0, top - 14.0), &grey("start"), "latency");
        let below = "share of the requests that are at most so slow: p99 is all but one in a hundred";
        write(text, ((left + right) / 2.0, bottom + 44.0), &grey("middle"), below);
    }

    fn curve(&self, outcome: &Outcome, look: &str, text: &mut String) {
        let places: Vec<String> = drawn(outcome)
            .map(|(share, latency)| format!("{:.1},{:.1}", Self::x(*share), self.y(*latency)))
            .collect();
        let _ = writeln!(text, "<polyline points=\"{}\" fill=\"none\" {look}/>", places.join(" "));
    }
}

/// The points of a curve that have a place: of the slowest request of all nobody knows how rare it is.
fn drawn(outcome: &Outcome) -> impl Iterator<Item = &(f64, f64)> {
    outcome.curve.iter().filter(|(share, _)| *share <= 0.9999)
}

/// The marks of a scale from this power of ten on, milliseconds.
fn steps(decade: f64) -> impl Iterator<Item = f64> {
    let first = decade as i32;
    (first..first + 12).flat_map(|decade| STEPS.map(|step| step * 10f64.powi(decade)))
}

fn legend(comparison: &Comparison, text: &mut String) {
    let x = FRAME.2 + 20.0;
    for (place, (outcome, look)) in comparison.outcomes.iter().zip(looks()).enumerate() {
        let y = FRAME.1 + 10.0 + ENTRY * place as f64;
        line(text, (x, y - 4.0), (x + 28.0, y - 4.0), &look);
        write(text, (x + 36.0, y), "", &outcome.policy);
        let figures = format!("p99 {} ms, errors {}", millis(outcome.p99_ms), percent(outcome.errors));
        write(text, (x + 36.0, y + 16.0), &format!("fill=\"{GREY}\" font-size=\"11\""), &figures);
    }
}

/// A latency in milliseconds, with the unit that fits.
fn named(latency: f64) -> String {
    match latency {
        small if small < 0.9 => format!("{:.0} µs", small * 1e3),
        medium if medium < 900.0 => format!("{medium:.0} ms"),
        large => format!("{:.0} s", large / 1e3),
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
        let scale = Scale { bottom: 1.0, top: 1000.0 };
        assert!(scale.y(100.0) < scale.y(10.0));
        assert!(Scale::x(0.0) < Scale::x(0.5) && Scale::x(0.99) < Scale::x(0.999));
        assert!((Scale::x(0.0) - FRAME.0).abs() < 0.1 && (Scale::x(1.0) - FRAME.2).abs() < 0.1);
    }

    #[test]
    fn a_mark_has_a_name() {
        assert_eq!([0.2, 1.0, 50.0, 500.0, 2_000.0].map(named), ["200 µs", "1 ms", "50 ms", "500 ms", "2 s"]);
    }

    #[test]
    fn two_curves_that_coincide_look_different() {
        let looks: Vec<String> = looks().take(28).collect();
        assert!(looks.iter().enumerate().all(|(place, look)| !looks[..place].contains(look)));
        let dashes = |look: &str| look.split("dasharray").nth(1).map(str::to_owned);
        assert!(looks.windows(2).all(|pair| dashes(&pair[0]) != dashes(&pair[1])));
    }
}
