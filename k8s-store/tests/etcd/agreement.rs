//! Any sequence of operations gives the same answers on etcd as on the memory engine, which agrees with
//! the embedded one.

use std::sync::Arc;

use k8s_store::{Retention, Store, memory::MemoryStore, testing::Apart};
use proptest::{
    collection::vec,
    test_runner::{Config, TestRunner},
};

use crate::{
    server::Server,
    step::{Step, answer, step},
};

/// In a part of the server that begins now, since all cases share one.
async fn agree(etcd: Arc<dyn Store>, case: usize, steps: &[Step]) {
    let memory = MemoryStore::with_retention(Retention::UNLIMITED);
    let part = Apart::new(etcd, format!("/{case}/")).await;
    let part = part.expect("the server answers");
    for (index, step) in steps.iter().enumerate() {
        let expected = answer(&memory, step, 0).await;
        let found = answer(&part, step, expected.events()).await;
        assert_eq!(found, expected, "step {index}: {step:?}");
        let revisions = memory.revisions().await.expect("it is open");
        let found = part.revisions().await.expect("the server answers");
        assert_eq!(found, revisions, "after step {index}: {step:?}");
    }
}

#[test]
fn etcd_agrees_with_memory() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = Server::start();
    let etcd = runtime.block_on(server.store());
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let mut case = 0..;
    let cases = std::cell::RefCell::new(&mut case);
    let agreed = runner.run(&vec(step(), 1..50), |steps| {
        let case = cases.borrow_mut().next().expect("numbers don't end");
        runtime.block_on(agree(Arc::clone(&etcd), case, &steps));
        Ok(())
    });
    agreed.unwrap_or_else(|failure| panic!("{failure}"));
}
