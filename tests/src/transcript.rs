//! Transcripts in Markdown, run as they stand.
//!
//! In a block that opens with ```` ```console ````, a line that starts with `$ ` is a command and
//! the lines below it are what it prints: `…` stands for any text within a line, and a line that
//! is only `...` for any number of lines. Runs of spaces count as one, since columns grow and shrink.

use anyhow::{Result, bail};

use crate::cluster::Cluster;

/// One command and the output that the page promises, on either stream.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

impl Step {
    /// Runs the command, and holds what it prints against the page.
    pub(crate) fn perform(&self, cluster: &Cluster) -> Result<()> {
        let command = &self.command;
        let outcome = cluster.bash(&format!("exec 2>&1\n{command}"))?;
        let printed = &outcome.stdout;
        let lines: Vec<&str> = printed.lines().collect();
        if outcome.success == self.fails() || !matches(&self.output, &lines) {
            let end = if outcome.success {
                "succeeded"
            } else {
                "failed"
            };
            let promised = self.output.join("\n");
            bail!("`{command}` {end} and printed\n{printed}\nbut the page promises\n{promised}");
        }
        Ok(())
    }

    /// Whether the page promises an error.
    fn fails(&self) -> bool {
        let is_error = |line: &String| {
            let begins = |word| line.starts_with(word);
            begins("Error ")
                || begins("Error: ")
                || begins("error: ")
                || begins("The ") && line.contains(" is invalid: ")
        };
        self.output.iter().any(is_error)
    }
}

/// All steps of a section: from the heading that reads `heading` to the next one of its level.
pub(crate) fn steps(page: &str, heading: &str) -> Result<Vec<Step>> {
    let level = heading.split(' ').next().unwrap_or_default();
    let mut inside = false;
    let mut block = false;
    let mut steps: Vec<Step> = Vec::new();
    for line in page.lines() {
        if !block && line.starts_with('#') {
            inside =
                line == heading || inside && line.split(' ').next().unwrap_or_default() != level;
        }
        if !inside {
            continue;
        }
        if line.starts_with("```") {
            block = !block && line == "```console";
        } else if block {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step {
                        command: command.to_owned(),
                        output: Vec::new(),
                    });
                }
                // A command that ends in a backslash goes on in the next line.
                (None, Some(step)) if step.output.is_empty() && step.command.ends_with('\\') => {
                    step.command.push('\n');
                    step.command.push_str(line);
                }
                (None, Some(step)) => step.output.push(line.to_owned()),
                (None, None) => bail!("output before any command: {line}"),
            }
        }
    }
    if steps.is_empty() {
        bail!("no command under {heading:?}");
    }
    Ok(steps)
}

/// Whether `actual` is what the page promises.
pub(crate) fn matches(promised: &[String], actual: &[&str]) -> bool {
    match (promised.split_first(), actual.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any == "..." => {
            matches(rest, actual)
                || actual
                    .split_first()
                    .is_some_and(|(_, later)| matches(promised, later))
        }
        (Some((line, rest)), Some((printed, later))) => {
            line_matches(&squeeze(line), &squeeze(printed)) && matches(rest, later)
        }
        _ => false,
    }
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line_matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|text| {
            let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            starts
                .into_iter()
                .any(|at| line_matches(after, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(promised: &str, actual: &str, expected: bool) {
        let promised: Vec<String> = promised.lines().map(str::to_owned).collect();
        let actual: Vec<&str> = actual.lines().collect();
        assert_eq!(
            matches(&promised, &actual),
            expected,
            "{promised:?} {actual:?}"
        );
    }

    #[test]
    fn wildcards_stand_for_text_within_their_line_or_for_lines() {
        check("web-… 1/1 Running", "web-abc-def   1/1   Running", true);
        check("web-… 1/1 Running", "web-abc-def   0/1   Running", false);
        check("web-… Running", "api-1 Running", false);
        check("a\n...\nz", "a\nb\nc\nz", true);
        check("a\n...\nz", "a\nz", true);
        check("a\n...\nz", "a\nb", false);
        check("a", "a\nb", false);
        check("", "", true);
    }

    #[test]
    fn a_section_ends_at_the_next_heading_of_its_level() {
        let page = "## Tour\n```console\n$ one\nout\n```\n### part\n```console\n$ two \\\n  more\n```\n## Other\n```console\n$ no\n```\n";
        let steps = steps(page, "## Tour").unwrap();
        assert_eq!(steps.len(), 2);
        assert_eq!(
            steps[0],
            Step {
                command: "one".into(),
                output: vec!["out".into()]
            }
        );
        assert_eq!(steps[1].command, "two \\\n  more");
    }
}
