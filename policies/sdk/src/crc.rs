//! CRC-32, the hash that nginx's methods stand on.

/// The checksum of nothing, to be continued by [`crc32_update`].
pub const CRC32_START: u32 = !0;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (0xedb8_8320 & (value & 1).wrapping_neg());
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

/// Takes more bytes into a checksum that is not finished: its complement is the result.
#[must_use]
pub fn crc32_update(unfinished: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)];
    bytes.iter().fold(unfinished, step)
}

/// CRC-32 (IEEE 802.3, as zlib's) of the parts, one after the other.
#[must_use]
pub fn crc32(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(CRC32_START, |crc, part| crc32_update(crc, part))
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn gives_the_check_value_of_the_catalogue() {
        assert_eq!(crc32(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[]), 0);
    }
}
