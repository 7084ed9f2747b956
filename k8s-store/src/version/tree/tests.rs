use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, PartialEq)]
struct Item(Vec<u8>, u32);

impl Keyed for Item {
    fn key(&self) -> &[u8] {
        &self.0
    }
}

fn item(key: u16, value: u32) -> Arc<Item> {
    Arc::new(Item(format!("{key:05}").into_bytes(), value))
}

fn keys(tree: &Tree<Item>) -> Vec<&[u8]> {
    tree.iter().map(|item| item.key()).collect()
}

#[test]
fn a_clone_is_untouched_by_later_changes() {
    let mut tree = Tree::default();
    for key in 0..2_000 {
        tree.insert(item(key, 0));
    }
    let before = tree.clone();
    for key in 0..2_000 {
        if key % 3 == 0 {
            tree.remove(item(key, 0).key());
        } else {
            tree.insert(item(key, 1));
        }
    }
    assert_eq!(before.len(), 2_000);
    assert!(before.iter().all(|item| item.1 == 0));
    assert_eq!(tree.len(), 1_333);
    assert!(tree.iter().all(|item| item.1 == 1));
}

#[test]
fn positions_select_a_prefix_and_continue_after_a_key() {
    let mut tree = Tree::default();
    for name in ["a/1", "a/2", "a/3", "b/1", "b"] {
        tree.insert(Arc::new(Item(name.into(), 0)));
    }
    assert_eq!(
        keys(&tree),
        [b"a/1".as_slice(), b"a/2", b"a/3", b"b", b"b/1"]
    );
    assert_eq!(tree.positions(b"a/", None), 0..3);
    assert_eq!(tree.positions(b"a/", Some(b"a/1")), 1..3);
    assert_eq!(tree.positions(b"a/", Some(b"a/zzz")), 3..3);
    assert_eq!(tree.positions(b"a/", Some(b"c")), 5..5);
    assert_eq!(tree.positions(b"", None), 0..5);
    assert_eq!(tree.positions(b"0", None), 0..0);
}

#[test]
fn emptied_trees_shrink() {
    let mut tree = Tree::default();
    for key in 0..5_000 {
        tree.insert(item(key, 0));
    }
    for key in 0..4_999 {
        assert!(tree.remove(item(key, 0).key()).is_some());
    }
    assert!(matches!(&*tree.root, Node::Leaf(items) if items.len() == 1));
}

proptest! {
    #[test]
    fn agrees_with_a_btree_map(ops in prop::collection::vec((0u16..400, any::<bool>()), 0..2_000)) {
        let mut tree = Tree::default();
        let mut model = BTreeMap::new();
        let mut snapshots = Vec::new();
        for (step, (key, put)) in ops.into_iter().enumerate() {
            let item = item(key, u32::try_from(step).unwrap());
            if put {
                prop_assert_eq!(tree.insert(item.clone()), model.insert(item.0.clone(), item));
            } else {
                prop_assert_eq!(tree.remove(&item.0), model.remove(&item.0));
            }
            prop_assert_eq!(tree.len(), model.len());
            if step % 500 == 0 {
                snapshots.push((tree.clone(), model.clone()));
            }
        }
        snapshots.push((tree, model));
        for (tree, model) in snapshots {
            prop_assert!(tree.iter().eq(model.values()));
            for start in [0, 1, 31, 32, 33, 200, 399] {
                prop_assert!(tree.iter_from(start).eq(model.values().skip(start)));
            }
            for (rank, (key, item)) in model.iter().enumerate() {
                prop_assert_eq!(tree.get(key), Some(item));
                prop_assert_eq!(tree.rank(|other| other < key.as_slice()), rank);
            }
        }
    }
}
