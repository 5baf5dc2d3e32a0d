//! The time of day, as logs write it.
//!
//! Each thread keeps the text of the current second, so that a line of the access log costs one
//! reading of the clock and a copy. The time zone is the machine's.

use std::cell::RefCell;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// One second as text.
#[derive(Default)]
struct Second {
    since_1970: u64,
    local: Vec<u8>,
    iso8601: Vec<u8>,
}

thread_local! {
    static NOW: RefCell<Second> = RefCell::default();
}

/// Appends the value of `$time_local`: `28/Sep/2026:10:00:00 +0200`.
pub fn time_local(out: &mut Vec<u8>) {
    with_second(since_1970(), |second| out.extend_from_slice(&second.local));
}

/// Appends the value of `$time_iso8601`: `2026-09-28T10:00:00+02:00`.
pub fn time_iso8601(out: &mut Vec<u8>) {
    with_second(since_1970(), |second| out.extend_from_slice(&second.iso8601));
}

/// Appends the value of `$msec`: `1790582400.042`, seconds since 1970.
pub fn msec(out: &mut Vec<u8>) {
    let now = since_1970();
    digits(out, now.as_secs());
    millis(out, now);
}

/// Appends the time with milliseconds, `2026-09-28T10:00:00.042+02:00`: for the gateway's log.
pub fn stamp(out: &mut Vec<u8>) {
    let now = since_1970();
    with_second(now, |second| {
        let zone = "2026-09-28T10:00:00".len().min(second.iso8601.len());
        out.extend_from_slice(&second.iso8601[..zone]);
        millis(out, now);
        out.extend_from_slice(&second.iso8601[zone..]);
    });
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn with_second(now: Duration, use_it: impl FnOnce(&Second)) {
    NOW.with_borrow_mut(|second| {
        if second.since_1970 != now.as_secs() {
            second.become_at(now.as_secs(), TimeZone::system());
        }
        use_it(second);
    });
}

impl Second {
    fn become_at(&mut self, since_1970: u64, zone: TimeZone) {
        let timestamp = i64::try_from(since_1970).ok().and_then(|at| Timestamp::from_second(at).ok());
        let time = timestamp.unwrap_or_default().to_zoned(zone);
        self.since_1970 = since_1970;
        self.local.clear();
        self.iso8601.clear();
        // Writing to a vector cannot fail, and both formats are tested.
        let _ = write!(self.local, "{}", time.strftime("%d/%b/%Y:%H:%M:%S %z"));
        let _ = write!(self.iso8601, "{}", time.strftime("%Y-%m-%dT%H:%M:%S%:z"));
    }
}

fn digits(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn millis(out: &mut Vec<u8>, now: Duration) {
    let millis = now.subsec_millis();
    let digit = |value: u32| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::Offset;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_second_is_written_as_nginx_writes_it() {
        let mut second = Second::default();
        second.become_at(1_790_582_400, TimeZone::fixed(Offset::constant(2)));
        assert_eq!(second.local, b"28/Sep/2026:10:00:00 +0200");
        assert_eq!(second.iso8601, b"2026-09-28T10:00:00+02:00");
    }

    #[test]
    fn west_of_greenwich_the_offset_is_negative_and_utc_is_spelt_out() {
        let mut second = Second::default();
        second.become_at(0, TimeZone::fixed(Offset::from_seconds(-12_600).unwrap()));
        assert_eq!(second.iso8601, b"1969-12-31T20:30:00-03:30");
        second.become_at(0, TimeZone::UTC);
        assert_eq!(second.local, b"01/Jan/1970:00:00:00 +0000");
        assert_eq!(second.iso8601, b"1970-01-01T00:00:00+00:00");
    }

    #[test]
    fn milliseconds_are_three_digits() {
        let written = text(|out| millis(out, Duration::from_millis(7_042)));
        assert_eq!(written, ".042");
    }

    #[test]
    fn all_clocks_tell_the_same_time() {
        let before = since_1970();
        let (seconds, stamped) = (text(msec), text(stamp));
        let stamped: Timestamp = stamped.parse().unwrap();
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap();
        assert!((millis(before)..=millis(since_1970())).contains(&stamped.as_millisecond()));
        assert!(seconds.parse::<f64>().unwrap() >= before.as_secs_f64() - 0.001);
        assert!(text(time_iso8601).parse::<Timestamp>().is_ok());
    }
}
