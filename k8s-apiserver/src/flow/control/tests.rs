//! Requests that wait for each other, in a time that stands still.

use futures::poll;
use serde_json::json;

use super::*;
use crate::flow::testing::{everybody, level, shared};

const PATIENCE: Duration = Duration::from_secs(15);

fn limits(seats: usize) -> Limits {
    Limits {
        read_only: seats,
        mutating: 0,
    }
}

fn one_seat() -> FlowControl {
    let flow = FlowControl::new(&limits(1));
    let (schemas, levels) = shared();
    flow.configure(&schemas, &levels);
    flow
}

async fn enter(flow: &FlowControl, user: &str) -> Entry {
    let user = Arc::new(User::new(user));
    let info = RequestInfo::parse(&http::Method::GET, &"/api/v1/pods".parse().unwrap());
    flow.enter(&user, &Arc::new(info.unwrap()), PATIENCE).await
}

async fn seat(flow: &FlowControl, user: &str) -> Seat {
    enter(flow, user).await.outcome.expect("there is room")
}

fn is_idle(flow: &FlowControl) -> bool {
    let state = flow.state();
    state.rooms.values().all(|room| room.hall.set().is_idle())
}

#[tokio::test(start_paused = true)]
async fn a_seat_given_back_goes_to_who_waits() {
    let flow = one_seat();
    let first = seat(&flow, "a").await;
    let mut second = Box::pin(seat(&flow, "b"));
    assert!(poll!(&mut second).is_pending());
    drop(first);
    drop(second.await);
    assert!(is_idle(&flow));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_too_long_is_told_when_to_come_back() {
    let flow = one_seat();
    let _first = seat(&flow, "a").await;
    let start = Instant::now();
    let entry = enter(&flow, "b").await;
    assert_eq!(entry.outcome.err(), Some(Duration::from_secs(1)));
    assert_eq!(start.elapsed(), PATIENCE);
    assert_eq!(
        (entry.schema, entry.level),
        (
            "uid-of-shared".try_into().unwrap(),
            "uid-of-shared".try_into().unwrap()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_waiting_takes_no_seat_along() {
    let flow = one_seat();
    let first = seat(&flow, "a").await;
    let mut gone = Box::pin(seat(&flow, "b"));
    assert!(poll!(&mut gone).is_pending());
    let mut next = Box::pin(seat(&flow, "c"));
    assert!(poll!(&mut next).is_pending());
    drop(gone);
    drop(first);
    drop(next.await);

    // Also if its turn came in between.
    let first = seat(&flow, "a").await;
    let mut called = Box::pin(seat(&flow, "b"));
    assert!(poll!(&mut called).is_pending());
    drop(first);
    drop(called);
    assert!(is_idle(&flow));
}

#[tokio::test(start_paused = true)]
async fn a_level_that_is_gone_serves_those_who_wait() {
    let flow = one_seat();
    let first = seat(&flow, "a").await;
    let mut second = Box::pin(seat(&flow, "b"));
    assert!(poll!(&mut second).is_pending());
    flow.configure(&[], &[]);
    assert!(!flow.has_level("shared"));
    assert!(flow.state().rooms["shared"].is_quiescing);
    drop(first);
    let second = second.await;
    flow.adjust();
    assert!(flow.state().rooms.contains_key("shared"));
    drop(second);
    flow.adjust();
    assert!(!flow.state().rooms.contains_key("shared"));
    seat(&flow, "c").await;
}

/// The seats that a level has now.
fn seats_of(flow: &FlowControl, level: &str) -> usize {
    flow.state().rooms[level].hall.set().limit()
}

#[tokio::test(start_paused = true)]
async fn seats_go_where_they_are_wanted_and_come_back() {
    let flow = FlowControl::new(&limits(100));
    let queuing = json!({"queues": 8, "handSize": 2, "queueLengthLimit": 500});
    let lender = |name: &str| {
        let mut level = level(name, 45, json!({"type": "Queue", "queuing": queuing}));
        level.set(&["spec", "limited", "lendablePercent"], json!(80));
        level
    };
    let busy = everybody("busy", "busy");
    let mut quiet = everybody("quiet", "quiet");
    let quiet_rules = json!([{
        "subjects": [{"kind": "User", "user": {"name": "quiet"}}],
        "resourceRules": busy.get(&["spec", "rules"]).unwrap()[0]["resourceRules"],
    }]);
    quiet.set(&["spec", "rules"], quiet_rules);
    quiet.set(&["spec", "matchingPrecedence"], json!(400));
    flow.configure(&[busy, quiet], &[lender("busy"), lender("quiet")]);

    let mut crowd: Vec<_> = (0..300).map(|_| Box::pin(seat(&flow, "busy"))).collect();
    let mut seated = Vec::new();
    for each in &mut crowd {
        if let std::task::Poll::Ready(seat) = poll!(each) {
            seated.push(seat);
        }
    }
    let at_first = seats_of(&flow, "busy");
    assert_eq!(seated.len(), at_first);
    tokio::time::advance(Duration::from_secs(10)).await;
    flow.adjust();
    assert!(seats_of(&flow, "busy") > 80, "{}", seats_of(&flow, "busy"));
    let least = seats_of(&flow, "quiet");
    assert_eq!(least, flow.state().rooms["quiet"].allotment.min);

    // What was lent comes back to whoever wants it.
    let mut quiet: Vec<_> = (0..60).map(|_| Box::pin(seat(&flow, "quiet"))).collect();
    for each in &mut quiet {
        if let std::task::Poll::Ready(seat) = poll!(each) {
            seated.push(seat);
        }
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    flow.adjust();
    assert!(seats_of(&flow, "quiet") >= flow.state().rooms["quiet"].allotment.nominal);
}

#[tokio::test(start_paused = true)]
async fn figures_are_shown_under_their_names() {
    let flow = one_seat();
    let _first = seat(&flow, "a").await;
    let mut second = Box::pin(seat(&flow, "b"));
    assert!(poll!(&mut second).is_pending());
    let mut out = Exposition::default();
    flow.expose(&mut out);
    let text = out.into_text();
    for line in [
        r#"apiserver_flowcontrol_dispatched_requests_total{flow_schema="shared",priority_level="shared"} 1"#,
        r#"apiserver_flowcontrol_current_inqueue_requests{flow_schema="shared",priority_level="shared"} 1"#,
        r#"apiserver_flowcontrol_current_executing_requests{flow_schema="shared",priority_level="shared"} 1"#,
        r#"apiserver_flowcontrol_current_executing_seats{flow_schema="catch-all",priority_level="catch-all"} 0"#,
        r#"apiserver_flowcontrol_nominal_limit_seats{priority_level="exempt"} 0"#,
        r#"apiserver_flowcontrol_nominal_limit_seats{priority_level="shared"} 1"#,
        r#"apiserver_flowcontrol_request_wait_duration_seconds_count{flow_schema="shared",priority_level="shared",execute="true"} 1"#,
    ] {
        assert!(
            text.contains(&format!("{line}\n")),
            "{line} is missing in\n{text}"
        );
    }
}
