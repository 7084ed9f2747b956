//! `/debug/api_priority_and_fairness/`: who waits and who runs, as tables for people.

use std::{fmt::Write, time::Duration};

use http::{HeaderValue, Method, header};
use jiff::{SignedDuration, Timestamp};

use super::{
    FlowControl,
    control::{Guest, Room},
};
use crate::{
    ApiError, Request, RequestInfo, Response, body,
    layer::{Handler, Step},
};

const PREFIX: &str = "/debug/api_priority_and_fairness/";
/// How Go writes a time that isn't.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// Answers the paths of flow control's tables.
#[derive(Debug)]
pub(crate) struct Dumps(pub(crate) FlowControl);

impl Step for Dumps {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let Some(name) = info.path.strip_prefix(PREFIX) else {
            return Ok(next.run(request).await);
        };
        let state = self.0.state();
        let mut rooms = state.rooms.values();
        let table = match name {
            "dump_priority_levels" => priority_levels(&mut rooms),
            "dump_queues" => queues(&mut rooms),
            "dump_requests" => {
                let wants_details = info
                    .param("includeRequestDetails")
                    .is_some_and(|text| !text.is_empty());
                let clock = Clock {
                    now: self.0.now(),
                    wall: Timestamp::now(),
                };
                requests(&mut rooms, clock, wants_details)
            }
            _ => return Err(ApiError::NoSuchResource),
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(ApiError::MethodNotAllowed);
        }
        let mut response = Response::new(body::full(aligned(&table)));
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        Ok(response)
    }
}

/// Rows of as many cells as the first one, which names them.
type Table = Vec<Vec<String>>;

/// Turns the moments of flow control into times of day.
#[derive(Clone, Copy)]
struct Clock {
    now: Duration,
    wall: Timestamp,
}

impl Clock {
    fn at(self, moment: Duration) -> String {
        let ago = self.now.saturating_sub(moment);
        let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::ZERO);
        self.wall.checked_sub(ago).unwrap_or(self.wall).to_string()
    }
}

fn priority_levels(rooms: &mut dyn Iterator<Item = &Room>) -> Table {
    let mut table = vec![head(
        "PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests DispatchedRequests \
         RejectedRequests TimedoutRequests CancelledRequests",
    )];
    for room in rooms {
        let set = room.hall.set();
        let tally = set.tally();
        let active = set.queues().filter(|queue| !queue.waiting.is_empty());
        table.push(vec![
            room.level.name.clone(),
            active.count().to_string(),
            set.is_idle().to_string(),
            room.is_quiescing.to_string(),
            set.waiting().to_string(),
            set.running().count().to_string(),
            tally.dispatched.to_string(),
            tally.rejected.to_string(),
            tally.timed_out.to_string(),
            tally.cancelled.to_string(),
        ]);
    }
    table
}

fn queues(rooms: &mut dyn Iterator<Item = &Room>) -> Table {
    let mut table = vec![head(
        "PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR InitialSeatsSum \
         MaxSeatsSum TotalWorkSum",
    )];
    for room in rooms {
        for (index, queue) in room.hall.set().queues().enumerate() {
            table.push(vec![
                room.level.name.clone(),
                index.to_string(),
                queue.waiting.len().to_string(),
                queue.running.to_string(),
                queue.seats_in_use.to_string(),
                queue.next_start.to_string(),
                queue.seats_waiting.to_string(),
                queue.seats_waiting.to_string(),
                queue.work_waiting.to_string(),
            ]);
        }
    }
    table
}

fn requests(rooms: &mut dyn Iterator<Item = &Room>, clock: Clock, wants_details: bool) -> Table {
    let mut titles = head(
        "PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher ArriveTime InitialSeats \
         FinalSeats AdditionalLatency StartTime",
    );
    if wants_details {
        titles.extend(head(
            "UserName Verb APIPath Namespace Name APIVersion Resource SubResource",
        ));
    }
    let mut table = vec![titles];
    for room in rooms {
        let mut add = |queue: Option<usize>,
                       place: Option<usize>,
                       guest: &Guest,
                       seats: usize,
                       arrived,
                       started| {
            let or_none =
                |number: Option<usize>| number.map_or("-1".to_owned(), |it| it.to_string());
            let mut row = vec![
                room.level.name.clone(),
                guest.counts.schema.clone(),
                or_none(queue),
                or_none(place),
                guest.distinguisher.clone(),
                clock.at(arrived),
                seats.to_string(),
                "0".to_owned(),
                "0s".to_owned(),
                match started {
                    Some(started) => clock.at(started),
                    None => NO_TIME.to_owned(),
                },
            ];
            if wants_details {
                row.extend(details(guest));
            }
            table.push(row);
        };
        let set = room.hall.set();
        for (queue, each) in set.running() {
            add(
                queue,
                None,
                &each.what,
                each.seats,
                each.arrived,
                Some(each.started),
            );
        }
        for (index, queue) in set.queues().enumerate() {
            for (place, each) in queue.waiting.iter().enumerate() {
                add(
                    Some(index),
                    Some(place),
                    &each.what,
                    each.seats,
                    each.arrived,
                    None,
                );
            }
        }
    }
    table
}

fn details(guest: &Guest) -> [String; 8] {
    let info = &*guest.info;
    [
        guest.user.name.clone(),
        info.verb.to_string(),
        info.path.clone(),
        info.namespace.clone(),
        info.name.clone(),
        info.api_version(),
        info.resource.clone(),
        info.subresource.clone(),
    ]
}

fn head(titles: &str) -> Vec<String> {
    titles.split_whitespace().map(str::to_owned).collect()
}

/// Columns at least eight wide, a comma and a space between them: as Go's `tabwriter` does it for
/// Kubernetes.
fn aligned(table: &Table) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        (widest + ", ".len()).max(8)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        let (last, others) = row.split_last().expect("a row has cells");
        for (cell, width) in others.iter().zip(&widths) {
            // Writing to a string can't fail.
            let _ = write!(text, "{:width$}", format!("{cell},"));
        }
        text.push_str(last);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &str| head(cells);
        let table = vec![
            row("Name Count Last"),
            row("a-long-name 1 x"),
            row("b 22222222 y"),
        ];
        expect![[r#"
            Name,        Count,    Last
            a-long-name, 1,        x
            b,           22222222, y
        "#]]
        .assert_eq(&aligned(&table));
    }

    #[test]
    fn moments_become_times_of_day() {
        let clock = Clock {
            now: Duration::from_secs(100),
            wall: "2026-01-01T00:01:40Z".parse().unwrap(),
        };
        assert_eq!(clock.at(Duration::from_secs(1)), "2026-01-01T00:00:01Z");
    }
}
