//! Two streams of bytes, joined.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Notify,
    time::timeout,
};

/// How long nothing may be said before a stream is cut, as Kubernetes' node agents have it.
pub(super) const IDLE: Duration = Duration::from_secs(4 * 60 * 60);
/// How long one side may go on after the other has ended.
const FAREWELL: Duration = Duration::from_secs(10);
/// How much is copied at once, in bytes: all that is held of what one side says.
const CHUNK: usize = 32 * 1024;

/// Notices when nothing happens.
#[derive(Default)]
pub(super) struct Activity(Notify);

impl Activity {
    /// Something was said.
    pub(super) fn touch(&self) {
        self.0.notify_one();
    }

    /// Returns when nothing has been said for [`IDLE`].
    pub(super) async fn ceases(&self) {
        while timeout(IDLE, self.0.notified()).await.is_ok() {}
    }
}

/// Copies bytes both ways until one side ends; what the other still has to say it says soon. A side
/// that doesn't read holds up the one that writes to it.
pub(super) async fn splice(left: impl AsyncRead + AsyncWrite, right: impl AsyncRead + AsyncWrite) {
    let activity = Activity::default();
    let (from_left, to_left) = tokio::io::split(left);
    let (from_right, to_right) = tokio::io::split(right);
    let both = async {
        let rightward = pin!(pour(from_left, to_right, &activity));
        let leftward = pin!(pour(from_right, to_left, &activity));
        match select(rightward, leftward).await {
            Either::Left(((), leftward)) => drop(timeout(FAREWELL, leftward).await),
            Either::Right(((), rightward)) => drop(timeout(FAREWELL, rightward).await),
        }
    };
    tokio::select! {
        () = both => {}
        () = activity.ceases() => tracing::debug!("a stream was idle for too long"),
    }
}

/// Copies until the source ends or either breaks, and says so to the sink.
async fn pour(
    mut source: impl AsyncRead + Unpin,
    mut sink: impl AsyncWrite + Unpin,
    activity: &Activity,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = source.read(&mut chunk).await {
        activity.touch();
        if sink.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
    let _ = sink.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_on_which_nothing_is_said_is_cut() {
        let (mut client, left) = tokio::io::duplex(64);
        let (right, _server) = tokio::io::duplex(64);
        let started = tokio::time::Instant::now();
        let talk = async {
            tokio::time::sleep(IDLE / 2).await;
            client.write_all(b"still here").await.unwrap();
        };
        tokio::join!(splice(left, right), talk);
        assert_eq!(started.elapsed(), IDLE + IDLE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_has_ended_still_hears_the_other_out() {
        let (mut client, left) = tokio::io::duplex(64);
        let (right, mut server) = tokio::io::duplex(64);
        let serve = async {
            let mut asked = String::new();
            server.read_to_string(&mut asked).await.unwrap();
            server
                .write_all(asked.to_uppercase().as_bytes())
                .await
                .unwrap();
            drop(server);
        };
        let ask = async {
            client.write_all(b"hello").await.unwrap();
            client.shutdown().await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let ((), (), answer) = tokio::join!(splice(left, right), serve, ask);
        assert_eq!(answer, "HELLO");
    }
}
