//! `${NAME}` and `${NAME:-otherwise}` inside texts.

use std::ops::Range;

/// Looks up a variable of the environment.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A reference that could not be replaced: its bytes within the text, what is wrong, what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreplaced {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

/// Replaces the references to the environment in `text`.
///
/// Names are in capitals, so that `${remote_addr}` stays what it is: a variable of a template. So
/// does what follows `$$`, a template's way to write a dollar. As in a shell, an empty variable
/// counts as unset where a default is given.
pub(super) fn replace(text: &str, environment: Environment<'_>, wrong: &mut Vec<Unreplaced>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(found) = text[done..].find("${") {
        let start = done + found;
        let name_end = text[start + 2..].find(|c| !is_name(c)).map_or(text.len(), |n| start + 2 + n);
        let name = &text[start + 2..name_end];
        let dollars = text[..start].bytes().rev().take_while(|byte| *byte == b'$').count();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || dollars % 2 == 1 {
            result.push_str(&text[done..start + 2]);
            done = start + 2;
            continue;
        }
        result.push_str(&text[done..start]);
        let end = text[name_end..].find('}').map(|n| name_end + n);
        let (value, after) = match end {
            Some(end) => (value(name, &text[name_end..end], environment), end + 1),
            None => (Err((format!("`${{{name}` is not closed"), "close it with `}`".into())), text.len()),
        };
        match value {
            Ok(value) => result.push_str(&value),
            Err((message, help)) => wrong.push(Unreplaced { span: start..after, message, help }),
        }
        done = after;
    }
    result.push_str(&text[done..]);
    result
}

fn is_name(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'
}

/// The value of a reference; `rest` is what stands between the name and the `}`.
fn value(name: &str, rest: &str, environment: Environment<'_>) -> Result<String, (String, String)> {
    if rest.is_empty() {
        let unset = || {
            let help = format!("set it, or give a default: `${{{name}:-value}}`");
            (format!("the environment variable `{name}` is not set"), help)
        };
        return environment(name).ok_or_else(unset);
    }
    let Some(default) = rest.strip_prefix(":-") else {
        let message = format!("`${{{name}{rest}}}` cannot be read");
        return Err((message, format!("write `${{{name}}}` or `${{{name}:-value}}`; names are in capitals")));
    };
    Ok(environment(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::replace;

    fn with_port(text: &str) -> (String, Vec<String>) {
        let environment = |name: &str| match name {
            "PORT" => Some("8080".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let mut wrong = Vec::new();
        let text = replace(text, &environment, &mut wrong);
        (text, wrong.into_iter().map(|w| w.message).collect())
    }

    #[test]
    fn a_reference_is_replaced_by_its_value_or_its_default() {
        let cases = [
            ("127.0.0.1:${PORT}", "127.0.0.1:8080"),
            ("${HOST:-[::1]}:${PORT:-80}", "[::1]:8080"),
            ("<${EMPTY}${EMPTY:-e}>", "<e>"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(with_port(text), (expected.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_stays() {
        for text in
            ["$remote_addr", "${remote_addr}", "$ {PORT}", "${", "${}", "${1}", "$PORT", "é${é}", "$${PORT}"]
        {
            assert_eq!(with_port(text), (text.to_owned(), vec![]));
        }
        assert_eq!(with_port("$$${PORT}").0, "$$8080");
    }

    #[test]
    fn every_reference_that_fails_is_named() {
        let (_, wrong) = with_port("${A} ${PORT+x} ${B}");
        assert_eq!(wrong.len(), 3);
        assert_eq!(wrong[0], "the environment variable `A` is not set");
        assert_eq!(with_port("${PORT").1, ["`${PORT` is not closed"]);
    }

    #[test]
    fn fuzz_environment() {
        let words = ["${", "}", "$", "$$", ":-", "PORT", "EMPTY", "${PORT}", "\u{e9}"];
        crate::fuzz::fuzz("environment", &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            let (replaced, wrong) = with_port(text);
            assert!(text.contains("${") || (replaced == text && wrong.is_empty()));
        });
    }
}
