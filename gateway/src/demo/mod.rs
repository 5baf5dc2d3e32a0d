//! `pointsman demo`: three backends of different speed, the gateway in front of them, and a short
//! load, all in this process; a table of what each built-in policy makes of it; and a folder to go
//! on with. Nothing else has to be there.
//!
//! | file | what it holds |
//! |---|---|
//! | `place` | the folder: configuration, policies, what to try |
//! | `backends` | the three servers |
//! | `load`, `tally` | the clients, and what they see |
//! | `tour` | one policy after the other |
//! | `table`, `screen` | how it is shown |
//! | `dice` | chance that repeats itself |

mod backends;
mod dice;
mod load;
mod place;
mod screen;
mod table;
mod tally;
mod tour;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use crate::app::{Failure, Handle, Running};
use place::Place;
use screen::{Look, Screen};
use tour::{Ended, Tour};

/// Where the gateway listens if that is free and nothing else is asked for.
const PORT: u16 = 8080;
/// The built-in policies that are shown, one of each kind; the last one stays in force.
const SHOWN: [&str; 8] =
    ["round_robin", "least_conn", "random", "ip_hash", "hash", "peak_ewma", "adaptive", "fair"];
/// How many ports after it are tried.
const MORE_PORTS: u16 = 50;

/// What users of a debug build have to know.
const SLOW: &str = "\nThis is a debug build: picks take some hundred times as long as with `--release`.";

/// What can be asked of the demo.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// How long each policy is measured.
    pub seconds: Duration,
    /// The port of the gateway (0: any); none: 8080, or the next one that is free.
    pub port: Option<u16>,
    /// End after the table.
    pub exit: bool,
}

impl Default for Wishes {
    /// Two and a half seconds a policy; then stay up.
    fn default() -> Self {
        Self { seconds: Duration::from_millis(2500), port: None, exit: false }
    }
}

/// Shows the demo; ends as [`app::run`](crate::app::run) does, or after the table if wished.
///
/// # Errors
/// It cannot start, or requests failed.
pub fn run(wishes: Wishes) -> Result<(), Failure> {
    let backends = backends::start().map_err(|error| Failure::System(format!("backends: {error}")))?;
    let place = Place::prepare(free_address(wishes.port)?, backends)?;
    let folder = place.folder().to_owned();
    let mut screen = Screen::new();
    greet(&place, &mut screen);
    let running = Running::start(&place.config())?;
    let gateway = running.handle();
    // Signals are for this thread, so that Ctrl-C is heard at any moment.
    let tour = thread::Builder::new().name("tour".into());
    let tour = tour.spawn(move || show(&place, &gateway, wishes, &mut screen));
    let tour = tour.map_err(|error| Failure::System(format!("thread: {error}")))?;
    running.serve()?;
    let ended =
        tour.join().unwrap_or_else(|_| Err(Failure::System("the demo broke off with a panic".into())));
    Screen::new().say(&format!("\nThe demo has ended. Its files are still in {}/", folder.display()));
    ended
}

/// The tour, and what comes after it. The gateway goes on, unless it shall not.
fn show(place: &Place, gateway: &Handle, wishes: Wishes, screen: &mut Screen) -> Result<(), Failure> {
    let toured = Tour { place, gateway, seconds: wishes.seconds }.walk(screen);
    match toured {
        Ok(Ended::Whole) if !wishes.exit => invite(place, screen),
        _ => gateway.stop(),
    }
    toured.map(|_| ())
}

/// An address on which nobody listens.
fn free_address(port: Option<u16>) -> Result<SocketAddr, Failure> {
    // The gateway shares its port among its workers, and would share it with another gateway too:
    // only a plain socket finds out whether somebody is there.
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr();
    let found = match port {
        Some(port) => free(port),
        None => (PORT..=PORT + MORE_PORTS)
            .chain([0])
            .find_map(|port| free(port).ok())
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse)),
    };
    found.map_err(|error| {
        let port = port.unwrap_or(PORT);
        Failure::System(format!("cannot listen on 127.0.0.1:{port}: {error} (`--port` takes another)"))
    })
}

fn greet(place: &Place, screen: &mut Screen) {
    let title = screen.paint(Look::Bold, "Pointsman demo");
    let (url, folder) = (place.url(), place.folder().display());
    let slow = if cfg!(debug_assertions) { SLOW } else { "" };
    screen.say(&format!(
        "{title}: {} clients, the gateway at {url}, three backends.\n\
         Each policy gets its turn, by a reload of the running gateway. Ctrl-C ends it.\n\
         Configuration, policies and log are in {folder}/{slow}",
        load::CLIENTS
    ));
    for file in place.replaced() {
        let warning =
            format!("`{}` stands in for the built-in policy: remove it to see that one.", file.display());
        screen.say(&screen.paint(Look::Bad, &warning));
    }
    screen.say("");
}

/// What to try next.
fn invite(place: &Place, screen: &mut Screen) {
    let program = std::env::args().next().filter(|name| name.contains('/')).unwrap_or("pointsman".into());
    let (url, config) = (place.url(), place.config());
    let own = place.policies().join("fair.wat");
    let show = |path: &std::path::Path| path.display().to_string();
    let (config, own, to_try) = (show(&config), show(&own), show(&place.to_try()));
    let (socket, log) = (show(&place.socket()), show(&place.log()));
    let step = |what: &str| screen.paint(Look::Bold, what);
    let text = [
        format!("The gateway stays up, with the policy `fair`. In another terminal:\n\n{}", step("Ask it")),
        format!(
            "  curl {url}\n\n{}",
            step("Let a policy of your own decide (it is taken up at once, no reload)")
        ),
        format!("  cp {to_try} {own}\n  curl {url}\n  Now change the number in {own}, save, and ask again."),
        format!("  rm {own}\n\n{}", step("Choose another policy, or other backends")),
        format!("  edit {config}\n  {program} reload -c {config}\n\n{}", step("See what the gateway knows")),
        format!("  curl --unix-socket {socket} http://localhost/state\n  tail {log}\n"),
        "Ctrl-C ends it; the folder stays.".to_owned(),
    ];
    screen.say(&format!("\n{}", text.join("\n")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_refused_if_asked_for_and_stepped_over_if_not() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let refusal = free_address(Some(port)).unwrap_err().to_string();
        assert!(refusal.contains(&port.to_string()) && refusal.contains("--port"), "{refusal}");
        assert_ne!(free_address(None).unwrap().port(), port);
        assert_ne!(free_address(Some(0)).unwrap().port(), 0);
    }
}
