//! JSON (RFC 8259) for serde, value by value.

use std::borrow::Cow;

use serde::de::{Deserializer, Error as _, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::Error;
use super::access::{Items, Variant};

/// What a value begins with; all of it, if it is not a list or a table.
enum Token<'de> {
    List,
    Table,
    Text(Cow<'de, str>),
    Bool(bool),
    Null,
    /// At least 0, below 0, and neither of them whole.
    Natural(u64),
    Negative(i64),
    Fraction(&'de str),
}

/// Reads one value after the other. How deep it goes is up to the type that is read.
pub(crate) struct Reader<'de> {
    /// What was not read yet.
    rest: &'de str,
}

// Nothing generic here, and no slices that could panic: both would be paid for in bytes.
impl<'de> Reader<'de> {
    pub(crate) fn new(json: &'de str) -> Self {
        Self { rest: json }
    }

    /// That nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        if self.peek() == 0 { Ok(()) } else { Err(self.unexpected("the end")) }
    }

    /// The byte that the next token begins with; 0 at the end.
    pub(super) fn peek(&mut self) -> u8 {
        self.cut(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.rest.as_bytes().first().copied().unwrap_or(0)
    }

    /// Passes over `token` if it comes next.
    fn take(&mut self, token: &str) -> bool {
        self.peek();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Cuts off what comes next as long as all its bytes are `wanted`.
    fn cut(&mut self, wanted: impl Fn(u8) -> bool) -> &'de str {
        let length = self.rest.bytes().take_while(|byte| wanted(*byte)).count();
        let (cut, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        cut
    }

    #[inline(never)]
    pub(super) fn expect(&mut self, token: &str) -> Result<(), Error> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(token)) }
    }

    /// The end of a list or table whose visitor has seen enough.
    #[inline(never)]
    fn close(&mut self, token: &str) -> Result<(), Error> {
        if self.peek() == b',' { Err(Error::new("more than is expected")) } else { self.expect(token) }
    }

    #[inline(never)]
    fn unexpected(&self, expected: &str) -> Error {
        Error::new(["not JSON: expected ", expected, " before \"", self.rest, "\""].concat())
    }

    #[inline(never)]
    fn token(&mut self) -> Result<Token<'de>, Error> {
        Ok(match self.peek() {
            b'"' => Token::Text(self.string()?),
            b'-' | b'0'..=b'9' => self.number(),
            _ if self.take("[") => Token::List,
            _ if self.take("{") => Token::Table,
            _ if self.take("true") => Token::Bool(true),
            _ if self.take("false") => Token::Bool(false),
            _ if self.take("null") => Token::Null,
            _ => return Err(self.unexpected("a value")),
        })
    }

    fn number(&mut self) -> Token<'de> {
        let text = self.cut(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let natural = text.parse().map(Token::Natural);
        let whole = natural.or_else(|_| text.parse().map(Token::Negative));
        whole.unwrap_or(Token::Fraction(text))
    }

    #[inline(never)]
    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, Error> {
        self.expect("\"")?;
        let mut text = Cow::Borrowed("");
        loop {
            text += self.cut(|byte| byte != b'"' && byte != b'\\' && byte >= b' ');
            // No `take` here: it passes over white space.
            if let Some(rest) = self.rest.strip_prefix('"') {
                self.rest = rest;
                return Ok(text);
            }
            let escape = self.rest.strip_prefix('\\');
            self.rest = escape.ok_or_else(|| self.unexpected("the end of a string"))?;
            text.to_mut().push(self.escape()?);
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Error> {
        let escaped = match self.rest.as_bytes().first() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.unexpected("an escape")),
        };
        self.rest = self.rest.get(1..).unwrap_or("");
        Ok(escaped)
    }

    /// `uXXXX`, or two of them that make one character (RFC 8259, section 7).
    fn unicode(&mut self) -> Result<char, Error> {
        let high = self.code_unit("u")?;
        let code = if (0xd800..0xdc00).contains(&high) {
            let low = self.code_unit("\\u")?;
            let low = Some(low).filter(|low| (0xdc00..0xe000).contains(low));
            low.map_or(high, |low| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.unexpected("a character's code"))
    }

    #[inline(never)]
    fn code_unit(&mut self, prefix: &str) -> Result<u32, Error> {
        let digits = self.rest.strip_prefix(prefix).and_then(|rest| rest.split_at_checked(4));
        let hexadecimal = |(digits, rest): (&str, &'de str)| {
            let valid = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            valid.then_some((u32::from_str_radix(digits, 16).ok()?, rest))
        };
        let code = digits.and_then(hexadecimal);
        let (code, rest) = code.ok_or_else(|| self.unexpected("four hexadecimal digits"))?;
        self.rest = rest;
        Ok(code)
    }

    /// Any value. Numbers with a fraction are refused unless wanted, so that the code that reads
    /// them is left out of components that have no use for it.
    fn value<const FRACTIONS: bool, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Token::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Null => visitor.visit_unit(),
            Token::Natural(number) => visitor.visit_u64(number),
            Token::Negative(number) => visitor.visit_i64(number),
            Token::Fraction(text) => {
                if FRACTIONS && let Ok(number) = text.parse() {
                    return visitor.visit_f64(number);
                }
                Err(Error::invalid_type(Unexpected::Other(text), &visitor))
            }
            Token::List => {
                let value = visitor.visit_seq(Items::new(self))?;
                self.close("]").map(|()| value)
            }
            Token::Table => {
                let value = visitor.visit_map(Items::new(self))?;
                self.close("}").map(|()| value)
            }
        }
    }
}

/// Kinds of values that are no numbers with a fraction.
macro_rules! deserialize_whole {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.value::<false, V>(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.value::<true, V>(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.take("null") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.peek() {
            b'"' => visitor.visit_enum(Variant::open(self, false)?),
            b'{' => {
                self.expect("{")?;
                let value = visitor.visit_enum(Variant::open(self, true)?)?;
                self.close("}").map(|()| value)
            }
            _ => self.value::<false, V>(visitor),
        }
    }

    deserialize_whole! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_unit deserialize_seq deserialize_map deserialize_identifier
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        // What serde derives would take a list too, as the fields in order: nobody should.
        if self.peek() == b'[' {
            return Err(Error::invalid_type(Unexpected::Seq, &"a table"));
        }
        self.value::<false, V>(visitor)
    }

    forward_to_deserialize_any! { i128 u128 f32 f64 unit_struct tuple tuple_struct ignored_any }
}
