//! The links of an HTML page, moved while it streams by. What isn't a tag with a link is passed on
//! byte for byte, and no more than one tag is ever held.

use bytes::BytesMut;

use super::rewrite::Place;

/// The longest tag that is looked into, in bytes; longer ones pass as they are.
const MAX_TAG: usize = 64 * 1024;

/// Which attributes of which elements are links.
const LINKS: [(&str, &[&str]); 33] = [
    ("a", &["href"]),
    ("applet", &["codebase"]),
    ("area", &["href"]),
    ("audio", &["src"]),
    ("base", &["href"]),
    ("blockquote", &["cite"]),
    ("body", &["background"]),
    ("button", &["formaction"]),
    ("command", &["icon"]),
    ("del", &["cite"]),
    ("embed", &["src"]),
    ("form", &["action"]),
    ("frame", &["longdesc", "src"]),
    ("head", &["profile"]),
    ("html", &["manifest"]),
    ("iframe", &["longdesc", "src"]),
    ("img", &["longdesc", "src", "usemap"]),
    ("image", &["src"]),
    ("input", &["src", "usemap", "formaction"]),
    ("ins", &["cite"]),
    ("link", &["href"]),
    ("object", &["classid", "codebase", "data", "usemap"]),
    ("q", &["cite"]),
    ("script", &["src"]),
    ("source", &["src"]),
    ("track", &["src"]),
    ("video", &["poster", "src"]),
    // These have none, but what they hold is text and no tags.
    ("style", &[]),
    ("textarea", &[]),
    ("title", &[]),
    ("xmp", &[]),
    ("noembed", &[]),
    ("noframes", &[]),
];

/// Elements that hold text up to their end tag, whatever it looks like.
const RAW: [&str; 7] = [
    "script", "style", "textarea", "title", "xmp", "noembed", "noframes",
];

/// A page on its way.
pub(super) struct Links {
    place: Place,
    held: BytesMut,
    /// What ends the text that is passed: `-->` or `</script`.
    until: Option<String>,
}

impl Links {
    pub(super) fn new(place: Place) -> Self {
        Links {
            place,
            held: BytesMut::new(),
            until: None,
        }
    }

    /// Takes some of the page; returns what can go on.
    pub(super) fn push(&mut self, part: &[u8]) -> BytesMut {
        self.held.extend_from_slice(part);
        let mut out = BytesMut::with_capacity(self.held.len());
        while self.step(&mut out) {}
        out
    }

    /// The end of the page: returns what was held.
    pub(super) fn finish(&mut self) -> BytesMut {
        std::mem::take(&mut self.held)
    }

    /// Moves the next piece over; `false` if more of the page must come first.
    fn step(&mut self, out: &mut BytesMut) -> bool {
        if let Some(until) = &self.until {
            let Some(end) = find(&self.held, until.as_bytes()) else {
                // The mark itself may be torn.
                let keep = (until.len() - 1).min(self.held.len());
                let pass = self.held.len() - keep;
                out.unsplit(self.held.split_to(pass));
                return false;
            };
            out.unsplit(self.held.split_to(end));
            self.until = None;
            return true;
        }
        let Some(start) = self.held.iter().position(|byte| *byte == b'<') else {
            out.unsplit(self.held.split());
            return false;
        };
        out.unsplit(self.held.split_to(start));
        match *self.held {
            [_, b'!', b'-', b'-', ..] => self.until = Some("-->".into()),
            [_] | [_, b'!'] | [_, b'!', b'-'] => return false,
            [_, letter, ..] if letter.is_ascii_alphabetic() => {
                let Some(end) = tag_end(&self.held) else {
                    let is_too_long = self.held.len() > MAX_TAG;
                    if is_too_long {
                        out.unsplit(self.held.split());
                    }
                    return false;
                };
                let tag = self.held.split_to(end);
                self.tag(&tag, out);
            }
            _ => out.unsplit(self.held.split_to(1)),
        }
        true
    }

    /// Passes a tag with its links moved.
    fn tag(&mut self, tag: &[u8], out: &mut BytesMut) {
        let end = tag[1..]
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric());
        let end = end.map_or(tag.len(), |end| end + 1);
        let name = String::from_utf8_lossy(&tag[1..end]).to_ascii_lowercase();
        if RAW.contains(&name.as_str()) {
            self.until = Some(format!("</{name}"));
        }
        let known = LINKS.iter().find(|(element, _)| *element == name);
        let links = known.map_or(&[][..], |(_, links)| links);
        let mut passed = 0;
        for (attribute, start, end) in attributes(tag, end) {
            let Ok(value) = std::str::from_utf8(&tag[start..end]) else {
                continue;
            };
            let is_link = links
                .iter()
                .any(|link| attribute.eq_ignore_ascii_case(link.as_bytes()));
            if let Some(moved) = self.place.moved(value).filter(|_| is_link) {
                out.extend_from_slice(&tag[passed..start]);
                out.extend_from_slice(moved.as_bytes());
                passed = end;
            }
        }
        out.extend_from_slice(&tag[passed..]);
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = text.windows(wanted.len());
    windows.position(|window| window.eq_ignore_ascii_case(wanted))
}

/// Where the tag at the beginning ends: after the first `>` outside of quotes.
fn tag_end(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut is_value = false;
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') if is_value => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        // A quote counts only at the beginning of a value.
        is_value = *byte == b'=' || (is_value && byte.is_ascii_whitespace());
    }
    None
}

/// The attributes of a tag: their names, and where their values begin and end.
fn attributes(tag: &[u8], mut at: usize) -> Vec<(&[u8], usize, usize)> {
    let mut found = Vec::new();
    let until = |from: usize, stop: &dyn Fn(u8) -> bool| {
        let end = tag[from..].iter().position(|byte| stop(*byte));
        end.map_or(tag.len(), |end| from + end)
    };
    let is_gap = |byte: u8| byte.is_ascii_whitespace() || byte == b'/';
    loop {
        at = until(at, &|byte| !is_gap(byte));
        if at >= tag.len() || tag[at] == b'>' {
            return found;
        }
        // An equals sign may begin a name, but not end it.
        let end = until(at + 1, &|byte| is_gap(byte) || matches!(byte, b'=' | b'>'));
        let name = &tag[at..end];
        at = until(end, &|byte| !byte.is_ascii_whitespace());
        if tag.get(at) != Some(&b'=') {
            continue;
        }
        let start = until(at + 1, &|byte| !byte.is_ascii_whitespace());
        let (start, end) = match tag.get(start) {
            Some(quote @ (b'"' | b'\'')) => (start + 1, until(start + 1, &|byte| byte == *quote)),
            _ => (
                start,
                until(start, &|byte| byte.is_ascii_whitespace() || byte == b'>'),
            ),
        };
        found.push((name, start, end));
        at = end
            + usize::from(
                tag.get(end)
                    .is_some_and(|byte| matches!(byte, b'"' | b'\'')),
            );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(page: &str, size: usize) -> String {
        let mut links = Links::new(Place {
            prefix: "/p".into(),
            hosts: vec!["10.1.0.2:80".into()],
        });
        let mut out = BytesMut::new();
        for part in page.as_bytes().chunks(size) {
            out.extend_from_slice(&links.push(part));
        }
        out.extend_from_slice(&links.finish());
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// However the page is cut into pieces.
    #[track_caller]
    fn check(page: &str, expected: &str) {
        for size in 1..=page.len() {
            assert_eq!(moved(page, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn links_move_however_they_are_written() {
        check(r#"<a href="/x">y</a>"#, r#"<a href="/p/x">y</a>"#);
        check("<A class=b HREF = '/x' >", "<A class=b HREF = '/p/x' >");
        check("<img src=/x.png alt='/y'>", "<img src=/p/x.png alt='/y'>");
        check(
            r#"<form action="/go?a=1&amp;b=2" method=post>"#,
            r#"<form action="/p/go?a=1&amp;b=2" method=post>"#,
        );
        check(
            r#"<a title="a > b" href="/x"/>"#,
            r#"<a title="a > b" href="/p/x"/>"#,
        );
        check(
            r#"<link href="http://10.1.0.2:80/s.css">"#,
            r#"<link href="/p/s.css">"#,
        );
        check(
            r#"<video poster="/a" src="/b">"#,
            r#"<video poster="/p/a" src="/p/b">"#,
        );
    }

    #[test]
    fn what_is_no_link_stays() {
        for same in [
            "1 < 2 and <> or < a href='/x'>",
            "<!-- <a href='/x'> -->",
            "<script>var a = \"<a href='/x'>\";</script>",
            "<textarea><a href='/x'></textarea>",
            "<p href='/x'>",
            "<a href='x'>",
            "<a href='/x",
            "<!doctype html>",
            "caf\u{e9} <b>&lt;</b>",
        ] {
            check(same, same);
        }
        check(
            "<script src=/x></script><a href=/y>",
            "<script src=/p/x></script><a href=/p/y>",
        );
    }

    #[test]
    fn a_tag_without_end_is_not_held_for_ever() {
        let endless = format!("<a {}", "x".repeat(MAX_TAG));
        let mut links = Links::new(Place {
            prefix: "/p".into(),
            hosts: Vec::new(),
        });
        assert_eq!(links.push(endless.as_bytes()).len(), endless.len());
    }
}
