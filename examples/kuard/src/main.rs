//! A demo web server for clusters: shows its environment, and can be told to fail.
//!
//! `kuard` serves on port 8080; `kuard get URL`, `kuard resolve NAME`, `kuard env` and
//! `kuard cat FILE` are there for `kubectl exec`, since its image holds nothing but this program;
//! `kuard wait` idles and `kuard exit CODE` ends, as a container's command.
//!
//! | path | what it does |
//! |---|---|
//! | `/` | a page, or JSON with `Accept: application/json` |
//! | `/env/api` | environment, arguments, host name, addresses |
//! | `/fs/PATH` | a directory's listing or a file's content |
//! | `/healthy`, `/ready` | 200 or 500 for probes; `PUT /healthy/api`, `/ready/api` sets how they fail |
//! | `/mem/api` | memory held; `POST /mem/api/alloc?size=BYTES`, `/mem/api/clear` |
//! | `/memq/server/...` | work queues: see [`queue`] |
//! | `/dns/api?type=A&name=NAME` | asks the resolver in `/etc/resolv.conf` |

mod client;
mod environment;
mod files;
mod memory;
mod page;
mod probe;
mod queue;
mod resolve;
mod server;

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["get", url] => client::get(url).await.map(|body| print!("{body}")),
        ["resolve", name] => resolve::query(name, "A").await.map(|answer| {
            answer
                .records
                .iter()
                .for_each(|record| println!("{record}"));
        }),
        ["env"] => {
            std::env::vars().for_each(|(name, value)| println!("{name}={value}"));
            Ok(())
        }
        ["cat", path] => std::fs::read_to_string(path)
            .map(|text| print!("{text}"))
            .map_err(|error| format!("{path}: {error}")),
        ["wait"] => server::until_told_to_stop().await,
        ["exit", code] => return ExitCode::from(code.parse().unwrap_or(1)),
        // Anything else are a container's `args`, which the page shows.
        _ => server::run(8080).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("kuard: {message}");
            ExitCode::FAILURE
        }
    }
}
