//! The options of a policy: a JSON object, made of what the operator wrote.
//!
//! The reader is our own, because a component should be small: with `serde_json` the same policy
//! is three times as large, most of it about numbers with a fraction (figures in
//! `policies/README.md`). Here those cost nothing unless an option is one.

mod access;
mod error;
mod reader;
mod span;

use error::Error;
use reader::Reader;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use span::Span;

/// For a policy that has no options; refuses any.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoOptions {}

/// Reads options; the error names the key that is wrong.
pub(crate) fn parse<O: DeserializeOwned>(json: &str) -> Result<O, String> {
    read(json).map_err(|error| error.to_string())
}

fn read<O: DeserializeOwned>(json: &str) -> Result<O, Error> {
    let mut reader = Reader::new(json);
    let options = O::deserialize(&mut reader)?;
    reader.end()?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::{NoOptions, parse};

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Round,
        Edged { corners: u8 },
        Sized(u16),
        Both(u8, u8),
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        choices: u8,
        factor: f64,
        offset: i32,
        name: String,
        strict: bool,
        limit: Option<u64>,
        zones: BTreeMap<String, Vec<u32>>,
        shape: Option<Shape>,
        pair: (u8, String),
    }

    fn refusal<O: DeserializeOwned>(json: &str) -> String {
        parse::<O>(json).err().unwrap_or_else(|| panic!("{json} was taken"))
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for json in [
            "{}",
            " { \n \"choices\" : 255 , \"strict\":true}\t",
            r#"{"factor":1.25,"offset":-2147483648,"limit":18446744073709551615}"#,
            r#"{"factor":3,"limit":null,"strict":false}"#,
            r#"{"factor":-1e-3,"zones":{}}"#,
            r#"{"name":"plain"}"#,
            r#"{"name":"é \"q\" \\ \/ \b\f\n\r\t \u00e9 \ud83d\ude00 😀"}"#,
            r#"{"zones":{"a":[1,2,3],"":[],"\u0062":[ 4 ]}}"#,
            r#"{"shape":"round","pair":[1,"x"]}"#,
            r#"{"shape":{"edged":{"corners":3}}}"#,
            r#"{"shape":{"sized":4}}"#,
            r#"{"shape":{"both":[4,5]}}"#,
        ] {
            let expected: Options = serde_json::from_str(json).expect(json);
            assert_eq!(parse::<Options>(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn refuses_what_serde_json_refuses() {
        for json in [
            "",
            "{",
            "}",
            "null",
            "{} x",
            "{,}",
            r#"{"choices"}"#,
            r#"{"choices":}"#,
            r#"{"choices":1,}"#,
            r#"{"choices":1 "offset":2}"#,
            r#"{"choices":-}"#,
            r#"{"choices":+1}"#,
            r#"{"choices":1.}"#,
            r#"{"choices":1.5}"#,
            r#"{"choices":nul}"#,
            r#"{"choices":"#,
            r#"{"name":"x}"#,
            r#"{"name":"\x"}"#,
            r#"{"name":"\ud83d"}"#,
            r#"{"name":"\ud83dx"}"#,
            r#"{"name":"\ude00"}"#,
            r#"{"name":"\u12"}"#,
            r#"{"name":"\u+123"}"#,
            "{\"name\":\"\n\"}",
            r#"{"factor":1.2.3}"#,
            r#"{"factor":"1"}"#,
            r#"{"zones":{"a":[1,]}}"#,
            r#"{"zones":{"a":[1"#,
            r#"{"pair":[1]}"#,
            r#"{"pair":[1,"x",2]}"#,
            r#"{"shape":{"round":1}}"#,
            r#"{"shape":{}}"#,
            r#"{"shape":7}"#,
            r#"{"shape":{"sized":4,"x":1}}"#,
            r#"{"choices":1,"choices":2}"#,
            r#"{1:2}"#,
            r#"{"choices":truefalse}"#,
        ] {
            assert!(serde_json::from_str::<Options>(json).is_err(), "{json}");
            refusal::<Options>(json);
        }
    }

    #[test]
    fn says_which_key_is_wrong_and_what_would_do() {
        for (json, expected) in [
            (
                r#"{"chioces":2}"#,
                "there is no option `chioces`; there are `choices`, `factor`, `offset`, `name`, `strict`, `limit`, `zones`, `shape`, `pair`",
            ),
            (r#"{"choices":"two"}"#, "choices: expected a whole number from 0 to 255, found \"two\""),
            (r#"{"choices":256}"#, "choices: expected a whole number from 0 to 255, found 256"),
            (r#"{"choices":-1}"#, "choices: expected a whole number from 0 to 255, found -1"),
            (r#"{"choices":2.5}"#, "choices: expected a whole number from 0 to 255, found 2.5"),
            (r#"{"strict":"yes"}"#, "strict: expected true or false, found \"yes\""),
            (r#"{"name":["a"]}"#, "name: expected a string, found a list"),
            (r#"{"factor":{}}"#, "factor: expected a number, found a table"),
            (
                r#"{"zones":{"a":[1,true]}}"#,
                "zones.a[1]: expected a whole number from 0 to 4294967295, found true",
            ),
            (r#"{"shape":"flat"}"#, "shape: there is no `flat`; there are `round`, `edged`, `sized`, `both`"),
            (
                r#"{"shape":{"edged":{"corners":null}}}"#,
                "shape.edged.corners: expected a whole number from 0 to 255, found nothing",
            ),
            (r#"{"shape":{"edged":{}}}"#, "shape.edged: `corners` is missing"),
        ] {
            assert_eq!(refusal::<Options>(json), expected);
        }
        assert_eq!(refusal::<NoOptions>(r#"{"x":1}"#), "there is no option `x`; there are none");
    }
}
