//! Whom a listener believes about its clients.

use http::HeaderName;

use crate::config::fields::{Fields, Text};
use crate::config::model::{ClientField, Network, Networks, Trust};
use crate::config::problems::Findings;

/// `trusted_proxies`, `real_ip_header` and `proxy_protocol` of a listener.
pub(super) fn trust(fields: &Fields<'_>, findings: &mut Findings) -> Option<Trust> {
    let proxy_protocol = fields.flag("proxy_protocol", findings);
    let field = fields.text("real_ip_header", findings);
    let wanted = field.and_then(|text| client_field(text, findings));
    if fields.get("trusted_proxies").is_none() {
        for name in ["proxy_protocol", "real_ip_header"] {
            if let Some(node) = fields.get(name).filter(|_| name != "proxy_protocol" || proxy_protocol) {
                let message = format!("`{name}` needs `trusted_proxies`");
                let help =
                    "add whom to believe: `trusted_proxies = [\"10.0.0.0/8\"]`; anybody can say anything";
                findings.error(node.place, message, help);
            }
        }
        return None;
    }
    let proxies = networks(&fields.texts("trusted_proxies", findings), findings);
    let usual = if proxy_protocol { ClientField::None } else { ClientField::XForwardedFor };
    Some(Trust { proxies, field: wanted.unwrap_or(usual), proxy_protocol })
}

fn networks(texts: &[Text<'_>], findings: &mut Findings) -> Networks {
    let mut networks = Networks::default();
    for text in texts {
        if matches!(text.text, "unix" | "unix:") {
            networks.unix = true;
            continue;
        }
        match Network::read(text.text) {
            Ok(network) => networks.networks.push(network),
            Err(help) => {
                let message = format!("`{}` is no address of a proxy", text.text);
                findings.error(text.place, message, help);
            }
        }
    }
    networks
}

fn client_field(text: Text<'_>, findings: &mut Findings) -> Option<ClientField> {
    let Ok(name) = HeaderName::try_from(text.text) else {
        let message = format!("`{}` cannot be the name of a header", text.text);
        findings.error(text.place, message, "write `X-Forwarded-For`, `Forwarded`, or `X-Real-IP`");
        return None;
    };
    Some(match name.as_str() {
        "x-forwarded-for" => ClientField::XForwardedFor,
        "forwarded" => ClientField::Forwarded,
        "proxy_protocol" => ClientField::None,
        _ => ClientField::Other(name),
    })
}
