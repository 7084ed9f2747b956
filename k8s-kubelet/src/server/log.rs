//! The log format of the container runtime interface. Pure.
//!
//! A line is `<time> <stdout|stderr> <tags> <text>`; the tag `P` says that the text goes on in the
//! next line of the same stream, `F` that it is complete.

/// Which of a container's streams a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was written, in RFC 3339 with nanoseconds.
    pub time: &'a str,
    /// Where it was written to.
    pub stream: Stream,
    /// Whether the text goes on in the next line.
    pub is_partial: bool,
    /// The text, without a line feed.
    pub content: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line, with or without its line feed; `None` if it isn't one.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let time = std::str::from_utf8(parts.next()?).ok()?;
        let stream = match parts.next()? {
            b"stdout" => Stream::Stdout,
            b"stderr" => Stream::Stderr,
            _ => return None,
        };
        let is_partial = parts.next()?.split(|byte| *byte == b':').next() == Some(b"P");
        Some(Self {
            time,
            stream,
            is_partial,
            content: parts.next().unwrap_or_default(),
        })
    }

    /// The text as the container wrote it.
    pub fn content_with_newline(&self) -> Vec<u8> {
        let end: &[u8] = if self.is_partial { b"" } else { b"\n" };
        [self.content, end].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, Stream, bool, &str)>) {
        let parsed = Line::parse(line.as_bytes());
        let parsed = parsed.as_ref().map(|line| {
            (
                line.time,
                line.stream,
                line.is_partial,
                std::str::from_utf8(line.content).unwrap(),
            )
        });
        assert_eq!(parsed, expected, "{line:?}");
    }

    #[test]
    fn lines_are_time_stream_tags_and_text() {
        let time = "2024-01-02T03:04:05.000000006Z";
        check(
            &format!("{time} stdout F a b\n"),
            Some((time, Stream::Stdout, false, "a b")),
        );
        check(
            &format!("{time} stderr P part"),
            Some((time, Stream::Stderr, true, "part")),
        );
        check(
            &format!("{time} stdout F "),
            Some((time, Stream::Stdout, false, "")),
        );
        check(&format!("{time} nowhere F x"), None);
        check("garbage", None);
    }
}
