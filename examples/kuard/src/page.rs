//! The page for people: the same facts as the JSON, in the image's colour.

use crate::environment::Environment;

pub(crate) fn render(environment: &Environment) -> String {
    let rows: String = environment
        .env
        .iter()
        .map(|(name, value)| {
            format!(
                "<tr><td>{}</td><td>{}</td></tr>",
                escape(name),
                escape(value)
            )
        })
        .collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>kuard {colour}</title>\
         <style>body{{font-family:sans-serif;margin:2em;border-top:1em solid {colour};padding-top:1em}}\
         td{{padding:.1em 1em .1em 0;font-family:monospace}}</style>\
         <h1>kuard {colour}</h1><p>{host}, version {version}, addresses {addresses}</p>\
         <p><a href=/fs/>files</a> <a href=/mem/api>memory</a> <a href=/memq/server/stats>queues</a> \
         <a href=/healthy>liveness</a> <a href=/ready>readiness</a></p><table>{rows}</table>\n",
        colour = escape(&environment.colour),
        host = escape(&environment.hostname),
        version = environment.version,
        addresses = environment.addresses.join(", "),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn markup_in_the_environment_stays_text() {
        assert_eq!(
            super::escape("<b a=\"1\">&"),
            "&lt;b a=&quot;1&quot;&gt;&amp;"
        );
    }
}
