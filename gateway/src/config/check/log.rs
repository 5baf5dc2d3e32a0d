//! `[log]`.

use super::template::template;
use crate::config::fields::Fields;
use crate::config::model::{AccessLog, Log, LogFormat};
use crate::config::problems::Findings;

/// Checks the section.
pub(super) fn log(fields: &Fields<'_>, findings: &mut Findings) -> Log {
    Log {
        level: level(fields, findings),
        file: fields.path("file", findings),
        access: access(fields, findings).unwrap_or(AccessLog::Off),
        format: format(fields, findings).unwrap_or(LogFormat::Combined),
    }
}

fn level(fields: &Fields<'_>, findings: &mut Findings) -> tracing::Level {
    match fields.one_of("level", findings) {
        Some("error") => tracing::Level::ERROR,
        Some("warn") => tracing::Level::WARN,
        Some("debug") => tracing::Level::DEBUG,
        _ => tracing::Level::INFO,
    }
}

fn access(fields: &Fields<'_>, findings: &mut Findings) -> Option<AccessLog> {
    let text = fields.text("access", findings)?;
    match text.text {
        "off" => Some(AccessLog::Off),
        "stdout" => Some(AccessLog::Stdout),
        _ => fields.path_of(text, findings).map(AccessLog::File),
    }
}

fn format(fields: &Fields<'_>, findings: &mut Findings) -> Option<LogFormat> {
    let text = fields.text("format", findings)?;
    match text.text {
        "combined" => return Some(LogFormat::Combined),
        "json" => return Some(LogFormat::Json),
        _ => {}
    }
    if !text.text.contains('$') {
        let message = format!("`{}` is no format, and as a text it has no variable", text.text);
        findings.error(
            text.place,
            message,
            "write `combined`, `json`, or a text like `$remote_addr $status`",
        );
        return None;
    }
    template(text, findings).map(LogFormat::Text)
}
