//! The encoders, behind one face.

use std::io::{self, Write};

use zstd::zstd_safe::CParameter;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Brotli, Self::Zstd];

    /// As `Content-Encoding` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }
}

/// How hard each coding tries; more takes longer and makes less.
#[derive(Clone, Copy, Debug)]
pub struct Levels {
    /// 1 to 9 (nginx `gzip_comp_level`).
    pub gzip: u32,
    /// 0 to 11.
    pub brotli: u32,
    /// 1 to 19.
    pub zstd: i32,
}

/// How far back brotli looks, as a power of two: 128 KiB. With twice as much it takes twice the
/// memory, 3.5 MiB instead of 1.75 at level 4, and makes hardly less.
const BROTLI_WINDOW: u32 = 17;
/// The same for zstd, 512 KiB: some 800 KiB of memory at level 3.
const ZSTD_WINDOW: u32 = 19;
/// The smallest window that both can do.
const SMALLEST_WINDOW: u32 = 10;

/// An encoder of one body. What comes out is taken with [`Encoder::take`].
pub struct Encoder {
    kind: Kind,
    /// Did something go in that may not have come out?
    dirty: bool,
}

enum Kind {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// An encoder for a body of `size` bytes, if that is known.
    ///
    /// # Errors
    /// The library has no memory.
    pub fn new(coding: Coding, levels: Levels, size: Option<u64>) -> io::Result<Self> {
        let needed = size.map_or(u32::MAX, |size| size.max(1).next_power_of_two().ilog2());
        let window = |largest| needed.clamp(SMALLEST_WINDOW, largest);
        let out = Vec::new();
        let kind = match coding {
            Coding::Gzip => {
                Kind::Gzip(flate2::write::GzEncoder::new(out, flate2::Compression::new(levels.gzip)))
            }
            Coding::Brotli => {
                let window = window(BROTLI_WINDOW);
                Kind::Brotli(Box::new(brotli::CompressorWriter::new(out, 4096, levels.brotli, window)))
            }
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, levels.zstd)?;
                encoder.set_parameter(CParameter::WindowLog(window(ZSTD_WINDOW)))?;
                Kind::Zstd(encoder)
            }
        };
        Ok(Self { kind, dirty: false })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.kind {
            Kind::Gzip(encoder) => encoder,
            Kind::Brotli(encoder) => encoder,
            Kind::Zstd(encoder) => encoder,
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match &mut self.kind {
            Kind::Gzip(encoder) => encoder.get_mut(),
            Kind::Brotli(encoder) => encoder.get_mut(),
            Kind::Zstd(encoder) => encoder.get_mut(),
        }
    }

    /// Puts in a piece of the body.
    ///
    /// # Errors
    /// The library has no memory.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.dirty |= !piece.is_empty();
        self.writer().write_all(piece)
    }

    /// Brings out all that went in, so that the client can decode it now. Costs some bytes; does
    /// nothing when there is nothing to bring out.
    ///
    /// # Errors
    /// The library has no memory.
    pub fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.dirty) { self.writer().flush() } else { Ok(()) }
    }

    /// How much has come out and was not taken.
    pub fn ready(&mut self) -> usize {
        self.out().len()
    }

    /// What has come out.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.out())
    }

    /// Ends the body; the rest of it.
    ///
    /// # Errors
    /// The library has no memory.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self.kind {
            Kind::Gzip(encoder) => encoder.finish(),
            Kind::Brotli(encoder) => Ok(encoder.into_inner()),
            Kind::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let coding = match self.kind {
            Kind::Gzip(_) => Coding::Gzip,
            Kind::Brotli(_) => Coding::Brotli,
            Kind::Zstd(_) => Coding::Zstd,
        };
        f.debug_struct("Encoder").field("coding", &coding).field("dirty", &self.dirty).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const LEVELS: Levels = Levels { gzip: 5, brotli: 4, zstd: 3 };

    /// As much as can be decoded of `bytes`, whether they end or not.
    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut decoder: Box<dyn Read + '_> = match coding {
            Coding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
            Coding::Brotli => Box::new(brotli::Decompressor::new(bytes, 4096)),
            Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(bytes).unwrap()),
        };
        let (mut all, mut block) = (Vec::new(), [0; 512]);
        while let Ok(read @ 1..) = decoder.read(&mut block) {
            all.extend_from_slice(&block[..read]);
        }
        all
    }

    #[test]
    fn what_goes_in_comes_out_again() {
        let text = "all work and no play ".repeat(20_000).into_bytes();
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding, LEVELS, Some(text.len() as u64)).unwrap();
            text.chunks(7_000).for_each(|piece| encoder.write(piece).unwrap());
            let mut bytes = encoder.take();
            bytes.extend(encoder.finish().unwrap());
            assert!(bytes.len() < text.len() / 20, "{coding:?}: {}", bytes.len());
            assert_eq!(decoded(coding, &bytes), text, "{coding:?}");
        }
    }

    #[test]
    fn a_flush_brings_out_all_that_went_in() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding, LEVELS, None).unwrap();
            encoder.write(b"first ").unwrap();
            encoder.flush().unwrap();
            let mut bytes = encoder.take();
            assert_eq!(decoded(coding, &bytes), b"first ", "{coding:?}");
            encoder.flush().unwrap();
            assert_eq!(encoder.ready(), 0, "{coding:?}: nothing to bring out");
            encoder.write(b"second").unwrap();
            encoder.flush().unwrap();
            bytes.extend(encoder.take());
            assert_eq!(decoded(coding, &bytes), b"first second", "{coding:?}");
        }
    }

    #[test]
    fn an_empty_body_is_a_legal_one() {
        for coding in Coding::ALL {
            let bytes = Encoder::new(coding, LEVELS, Some(0)).unwrap().finish().unwrap();
            assert!(!bytes.is_empty() && decoded(coding, &bytes).is_empty(), "{coding:?}");
        }
    }

    #[test]
    fn codings_are_found_by_the_names_they_show() {
        for coding in Coding::ALL {
            assert_eq!(Coding::named(coding.name()), Some(coding));
            assert_eq!(Coding::ALL[coding as usize], coding);
        }
        assert_eq!(Coding::named("deflate"), None);
    }
}
