//! Standard output: lines that stay, and lines that are drawn again in their place.

use std::io::{self, IsTerminal, Write};

/// How a text looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Fast,
    Middle,
    Slow,
}

/// Where the demo writes.
#[derive(Debug)]
pub(super) struct Screen {
    live: bool,
    colours: bool,
    /// Lines that the next drawing replaces.
    drawn: usize,
}

impl Screen {
    /// Standard output; live if that is a terminal.
    pub(super) fn new() -> Self {
        let live = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { live, colours: live && std::env::var_os("NO_COLOR").is_none(), drawn: 0 }
    }

    /// One that is no terminal.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self { live: false, colours: false, drawn: 0 }
    }

    /// Whether lines can be drawn again in their place.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// The text, as it shall look.
    pub(super) fn paint(&self, look: Look, text: &str) -> String {
        let code = match look {
            _ if !self.colours => return text.to_owned(),
            Look::Plain => return text.to_owned(),
            Look::Bold => "1",
            Look::Dim => "2",
            Look::Good => "1;32",
            Look::Bad => "1;31",
            Look::Fast => "36",
            Look::Middle => "34",
            Look::Slow => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Writes lines that stay.
    pub(super) fn say(&mut self, text: &str) {
        self.drawn = 0;
        write(&format!("{text}\n"));
    }

    /// Writes lines in the place of those drawn last. What is too long for the terminal is cut
    /// there: wrapped lines would not be overwritten.
    pub(super) fn draw(&mut self, lines: &[String]) {
        let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        let lines_text: String = lines.iter().map(|line| format!("\r\x1b[2K{line}\n")).collect();
        write(&format!("\x1b[?7l{up}{lines_text}\x1b[?7h"));
        self.drawn = lines.len();
    }
}

/// All at once, so that an end in between leaves no half of a line. Nobody may be listening any
/// more (`| head`): that is not for us to complain about.
fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
