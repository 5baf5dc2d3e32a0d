//! The insides of lists, tables and enums, for serde.

use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::{Error, Reader};

/// The items of a list or a table.
pub(super) struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// How many were begun.
    count: usize,
    /// The key of the value that comes next.
    key: String,
}

impl<'a, 'de> Items<'a, 'de> {
    pub(super) fn new(reader: &'a mut Reader<'de>) -> Self {
        Self { reader, count: 0, key: String::new() }
    }

    /// Whether another item comes before the bracket.
    #[inline(never)]
    fn more(&mut self, bracket: u8) -> Result<bool, Error> {
        if self.reader.peek() == bracket {
            return Ok(false);
        }
        if self.count > 0 {
            self.reader.expect(",")?;
        }
        self.count += 1;
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if !self.more(b']')? {
            return Ok(None);
        }
        let place = ["[", &(self.count - 1).to_string(), "]"].concat();
        seed.deserialize(&mut *self.reader).map(Some).map_err(|error| error.within(&place))
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        self.key = self.reader.string()?.into_owned();
        self.reader.expect(":")?;
        let key: StrDeserializer<'_, Error> = self.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.reader).map_err(|error| error.within(&self.key))
    }
}

/// One of several: `"name"`, or `{"name": content}`.
pub(super) struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
    name: String,
    has_content: bool,
}

impl<'a, 'de> Variant<'a, 'de> {
    pub(super) fn open(reader: &'a mut Reader<'de>, has_content: bool) -> Result<Self, Error> {
        let name = reader.string()?.into_owned();
        if has_content {
            reader.expect(":")?;
        }
        Ok(Self { reader, name, has_content })
    }

    fn content<T>(self, read: impl FnOnce(&mut Reader<'de>) -> Result<T, Error>) -> Result<T, Error> {
        if self.has_content {
            read(self.reader).map_err(|error| error.within(&self.name))
        } else {
            Err(Error::new(["`", &self.name, "` needs more than its name"].concat()))
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if self.has_content { self.content(|reader| <()>::deserialize(reader)) } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.content(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.content(|reader| reader.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.content(|reader| reader.deserialize_map(visitor))
    }
}
