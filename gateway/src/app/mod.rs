//! From a configuration to a running gateway, and back. The only room that knows all others.

mod build;
mod certificates;
mod checks;
mod control;
mod crew;
mod known;
mod life;
mod listeners;
mod mend;
mod names;
mod notify;
mod picture;
mod pid_file;
mod record;
mod run;
mod settings;
mod shared;
mod shelf;
mod sticky;
mod succession;
mod tend;
mod user;
mod watch;
mod worker;

pub use build::{Plan, plan, try_policies};
pub use run::{Failure, Handle, Running, run};
pub use shelf::Shelf;
