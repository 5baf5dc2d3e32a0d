//! Between the component's exports and a [`Policy`].

use crate::{Backend, Policy, options};

/// Makes an instance; from here on a panic says why in the gateway's log.
///
/// # Errors
/// Options that the policy does not have, or that it refuses.
pub fn start<P: Policy>(config: &str, backends: Vec<Backend>, seed: u64) -> Result<P, String> {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
    P::new(options::parse(config)?, backends, seed)
}

/// Makes a type that implements [`Policy`] the component's policy, and with it what else the
/// component exports: any of `feedback`, `timer`, `state`, `explain`, for which the type
/// implements the trait of that name.
///
/// ```
/// # use pointsman_policy::*;
/// /// Stays with a candidate until an attempt fails there.
/// struct Loyal(u32, u32);
///
/// impl Policy for Loyal {
///     type Options = NoOptions;
///     fn new(_: NoOptions, backends: Vec<Backend>, _seed: u64) -> Result<Self, String> {
///         Ok(Self(0, backends.len() as u32))
///     }
///     fn pick(&mut self, _: &Request) -> Choice {
///         Choice::Backend(self.0)
///     }
/// }
///
/// impl Feedback for Loyal {
///     fn done(&mut self, outcome: &Outcome) {
///         if outcome.backend == self.0 && outcome.verdict != Verdict::Success {
///             self.0 = (self.0 + 1) % self.1;
///         }
///     }
/// }
///
/// export!(Loyal, feedback);
/// ```
#[macro_export]
macro_rules! export {
    ($policy:ty $(, $optional:ident)* $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: ::core::cell::RefCell<::core::option::Option<$policy>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Component;

            impl $crate::bindings::exports::pointsman::policy::policy::Guest for Component {
                fn init(
                    config: ::std::string::String,
                    backends: ::std::vec::Vec<$crate::Backend>,
                    seed: u64,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    let policy = $crate::glue::start(&config, backends, seed)?;
                    INSTANCE.set(::core::option::Option::Some(policy));
                    ::core::result::Result::Ok(())
                }

                fn pick(request: $crate::Request) -> $crate::Choice {
                    instance($crate::Choice::Abstain, |policy| {
                        $crate::Policy::pick(policy, &request)
                    })
                }
            }

            /// Calls the instance; `otherwise` if the gateway should forget `init`.
            fn instance<T>(otherwise: T, call: impl FnOnce(&mut $policy) -> T) -> T {
                INSTANCE.with_borrow_mut(|slot| match slot {
                    ::core::option::Option::Some(policy) => call(policy),
                    ::core::option::Option::None => otherwise,
                })
            }

            $crate::bindings::export_policy!(Component with_types_in $crate::bindings);
            $( $crate::export_optional!($optional); )*
        };

        // Outside Wasm nobody calls in; this keeps the type in use, and says early if it lacks
        // a trait.
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is_policy<P: $crate::Policy>() {}
            is_policy::<$policy>();
            $( $crate::export_check!($policy, $optional); )*
        };
    };
}

/// One optional export of [`export!`].
#[doc(hidden)]
#[macro_export]
macro_rules! export_optional {
    (feedback) => {
        impl $crate::bindings::feedback::exports::pointsman::policy::feedback::Guest for Component {
            fn done(outcome: $crate::Outcome) {
                instance((), |policy| $crate::Feedback::done(policy, &outcome));
            }
        }
        $crate::bindings::feedback::export_feedback!(
            Component with_types_in $crate::bindings::feedback
        );
    };
    (timer) => {
        impl $crate::bindings::timer::exports::pointsman::policy::timer::Guest for Component {
            fn period() -> u32 {
                instance(0, |policy| $crate::Timer::period(policy))
            }
            fn tick(now: u64) {
                instance((), |policy| $crate::Timer::tick(policy, now));
            }
        }
        $crate::bindings::timer::export_timer!(Component with_types_in $crate::bindings::timer);
    };
    (state) => {
        impl $crate::bindings::state::exports::pointsman::policy::state::Guest for Component {
            fn save() -> ::std::vec::Vec<u8> {
                instance(::std::vec::Vec::new(), |policy| $crate::State::save(policy))
            }
            fn restore(state: ::std::vec::Vec<u8>) {
                instance((), |policy| $crate::State::restore(policy, state));
            }
        }
        $crate::bindings::state::export_state!(Component with_types_in $crate::bindings::state);
    };
    (explain) => {
        impl $crate::bindings::explain::exports::pointsman::policy::explain::Guest for Component {
            fn explain(request: $crate::Request) -> ::std::string::String {
                instance(::std::string::String::new(), |policy| {
                    $crate::Explain::explain(policy, &request)
                })
            }
        }
        $crate::bindings::explain::export_explain!(
            Component with_types_in $crate::bindings::explain
        );
    };
}

/// That a type has the trait of an optional export.
#[doc(hidden)]
#[macro_export]
macro_rules! export_check {
    ($policy:ty, feedback) => {
        const fn has_feedback<P: $crate::Feedback>() {}
        has_feedback::<$policy>();
    };
    ($policy:ty, timer) => {
        const fn has_timer<P: $crate::Timer>() {}
        has_timer::<$policy>();
    };
    ($policy:ty, state) => {
        const fn has_state<P: $crate::State>() {}
        has_state::<$policy>();
    };
    ($policy:ty, explain) => {
        const fn has_explain<P: $crate::Explain>() {}
        has_explain::<$policy>();
    };
}
