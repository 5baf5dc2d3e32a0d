//! `[compression]`.

use std::sync::Arc;

use super::Top;
use crate::compress::{Coding, Compression, Levels, Types};
use crate::config::fields::{Fields, Text};
use crate::config::keys;
use crate::config::nearest::did_you_mean;
use crate::config::problems::Findings;

/// What is compressed unless told otherwise: what is text in some way. Images, sound, films and
/// archives are compressed already.
const TYPES: [&str; 12] = [
    "text/*",
    "*+json",
    "*+xml",
    "application/json",
    "application/javascript",
    "application/x-javascript",
    "application/xml",
    "application/xml+rss",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/otf",
    "font/ttf",
];

const CODINGS: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

/// What the section says, and whether it is written at all.
pub(super) struct Section {
    settings: Arc<Compression>,
    written: bool,
}

impl Section {
    pub(super) fn read(main: &Top<'_>, findings: &mut Findings) -> Self {
        let fields = main.table(&keys::COMPRESSION, "compression", findings);
        let number = |name, findings: &mut _| fields.number(name, findings).unwrap_or_default();
        let levels = Levels {
            gzip: u32::try_from(number("gzip_level", findings)).unwrap_or_default(),
            brotli: u32::try_from(number("brotli_level", findings)).unwrap_or_default(),
            zstd: i32::try_from(number("zstd_level", findings)).unwrap_or_default(),
        };
        let settings = Compression {
            codings: codings(&fields, findings),
            types: types(&fields, findings),
            min_size: fields.size("min_size", findings).unwrap_or_default(),
            levels,
        };
        Self { settings: Arc::new(settings), written: main.fields.get("compression").is_some() }
    }

    /// What holds for a route: the section, if it is written or the route asks for it.
    pub(super) fn of_route(&self, route: &Fields<'_>, findings: &mut Findings) -> Option<Arc<Compression>> {
        let own = route.get("compression").map(|_| route.flag("compression", findings));
        own.unwrap_or(self.written).then(|| Arc::clone(&self.settings))
    }
}

fn codings(fields: &Fields<'_>, findings: &mut Findings) -> Vec<Coding> {
    if fields.get("codings").is_none() {
        return CODINGS.to_vec();
    }
    let mut codings = Vec::new();
    for text in fields.texts("codings", findings) {
        match Coding::named(text.text).filter(|coding| coding.name() == text.text) {
            None => unknown(text, findings),
            Some(coding) if codings.contains(&coding) => {
                let message = format!("`{}` stands here twice", text.text);
                findings.error(text.place, message, "keep one of them");
            }
            Some(coding) => codings.push(coding),
        }
    }
    codings
}

fn unknown(text: Text<'_>, findings: &mut Findings) {
    let help = match (text.text, did_you_mean(text.text, CODINGS.map(Coding::name))) {
        ("brotli", _) => "it is called `br`".to_owned(),
        ("deflate", _) => {
            "leave it out: clients disagree about what it is, and all of them know gzip".to_owned()
        }
        (_, Some(name)) => format!("did you mean `{name}`?"),
        (_, None) => "there are `gzip`, `br` and `zstd`".to_owned(),
    };
    findings.error(text.place, format!("there is no coding `{}`", text.text), help);
}

fn types(fields: &Fields<'_>, findings: &mut Findings) -> Types {
    if fields.get("types").is_none() {
        return Types(TYPES.map(Into::into).into());
    }
    let mut types: Vec<Box<str>> = Vec::new();
    for text in fields.texts("types", findings) {
        let stars = text.text.matches('*').count();
        let inner = text.text.trim_start_matches('*').trim_end_matches('*');
        let legal = text.text == "*" || (stars <= 1 && !inner.contains('*') && !inner.is_empty());
        let whole = stars > 0 || text.text.contains('/');
        if !legal || !whole || text.text.contains([' ', ';']) {
            let message = format!("`{}` is no media type", text.text);
            let help = "write `text/html`, `text/*`, `*+json`, or `*` for all types";
            findings.error(text.place, message, help);
        }
        types.push(text.text.to_ascii_lowercase().into());
    }
    // As in nginx, where `gzip_types` adds to it.
    types.push("text/html".into());
    Types(types)
}
