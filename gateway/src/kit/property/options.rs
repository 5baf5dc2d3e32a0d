//! Whatever an operator may write.

use serde_json::{Map, Value, json};

use super::{Found, Property, Trial};
use crate::kit::fleet::Fleet;
use crate::kit::request;
use crate::kit::subject::{Stopped, Subject};
use crate::policy::{Birth, BirthError};

pub(super) const OPTIONS: Property = Property {
    name: "options",
    expected: "taken or refused with a word about why, never a trap; a name that does not exist is refused",
    examine,
};

/// Is certainly no option of any policy.
const NO_OPTION: &str = "no_such_option";

/// What came of the options that were tried.
#[derive(Default)]
struct Count {
    taken: u32,
    refused: u32,
    silent: Option<String>,
}

fn examine(trial: &mut Trial<'_>) -> Result<Found, Stopped> {
    let subject = trial.subject;
    trial.tries("the option `no_such_option`");
    let known: Map<String, Value> = serde_json::from_str(&subject.wishes.options).unwrap_or_default();
    let refusal = birth(subject, &json!({ NO_OPTION: 1 }).to_string())?;
    let mut names: Vec<String> = known.keys().cloned().collect();
    names.extend(
        refusal.iter().flat_map(|text| quoted(text)).filter(|name| *name != NO_OPTION).map(str::to_owned),
    );
    names.sort();
    names.dedup();

    trial.tries(match names.join("`, `") {
        none if none.is_empty() => "unknown and odd names, with values of any type".to_owned(),
        known => format!("values of wrong types and sizes for `{known}`, unknown and odd names"),
    });

    let mut count = Count::default();
    for options in variants(&known, &names) {
        match birth(subject, &options)? {
            None => count.taken += 1,
            Some(why) => {
                count.refused += 1;
                if why.trim().is_empty() {
                    count.silent.get_or_insert(options);
                }
            }
        }
    }
    let Count { taken, refused, silent } = count;
    let happened = format!("{} option sets: {taken} taken, {refused} refused", taken + refused);
    Ok(match (silent, refusal) {
        (Some(options), _) => Found::Otherwise(format!("{options} is refused without a word")),
        (None, None) => Found::Noteworthy(format!(
            "{happened}\n{{\"{NO_OPTION}\":1}} is taken: an operator who misspells an option will not be told"
        )),
        (None, Some(_)) => Found::Expected(format!("{happened} with a word, unknown names too")),
    })
}

/// What it says when it refuses these options; none when it takes them, and then it also picks.
fn birth(subject: &Subject, options: &str) -> Result<Option<String>, Stopped> {
    let shown = |what: String| {
        let short: String = options.chars().take(200).collect();
        Stopped(format!("{what} (options {short})"))
    };
    let birth = Birth { options, ..subject.birth(Fleet::weighted(&[1, 2, 3]).candidates()) };
    let mut instance = match subject.policy.instantiate(birth) {
        Ok(instance) => instance,
        Err(BirthError::Refused(why)) => return Ok(Some(why)),
        Err(BirthError::Fault(fault)) => return Err(shown(fault.to_string())),
    };
    for visitor in 0..3 {
        let ask = request::ask(visitor, 0, visitor << 60, 1_000_000);
        instance.pick(&ask, &mut request::facts(visitor, &[])).map_err(|fault| shown(fault.to_string()))?;
    }
    Ok(None)
}

/// Words in backticks: a good refusal names the options that there are.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let legal =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    text.split('`').skip(1).step_by(2).filter(move |word| legal(word))
}

/// Objects to try: each name with values of every kind, and names that cannot be meant.
fn variants(known: &Map<String, Value>, names: &[String]) -> Vec<String> {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(2),
        json!(0.5),
        json!(1e308),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("first"),
        json!("é\u{0}\"\\"),
        json!("x".repeat(10_000)),
        json!([]),
        json!({}),
        json!([1, "2", null]),
        deep,
    ];
    let with = |name: &str, value: &Value| {
        let mut options = known.clone();
        options.insert(name.to_owned(), value.clone());
        Value::Object(options).to_string()
    };
    let each = names.iter().flat_map(|name| values.iter().map(|value| with(name, value)));
    let odd = ["", "é", "a\"b", "__proto__"].map(|name| with(name, &json!(1)));
    let many: Map<String, Value> = (0..200).map(|n| (format!("option_{n}"), json!(n))).collect();
    each.chain(odd).chain(["{}".to_owned(), Value::Object(many).to_string()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_options_are_read_from_a_refusal() {
        let text = "there is no option `no_such_option`: there are `choices` and `a b`";
        assert_eq!(quoted(text).collect::<Vec<_>>(), ["no_such_option", "choices"]);
    }

    #[test]
    fn what_was_configured_stays_beside_what_is_varied() {
        let Value::Object(known) = json!({"a": 1, "b": 2}) else { unreachable!() };
        let made = variants(&known, &["b".to_owned()]);
        assert!(made.contains(&r#"{"a":1,"b":null}"#.to_owned()), "{made:?}");
    }
}
