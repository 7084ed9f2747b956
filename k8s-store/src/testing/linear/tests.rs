use expect_test::{Expect, expect};

use super::*;
use std::sync::Arc;

use crate::memory::MemoryStore;

/// Reads a history: a line per operation, `called..returned key call -> answer`. Versions are
/// `value@revision` or `-`; an unknown answer is `?`.
fn history(text: &str) -> History {
    let operations = text.lines().map(str::trim).filter(|line| !line.is_empty());
    History {
        operations: operations.map(operation).collect(),
    }
}

fn operation(line: &str) -> Operation {
    let (call, answer) = line.split_once(" -> ").expect("an arrow");
    let words: Vec<&str> = call.split(' ').collect();
    let (called, returned) = words[0].split_once("..").expect("a span");
    let (call, answer) = match words[2] {
        "get" => {
            let (found, revision) = answer.split_once(" of ").unwrap_or((answer, "0"));
            let revision = Revision(revision.parse().unwrap());
            let told = version(found).map_or(revision, |(_, at)| revision.max(at));
            (Call::Get, Answer::Found(version(found), told))
        }
        verb => {
            let (value, guards) = match verb {
                "delete" => (None, &words[3..]),
                "put" => (Some(Bytes::from(words[3].to_owned())), &words[4..]),
                _ => panic!("{verb}"),
            };
            let guard = guards.first().map(|guard| match *guard {
                "if-absent" => Guard::Absent,
                at => Guard::Modified(Revision(at.strip_prefix("if-").unwrap().parse().unwrap())),
            });
            let answer = match answer.strip_prefix("lost to ") {
                Some(found) => Answer::Conflict(version(found)),
                None if answer == "?" => Answer::Unknown,
                None => Answer::Committed(Revision(answer.parse().unwrap())),
            };
            (Call::Write { guard, value }, answer)
        }
    };
    Operation {
        key: Bytes::from(words[1].to_owned()),
        call,
        answer,
        called: called.parse().unwrap(),
        returned: returned.parse().unwrap_or(u64::MAX),
    }
}

fn version(text: &str) -> Version {
    let (value, at) = text.split_once('@')?;
    Some((Bytes::from(value.to_owned()), Revision(at.parse().unwrap())))
}

#[track_caller]
fn good(text: &str) {
    if let Err(violation) = history(text).check() {
        panic!("{violation}");
    }
}

#[track_caller]
fn bad(text: &str, expected: Expect) {
    let violation = history(text).check().expect_err("the history is a bad one");
    expected.assert_eq(&violation.to_string());
}

#[test]
fn one_after_another_is_fine() {
    good(
        "1..2 k get -> -
         3..4 k put a if-absent -> 1
         5..6 k get -> a@1
         7..8 k put b if-1 -> 2
         9..10 k put c if-1 -> lost to b@2
         11..12 k delete -> 3
         13..14 k delete -> 3
         15..16 k get -> - of 3
         17..18 k put d if-absent -> 4",
    );
}

#[test]
fn what_overlaps_may_come_in_either_order() {
    good("1..4 k put a -> 1\n 2..3 k get -> -");
    good("1..4 k put a -> 1\n 2..3 k get -> a@1");
    good("1..6 k put a -> 2\n 2..5 k put b -> 1\n 3..4 k get -> b@1\n 7..8 k get -> a@2");
}

#[test]
fn a_stale_read_is_found() {
    bad(
        "1..2 k put a -> 1\n 3..4 k put b -> 2\n 5..6 k get -> a@1 of 2",
        expect![[r#"
            no order explains what k answered: after 2 operations it was "b" at revision 2, and none fits of 
              5..6 Get -> Found(Some((b"a", Revision(1))), Revision(2))"#]],
    );
}

#[test]
fn a_lost_write_is_found() {
    bad(
        "1..2 k put a if-absent -> 1\n 3..4 k get -> - of 1",
        expect![[r#"
            no order explains what k answered: after 1 operations it was "a" at revision 1, and none fits of 
              3..4 Get -> Found(None, Revision(1))"#]],
    );
}

#[test]
fn two_writers_can_not_both_win() {
    bad(
        "1..5 k put a if-absent -> 1\n 2..6 k put b if-absent -> 2",
        expect![[r#"
            no order explains what k answered: after 1 operations it was "a" at revision 1, and none fits of 
              2..6 Write { guard: Some(Absent), value: Some(b"b") } -> Committed(Revision(2))"#]],
    );
}

#[test]
fn reads_can_not_go_back() {
    // While a write is under way one may see it, but then the next can't miss it.
    bad(
        "1..9 k put a -> 1\n 2..3 k get -> a@1\n 4..5 k get -> - of 1",
        expect![[r#"
            no order explains what k answered: after 2 operations it was "a" at revision 1, and none fits of 
              4..5 Get -> Found(None, Revision(1))"#]],
    );
}

#[test]
fn a_conflict_must_have_had_a_reason() {
    bad(
        "1..2 k put a -> 1\n 3..4 k put b if-1 -> lost to a@1",
        expect![[r#"
            no order explains what k answered: after 1 operations it was "a" at revision 1, and none fits of 
              3..4 Write { guard: Some(Modified(Revision(1))), value: Some(b"b") } -> Conflict(Some((b"a", Revision(1))))"#]],
    );
}

#[test]
fn without_an_answer_a_write_may_happen_now_later_or_never() {
    good("1..- k put a -> ?\n 2..3 k get -> -");
    good("1..- k put a -> ?\n 2..3 k get -> a@1\n 4..5 k put b if-1 -> 2");
    good("1..- k put a -> ?\n 2..3 k get -> -\n 4..5 k put b -> 1\n 6..7 k get -> a@2");
    good("1..2 k put a -> 1\n 3..- k delete if-1 -> ?\n 4..5 k put b if-absent -> 3");
    bad(
        "1..- k put a -> ?\n 2..3 k get -> a@1\n 4..5 k put b -> 2\n 6..7 k get -> a@1 of 2",
        expect![[r#"
            no order explains what k answered: after 3 operations it was "b" at revision 2, and none fits of 
              6..7 Get -> Found(Some((b"a", Revision(1))), Revision(2))"#]],
    );
}

#[test]
fn without_an_answer_a_failed_guard_never_writes() {
    bad(
        "1..2 k put a -> 1\n 3..- k put b if-absent -> ?\n 4..5 k get -> b@2",
        expect![[r#"
            no order explains what k answered: after 1 operations it was "a" at revision 1, and none fits of 
              3..18446744073709551615 Write { guard: Some(Absent), value: Some(b"b") } -> Unknown
              4..5 Get -> Found(Some((b"b", Revision(2))), Revision(2))"#]],
    );
}

#[test]
fn the_clock_is_one_for_all_keys() {
    bad(
        "1..2 k put a -> 2\n 3..4 l put b -> 1",
        expect![[
            r#"the clock was at 2 before this was called, which says otherwise: Operation { key: b"l", call: Write { guard: None, value: Some(b"b") }, answer: Committed(Revision(1)), called: 3, returned: 4 }"#
        ]],
    );
    bad(
        "1..4 k put a -> 1\n 2..3 l put b -> 1",
        expect![[
            r#"two writes at the same revision: Operation { key: b"k", call: Write { guard: None, value: Some(b"a") }, answer: Committed(Revision(1)), called: 1, returned: 4 } and Operation { key: b"l", call: Write { guard: None, value: Some(b"b") }, answer: Committed(Revision(1)), called: 2, returned: 3 }"#
        ]],
    );
    bad(
        "1..2 k put a -> 1\n 3..4 l get -> - of 0",
        expect![[
            r#"the clock was at 1 before this was called, which says otherwise: Operation { key: b"l", call: Get, answer: Found(None, Revision(0)), called: 3, returned: 4 }"#
        ]],
    );
}

/// Makes any one answer of a good history wrong: each time that must be noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_forged_answer_goes_unnoticed() {
    let store = Arc::new(MemoryStore::new());
    let workload = Workload {
        steps: 20,
        ..Workload::default()
    };
    let history = workload.record(&[store]).await;
    history.check().expect("the memory engine is linearizable");
    assert!(history.operations.len() == 160);
    for index in 0..history.operations.len() {
        let mut forged = history.clone();
        let answer = &mut forged.operations[index].answer;
        match answer {
            Answer::Found(found, _) | Answer::Conflict(found) => {
                *found = Some((Bytes::from("forged"), Revision(7)));
            }
            Answer::Committed(revision) => revision.0 += 10_000,
            Answer::Unknown => unreachable!("the memory engine always answers"),
        }
        let operation = &forged.operations[index];
        let is_followed = forged
            .operations
            .iter()
            .any(|later| later.called > operation.returned);
        assert!(forged.check().is_err() || !is_followed, "{operation:?}");
    }
}

/// A long history of many clients is judged in no time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn long_histories_are_judged_quickly() {
    let store = Arc::new(MemoryStore::new());
    let workload = Workload {
        clients: 32,
        keys: 2,
        steps: 200,
        seed: 7,
    };
    let history = workload.record(&[store]).await;
    assert_eq!(history.operations.len(), 6_400);
    history.check().expect("the memory engine is linearizable");
}
