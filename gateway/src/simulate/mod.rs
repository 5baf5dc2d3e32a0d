//! The simulator: a fleet of backends in virtual time, driven by the same components through the
//! same host code as in the gateway.
//!
//! A [`Scenario`] says what the backends are like and what happens to them; [`run`] lets one policy
//! choose for all its requests and answers with an [`Outcome`]. Pickers, instances, candidates,
//! statistics and the fallback are those of the gateway; only the clock and the network are made
//! up. For one seed the same requests arrive with the same work, whatever the policy does, and two
//! runs give the same outcome to the last digit.
//!
//! | file | what it holds |
//! |---|---|
//! | `scenario`, `group`, `span` | what a scenario says |
//! | `shipped` | those that come with the gateway |
//! | `arrivals`, `log`, `recorded`, `law`, `dice` | when requests come, how much work they are, chance |
//! | `server`, `trouble`, `cache` | a backend, what befalls it, what it remembers |
//! | `gateway` | the gateways: real pickers over real statistics |
//! | `world`, `request`, `queue` | the loop of events; the story of a request |
//! | `score`, `table`, `chart` | what is counted, and how it is shown |

mod arrivals;
mod cache;
mod chart;
mod dice;
mod gateway;
mod group;
mod law;
mod log;
mod queue;
mod recorded;
mod request;
mod scenario;
mod score;
mod server;
mod shipped;
mod span;
mod table;
#[cfg(test)]
mod tests;
mod trouble;
mod world;

pub use arrivals::Trace;
pub use chart::svg;
pub(crate) use dice::Dice;
pub use scenario::Scenario;
pub use score::{Comparison, Outcome, Share};
pub use shipped::{SHIPPED, shipped};
pub use table::table;
pub use world::{Contestant, run};
