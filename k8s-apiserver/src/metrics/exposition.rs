//! Prometheus' text form, written piece by piece.

use std::fmt::{self, Display, Write};

use super::Histogram;

/// The names and values of a sample's labels, in the order in which they are written.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// What `/metrics` says. Whoever keeps figures writes them here when somebody asks.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    family: String,
}

impl Exposition {
    /// Begins a family: the samples that follow are of this name. The kind is `counter`, `gauge` or
    /// `histogram`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) -> &mut Self {
        name.clone_into(&mut self.family);
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        self
    }

    /// A sample of the family.
    pub fn sample(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// A histogram of the family: its buckets, sum and count.
    pub fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram) -> &mut Self {
        let mut below = 0;
        let snapshot = histogram.snapshot();
        for (bound, count) in histogram.bounds().iter().zip(&snapshot.buckets) {
            below += count;
            self.line("_bucket", labels, Some(&bound), below);
        }
        self.line("_bucket", labels, Some(&"+Inf"), snapshot.count);
        self.line("_sum", labels, None, snapshot.sum);
        self.line("_count", labels, None, snapshot.count);
        self
    }

    /// The text so far.
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: Labels<'_>,
        bound: Option<&dyn Display>,
        value: impl Display,
    ) {
        let family = std::mem::take(&mut self.family);
        self.write(format_args!("{family}{suffix}"));
        self.family = family;
        let mut before = '{';
        for (name, value) in labels {
            self.write(format_args!("{before}{name}=\"{}\"", Escaped(value)));
            before = ',';
        }
        if let Some(bound) = bound {
            self.write(format_args!("{before}le=\"{bound}\""));
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        self.write(format_args!("{end} {value}\n"));
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.text.write_fmt(text);
    }
}

/// The value of a label, safe between quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let histogram = Histogram::new(&[0.005, 1.0, 10.0]);
        for value in [0.001, 0.5, 0.5, 60.0] {
            histogram.observe(value);
        }
        let mut out = Exposition::default();
        out.family("a_total", "counter", "How many.")
            .sample(&[], 3)
            .sample(&[("x", "1"), ("y", "a\"b\\c\nd")], 4);
        out.family("b_seconds", "histogram", "How long.")
            .histogram(&[("x", "1")], &histogram);
        expect![[r#"
            # HELP a_total How many.
            # TYPE a_total counter
            a_total 3
            a_total{x="1",y="a\"b\\c\nd"} 4
            # HELP b_seconds How long.
            # TYPE b_seconds histogram
            b_seconds_bucket{x="1",le="0.005"} 1
            b_seconds_bucket{x="1",le="1"} 3
            b_seconds_bucket{x="1",le="10"} 3
            b_seconds_bucket{x="1",le="+Inf"} 4
            b_seconds_sum{x="1"} 61.001
            b_seconds_count{x="1"} 4
        "#]]
        .assert_eq(&out.into_text());
    }
}
