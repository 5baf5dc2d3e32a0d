//! What is kept of a request's body, so that it can be sent again.

use bytes::Bytes;
use http::HeaderMap;
use smallvec::SmallVec;

use super::request_body::Piece;

/// The beginning of a body as it was passed on: all of it, or nothing. The bytes are shared with
/// what is on its way, not copied.
#[derive(Debug)]
pub(super) struct Kept {
    pieces: SmallVec<[Bytes; 1]>,
    /// The end was passed on, with these trailers.
    end: Option<Option<Box<HeaderMap>>>,
    /// Bytes that may still be kept; none: something was not kept.
    room: Option<usize>,
    /// How many of the pieces, and of the end, have been passed on since the last rewind.
    replayed: usize,
}

impl Kept {
    pub(super) fn up_to(bytes: usize) -> Self {
        Self { pieces: SmallVec::new(), end: None, room: Some(bytes), replayed: 0 }
    }

    /// A piece is being passed on for the first time.
    pub(super) fn note(&mut self, piece: &Piece) {
        let Some(room) = self.room else { return };
        match piece {
            Piece::Data(data) if data.len() > room => self.forget(),
            Piece::Data(data) => {
                self.room = Some(room - data.len());
                self.pieces.push(data.clone());
                self.replayed += 1;
            }
            Piece::End(trailers) => {
                self.end = Some(trailers.clone().map(Box::new));
                self.replayed += 1;
            }
        }
    }

    /// Keeps nothing any more.
    fn forget(&mut self) {
        *self = Self { room: None, ..Self::up_to(0) };
    }

    /// Is all there that was passed on?
    pub(super) fn is_complete(&self) -> bool {
        self.room.is_some()
    }

    /// Has all been passed on that is there?
    pub(super) fn is_replayed(&self) -> bool {
        self.replayed == self.pieces.len() + usize::from(self.end.is_some())
    }

    pub(super) fn rewind(&mut self) {
        self.replayed = 0;
    }

    /// The next piece to be passed on again.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.is_replayed() {
            return None;
        }
        self.replayed += 1;
        let data = self.pieces.get(self.replayed - 1).map(|data| Piece::Data(data.clone()));
        data.or_else(|| self.end.as_ref().map(|trailers| Piece::End(trailers.as_deref().cloned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &'static str) -> Piece {
        Piece::Data(Bytes::from_static(text.as_bytes()))
    }

    fn replay(kept: &mut Kept) -> Vec<String> {
        let show = |piece| match piece {
            Piece::Data(data) => String::from_utf8_lossy(&data).into_owned(),
            Piece::End(trailers) => format!("end {}", trailers.map_or(0, |fields| fields.len())),
        };
        std::iter::from_fn(|| kept.next()).map(show).collect()
    }

    #[test]
    fn what_was_passed_on_is_passed_on_again_as_often_as_needed() {
        let mut kept = Kept::up_to(9);
        [data("one"), data("two"), Piece::End(None)].iter().for_each(|piece| kept.note(piece));
        assert!(kept.is_replayed() && kept.is_complete());
        for _ in 0..2 {
            kept.rewind();
            assert_eq!(replay(&mut kept), ["one", "two", "end 0"]);
        }
    }

    #[test]
    fn what_comes_after_a_replay_is_kept_too() {
        let mut kept = Kept::up_to(9);
        kept.note(&data("one"));
        kept.rewind();
        assert_eq!(replay(&mut kept), ["one"]);
        kept.note(&data("two"));
        kept.rewind();
        assert_eq!(replay(&mut kept), ["one", "two"]);
    }

    #[test]
    fn more_than_the_room_is_not_kept_at_all() {
        let mut kept = Kept::up_to(5);
        kept.note(&data("one"));
        kept.note(&data("two"));
        assert!(!kept.is_complete() && kept.is_replayed());
        kept.note(&Piece::End(None));
        assert!(!kept.is_complete());
    }

    #[test]
    fn a_body_that_was_not_touched_is_complete_even_without_room() {
        assert!(Kept::up_to(0).is_complete());
        let mut kept = Kept::up_to(0);
        kept.note(&Piece::End(None));
        assert!(kept.is_complete(), "an empty body can always be sent again");
    }
}
