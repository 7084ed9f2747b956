//! From any revision on, a watch tells exactly the difference between the list of then and of now.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What a client that selects has: keys and colours.
type View = BTreeMap<Bytes, String>;

/// Whether an entry is selected.
type Selects = fn(&Painted) -> bool;

/// A put of one of few keys, in a colour on a node; or a delete.
fn change() -> impl Strategy<Value = Txn> {
    let value = prop_oneof![
        4 => ("(red|blue|green)", prop::option::of("(n1|n2)")).prop_map(Some),
        1 => Just(None),
    ];
    ("/r/[a-d]", value).prop_map(|(key, value)| match value {
        Some((colour, Some(node))) => put(&key, &format!("{colour}@{node}")),
        Some((colour, None)) => put(&key, &colour),
        None => delete(&key),
    })
}

fn view(listing: &Listing<Painted>) -> View {
    let items = listing.0.iter();
    items
        .map(|object| (object.key.clone(), object.entry.colour.clone()))
        .collect()
}

/// Takes all that a watcher has to say into a view. An event that doesn't fit it is an error.
fn follow(watcher: &mut Watcher<Paint>, view: &mut View) -> Result<(), TestCaseError> {
    while let Some(Some(item)) = watcher.next().now_or_never() {
        let fits = match item.expect("history is kept") {
            CacheEvent::Added(object) => {
                let colour = object.entry.colour.clone();
                view.insert(object.key.clone(), colour).is_none()
            }
            CacheEvent::Modified(object) => {
                let colour = object.entry.colour.clone();
                view.insert(object.key.clone(), colour).is_some()
            }
            CacheEvent::Deleted { last, .. } => {
                view.remove(&last.key) == Some(last.entry.colour.clone())
            }
            CacheEvent::Bookmark(_) => true,
        };
        prop_assert!(fits, "an event that doesn't follow from the list");
    }
    Ok(())
}

async fn check(changes: Vec<Txn>) -> Result<(), TestCaseError> {
    let cache = cache().await;
    for change in changes {
        cache.commit(change).await.expect("memory takes all");
    }
    let is_red = |painted: &Painted| painted.colour != "blue";
    let is_n1 = |painted: &Painted| painted.node.as_deref() == Some("n1");
    let selections: [(Option<Bucket>, Selects); 4] = [
        (None, |_| true),
        (None, is_red),
        (Some(on("n1")), is_n1),
        (Some(on("n1")), |painted| {
            painted.node.as_deref() == Some("n1") && painted.colour != "blue"
        }),
    ];
    for (bucket, selects) in selections {
        let now = view(&cache.list(b"/r/", None, None, &|object| selects(&object.entry)));
        for from in 0..=cache.revision().0 {
            let from = Revision(from);
            let filter = |object: &Cached<Painted>| selects(&object.entry);
            let then = cache.list_at(from, b"/r/", None, None, &filter).await;
            let mut seen = view(&then.expect("history is kept"));
            let request = WatchRequest {
                bucket: bucket.clone(),
                filter: Arc::new(selects),
                ..WatchRequest::new("/r/", from)
            };
            follow(
                &mut cache.watch(request).expect("history is kept"),
                &mut seen,
            )?;
            prop_assert_eq!(&seen, &now, "from {}", from);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_watch_tells_the_difference_of_two_lists(changes in prop::collection::vec(change(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(changes))?;
    }
}
