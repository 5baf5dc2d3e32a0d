//! The present, for `Date` fields.

use std::cell::Cell;
use std::time::SystemTime;

/// An IMF-fixdate (RFC 9110 section 5.6.7), kept by whoever looks at the clock anyway, so that
/// answers need not.
#[derive(Debug)]
pub(super) struct Date(Cell<[u8; 29]>);

impl Default for Date {
    fn default() -> Self {
        let date = Self(Cell::new([b' '; 29]));
        date.refresh();
        date
    }
}

impl Date {
    pub(super) fn refresh(&self) {
        // The length is always the same before the year 10000.
        if let Ok(text) = httpdate::fmt_http_date(SystemTime::now()).as_bytes().try_into() {
            self.0.set(text);
        }
    }

    pub(super) fn text(&self) -> [u8; 29] {
        self.0.get()
    }
}
