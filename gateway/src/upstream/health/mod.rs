//! Which backends are fit. The gateway decides that, once for all workers; policies choose among
//! those that are left.
//!
//! | file | what it holds |
//! |---|---|
//! | `condition` | what is known of one backend |
//! | `rules` | when a backend is taken out, and for how long |
//! | `ward` | the backends of an upstream together: who goes, who may come back |

mod condition;
mod rules;
mod ward;

pub use condition::{Condition, State};
pub use rules::{Ejection, Passive};
pub use ward::{Health, Ward};
