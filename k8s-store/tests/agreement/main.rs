//! Any sequence of operations gives the same answers on the memory and the embedded engine, however
//! often the latter is closed and opened again in between.

mod step;

use k8s_store::{
    Retention, Store, StoreError,
    embedded::{EmbeddedOptions, EmbeddedStore},
    memory::MemoryStore,
};
use proptest::{collection::vec, prelude::*};
use step::{Step, answer, step};

/// Keeps history for ever, in memory and in the log, and begins segments often.
const OPTIONS: EmbeddedOptions = EmbeddedOptions {
    retention: Retention::UNLIMITED,
    segment_bytes: 1_000,
    rewrite_bytes: u64::MAX / 2,
};

async fn agree(steps: Vec<Step>) -> Result<(), StoreError> {
    let dir = tempfile::tempdir().unwrap();
    let memory = MemoryStore::with_retention(Retention::UNLIMITED);
    let mut embedded = EmbeddedStore::open_with(dir.path(), OPTIONS).await?;
    for (index, step) in steps.iter().enumerate() {
        if let Step::Reopen = step {
            embedded.close().await;
            embedded = EmbeddedStore::open_with(dir.path(), OPTIONS).await?;
        }
        let expected = answer(&memory, step, 0).await;
        assert_eq!(
            answer(&embedded, step, expected.events()).await,
            expected,
            "step {index}: {step:?}"
        );
        assert_eq!(
            embedded.revisions().await?,
            memory.revisions().await?,
            "after step {index}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn engines_agree(steps in vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(steps)).unwrap();
    }
}
