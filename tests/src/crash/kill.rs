//! SIGKILL: a child writes and says what it sees, until it is killed; the next goes on from there.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use k8s_store::{Revision, embedded::EmbeddedStore, testing::Dice};

use crate::{
    STORE,
    account::Account,
    verify::verify,
    workload::{self, Ear, WATCHED, Word},
};

/// The longest that a child lives behind its first word.
const LIFE: usize = 400;

/// Kills so many children and looks at what each leaves behind.
pub(crate) async fn run(kills: u64, dice: &mut Dice) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut account = Account::default();
    for round in 0..kills {
        kill_one(dir.path(), &mut account, dice).with_context(|| format!("kill {round}"))?;
        let store = EmbeddedStore::open_with(dir.path(), STORE).await;
        let store = store.with_context(|| format!("kill {round}: it does not open"))?;
        let verified = verify(&store, &mut account).await;
        verified.with_context(|| format!("after kill {round}"))?;
        store.close().await;
    }
    println!("{kills} processes killed: {}", account.counts());
    Ok(())
}

/// The child. It is only ever ended from outside.
pub(crate) async fn write(dir: &Path) -> Result<()> {
    let mut resume = [Revision::ZERO; WATCHED.len()];
    for (at, word) in resume.iter_mut().zip(env::var(RESUME)?.split(' ')) {
        *at = Revision(word.parse()?);
    }
    let store = Arc::new(EmbeddedStore::open_with(dir, STORE).await?);
    let ear: Ear = Arc::new(|word| {
        // One write per line, so that the kill can only cut the last.
        std::io::stdout().write_all(format!("{word}\n").as_bytes())?;
        Ok(())
    });
    workload::run(store, resume, std::future::pending(), &ear).await
}

const RESUME: &str = "RESUME";

/// Lets a child write, kills it, and takes down what it said.
fn kill_one(dir: &Path, account: &mut Account, dice: &mut Dice) -> Result<()> {
    let resume = account.resume().map(|at| at.to_string());
    let mut child = Command::new(env::current_exe()?)
        .arg("--write-to")
        .arg(dir)
        .env(RESUME, resume.join(" "))
        .stdout(Stdio::piped())
        .spawn()?;
    let words = listen(&mut child)?;
    // One in four dies while it still opens; the others while they write.
    let first = match dice.one_in(4) {
        true => {
            thread::sleep(Duration::from_millis(dice.below(20) as u64));
            None
        }
        false => {
            let first = words.recv_timeout(Duration::from_secs(60));
            thread::sleep(Duration::from_micros(dice.below(LIFE * 1_000) as u64));
            Some(first.context("the child says nothing")?)
        }
    };
    child.kill()?;
    let status = child.wait()?;
    if status.code().is_some() {
        bail!("the child ended by itself, with {status}");
    }
    for word in first.into_iter().chain(words) {
        account.hear(word?)?;
    }
    Ok(())
}

/// What the child says, line by line; what the kill cut short is not a line.
fn listen(child: &mut Child) -> Result<mpsc::Receiver<Result<Word>>> {
    let mut output = BufReader::new(child.stdout.take().context("a pipe")?);
    let (tell, words) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
            let word = line.trim_end().parse();
            line.clear();
            if tell.send(word).is_err() {
                return; // the round has failed
            }
        }
    });
    Ok(words)
}
