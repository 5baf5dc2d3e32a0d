//! `mode = "redirect"`: where clients are sent.

use http::StatusCode;
use http::uri::{Scheme, Uri};

use crate::config::fields::{Fields, Text};
use crate::config::model::Redirect;
use crate::config::problems::Findings;
use crate::upstream::Address;

/// How clients are sent to the backends of an upstream, if they are. `public` has the addresses for
/// clients, in the order of the backends.
pub(super) fn redirect(
    fields: &Fields<'_>,
    public: Vec<Option<Box<str>>>,
    findings: &mut Findings,
) -> Option<Redirect> {
    let redirects = fields.one_of("mode", findings) == Some("redirect");
    let status = fields.number("redirect_status", findings);
    if let (Some(node), Some(status)) = (fields.get("redirect_status"), status) {
        if !redirects {
            let message = "`redirect_status` has no effect without `mode = \"redirect\"`";
            findings.warning(node.place, message, "add it, or leave this out");
        }
        if !matches!(status, 301..=303 | 307 | 308) {
            let help = "write 301, 302, 303, 307 or 308";
            findings.error(node.place, format!("{status} is no redirect"), help);
        }
    }
    if !redirects {
        return None;
    }
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let public: Option<Vec<_>> = public.into_iter().collect();
    if public.is_none() {
        let message = "clients cannot be sent to a unix socket";
        let help = "add `public = \"https://a.example\"` to the backend: where clients reach it";
        findings.error(fields.place, message, help);
    }
    Some(Redirect { status, public: public.unwrap_or_default().into() })
}

/// What stands before the path in `Location` for one backend; none if nothing can.
pub(super) fn public(
    written: Option<Text<'_>>,
    address: &Address,
    findings: &mut Findings,
) -> Option<Box<str>> {
    match (written, address) {
        (Some(text), _) => Some(base(text, findings).into()),
        (None, Address::Tcp { .. }) => Some(format!("http://{address}").into()),
        (None, Address::Unix(_)) => None,
    }
}

fn base<'a>(text: Text<'a>, findings: &mut Findings) -> &'a str {
    let uri = text.text.parse::<Uri>().ok();
    let fits = uri.is_some_and(|uri| {
        let web = uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        web && uri.authority().is_some() && uri.query().is_none()
    });
    if !fits {
        let message = format!("clients cannot be sent to `{}`", text.text);
        let help = "write scheme and host, and a path if there is one: `https://a.example`";
        findings.error(text.place, message, help);
    }
    text.text.trim_end_matches('/')
}
