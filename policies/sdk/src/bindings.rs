//! What `wit-bindgen` makes of `wit/`. Used by [`export!`](crate::export!), by nobody else.

wit_bindgen::generate!({
    path: "../../wit",
    world: "plain",
    additional_derives: [PartialEq],
    default_bindings_module: "pointsman_policy::bindings",
    export_macro_name: "export_policy",
    pub_export_macro: true,
});

// Each optional export has a world of its own, because a component must contain everything that
// its world exports. The linker unites the worlds that are in use.

pub mod feedback {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package pointsman:sdk; world feedback { export pointsman:policy/feedback@0.1.0; }",
        world: "pointsman:sdk/feedback",
        with: { "pointsman:policy/types@0.1.0": crate::bindings::pointsman::policy::types },
        default_bindings_module: "pointsman_policy::bindings::feedback",
        export_macro_name: "export_feedback",
        pub_export_macro: true,
    });
}

pub mod timer {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package pointsman:sdk; world timer { export pointsman:policy/timer@0.1.0; }",
        world: "pointsman:sdk/timer",
        default_bindings_module: "pointsman_policy::bindings::timer",
        export_macro_name: "export_timer",
        pub_export_macro: true,
    });
}

pub mod state {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package pointsman:sdk; world state { export pointsman:policy/state@0.1.0; }",
        world: "pointsman:sdk/state",
        default_bindings_module: "pointsman_policy::bindings::state",
        export_macro_name: "export_state",
        pub_export_macro: true,
    });
}

pub mod explain {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package pointsman:sdk; world explain { export pointsman:policy/explain@0.1.0; }",
        world: "pointsman:sdk/explain",
        with: { "pointsman:policy/types@0.1.0": crate::bindings::pointsman::policy::types },
        default_bindings_module: "pointsman_policy::bindings::explain",
        export_macro_name: "export_explain",
        pub_export_macro: true,
    });
}
