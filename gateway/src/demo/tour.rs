//! One policy after the other, under load, without a stop.

use std::thread;
use std::time::{Duration, Instant};

use super::SHOWN;
use super::load::{CLIENTS, Load};
use super::place::{Place, UPSTREAM};
use super::screen::{Look, Screen};
use super::table::{self, Row};
use crate::admin::client;
use crate::app::{Failure, Handle};
use crate::policy::Totals;

/// Between two drawings of the table.
const FRAME: Duration = Duration::from_millis(100);

/// How the tour ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All policies had their turn.
    Whole,
    /// The gateway was told to end.
    Early,
}

/// Everything the tour needs.
pub(super) struct Tour<'a> {
    pub(super) place: &'a Place,
    pub(super) gateway: &'a Handle,
    /// How long each policy is measured.
    pub(super) seconds: Duration,
}

impl Tour<'_> {
    /// Walks through the policies that are shown and leaves the last one in force.
    ///
    /// # Errors
    /// A policy did not come into force, or requests failed: neither ever happens to users of a
    /// sound gateway, so the demo must not hide it.
    pub(super) fn walk(&self, screen: &mut Screen) -> Result<Ended, Failure> {
        let load = Load::start(self.place.gateway()).map_err(|error| system(&error))?;
        let mut rows: Vec<Row> = Vec::new();
        if !screen.is_live() {
            screen.say(&table::head(screen).join("\n"));
        }
        for policy in SHOWN {
            match self.measure(policy, &load, &mut rows, screen) {
                // What breaks while the gateway ends is no news.
                _ if self.gateway.is_draining() => return Ok(Ended::Early),
                done => done?,
            }
        }
        let failed = load.read().failed;
        let complaint = load.complaint();
        drop(load);
        self.conclude(&rows, screen);
        match complaint {
            Some(why) => Err(Failure::System(format!("{failed} requests failed; the first: {why}"))),
            None => Ok(Ended::Whole),
        }
    }

    /// Puts a policy in force and adds its row.
    fn measure(
        &self,
        policy: &'static str,
        load: &Load,
        rows: &mut Vec<Row>,
        screen: &mut Screen,
    ) -> Result<(), Failure> {
        let failed = load.read().failed;
        self.reload(policy)?;
        // The lines in front of the backends are the last policy's doing.
        thread::sleep(self.seconds / 5);
        let (picks, began) = (self.gateway.picks(UPSTREAM).unwrap_or_default(), Instant::now());
        load.turn();
        rows.push(Row { policy, reading: load.read(), pick: None });
        while began.elapsed() < self.seconds && !self.gateway.is_draining() {
            thread::sleep(FRAME.min(self.seconds.saturating_sub(began.elapsed())));
            let mut reading = load.read();
            reading.failed -= failed;
            let since = since(&picks, &self.gateway.picks(UPSTREAM).unwrap_or_default());
            if let Some(row) = rows.last_mut() {
                *row = Row { policy, reading, pick: since.mean_nanos() };
            }
            if screen.is_live() && !self.gateway.is_draining() {
                screen.draw(&table::whole(screen, rows));
            }
        }
        if let (false, Some(row)) = (screen.is_live(), rows.last()) {
            screen.say(&table::row(screen, row, Look::Plain).join("\n"));
        }
        Ok(())
    }

    /// As users do it: write the file, and `pointsman reload`.
    fn reload(&self, policy: &str) -> Result<(), Failure> {
        self.place.use_policy(policy).map_err(|error| system(&error))?;
        match client::post(&self.place.socket(), "/reload").map_err(|error| system(&error))? {
            answer if answer.status == 200 => Ok(()),
            answer => Err(Failure::Configuration(answer.text)),
        }
    }

    fn conclude(&self, rows: &[Row], screen: &mut Screen) {
        if screen.is_live() {
            screen.draw(&table::judged(screen, rows));
        }
        let requests: u64 = rows.iter().map(|row| row.reading.all.count).sum();
        let failed: u64 = rows.iter().map(|row| row.reading.failed).sum();
        let verdict = table::verdict(rows).unwrap_or_default();
        screen.say(&format!(
            "\n{}\n{CLIENTS} clients, {requests} requests measured, {} reloads under way, {failed} failed.",
            screen.paint(Look::Bold, &verdict),
            rows.len(),
        ));
    }
}

/// The picks between two moments.
fn since(before: &Totals, after: &Totals) -> Totals {
    Totals {
        picks: after.picks - before.picks,
        timed: after.timed - before.timed,
        nanos: after.nanos - before.nanos,
        ..Totals::default()
    }
}

fn system(error: &std::io::Error) -> Failure {
    Failure::System(error.to_string())
}
