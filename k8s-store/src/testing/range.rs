//! What ranges promise.

use super::{bytes, kv, put, write};
use crate::{Page, Range, Revision, Store};

async fn page(store: &dyn Store, prefix: &str, after: Option<&str>, limit: Option<usize>) -> Page {
    let (prefix, after) = (bytes(prefix), after.map(bytes));
    store
        .range(Range {
            prefix,
            after,
            limit,
            at: None,
        })
        .await
        .expect("the present can be read")
}

fn keys(page: &Page) -> Vec<&str> {
    page.items
        .iter()
        .map(|kv| std::str::from_utf8(&kv.key).expect("keys are text"))
        .collect()
}

/// A range holds the keys with its prefix, in order, and says how many it left out.
pub async fn ranges_select_and_count(store: &dyn Store) {
    assert_eq!(page(store, "", None, None).await.items, []);
    write(
        store,
        vec![put("b/2", "x"), put("a/1", "x"), put("b/1", "x")],
    )
    .await;
    write(store, vec![put("b", "x"), put("b0", "x"), put("b/3", "y")]).await;

    let all = page(store, "", None, None).await;
    assert_eq!(keys(&all), ["a/1", "b", "b/1", "b/2", "b/3", "b0"]);
    let some = page(store, "b/", None, Some(2)).await;
    assert_eq!((keys(&some), some.remaining), (vec!["b/1", "b/2"], 1));
    assert_eq!(some.revision, Revision(2));
    assert_eq!(some.items[1], kv("b/2", "x", 1, 1));
    let rest = page(store, "b/", Some("b/1"), None).await;
    assert_eq!((keys(&rest), rest.remaining), (vec!["b/2", "b/3"], 0));
    assert_eq!(
        keys(&page(store, "b/", Some("a/9"), Some(1)).await),
        ["b/1"]
    );
    assert_eq!(keys(&page(store, "b/", Some("c"), None).await), [""; 0]);
    let none = page(store, "b/", None, Some(0)).await;
    assert_eq!((none.items.len(), none.remaining), (0, 3));
}

/// Pages read at the first one's revision are of one piece, whatever is written meanwhile.
pub async fn pages_continue(store: &dyn Store) {
    for step in 0..50 {
        write(store, vec![put(&format!("k/{step:02}"), "old")]).await;
    }
    let mut seen = Vec::new();
    let mut range = Range {
        prefix: bytes("k/"),
        limit: Some(7),
        ..Range::default()
    };
    loop {
        let page = store.range(range.clone()).await.expect("retained");
        assert!(page.items.iter().all(|kv| kv.value == "old"));
        seen.extend(page.items.iter().map(|kv| kv.key.clone()));
        assert_eq!(page.remaining, 50 - seen.len());
        if page.remaining == 0 {
            break;
        }
        range.at = Some(page.revision);
        range.after = seen.last().cloned();
        let number = seen.len();
        write(
            store,
            vec![put(&format!("k/{number:02}"), "new"), put("k/00x", "new")],
        )
        .await;
    }
    let expected: Vec<_> = (0..50).map(|step| bytes(&format!("k/{step:02}"))).collect();
    assert_eq!(seen, expected);
}
