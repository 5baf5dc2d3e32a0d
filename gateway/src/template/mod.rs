//! Text with variables, in nginx's words: `$remote_addr - "$request" $status`.
//!
//! Log lines, header values and hash keys are such texts. They are parsed once, when the
//! configuration is read ([`Template::parse`]), and rendered for each request into a buffer of the
//! caller's, without an allocation of their own. What a variable stands for is said by whoever
//! knows the request, through [`Values`].
//!
//! `$name` and `${name}` are as in nginx (`ngx_http_script_compile`): a name is made of letters,
//! digits and `_`, in any case. nginx has no way to write a dollar sign; here it is `$$`, which
//! nginx refuses, so that no text of nginx's changes its meaning.

mod escape;
mod parse;
mod render;
mod variable;

pub use escape::{Escape, json, uri};
pub use parse::{Template, TemplateError};
pub use render::Values;
pub use variable::Variable;
