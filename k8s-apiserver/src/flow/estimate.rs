//! How many seats a request takes: one, but for lists and for watches that begin with one.
//!
//! Those are weighed by the memory that they take at once, as Kubernetes does since 1.34
//! (SizeBasedListCostEstimate): a seat for each 100 kB, for at most the megabyte after which a list
//! from the cache is sent in pieces. What a write costs its watchers isn't counted, as in Kubernetes,
//! where the code for it is switched off.

use crate::{RequestInfo, Verb};

/// Bytes that a seat stands for.
const BYTES_PER_SEAT: usize = 100_000;
/// Bytes of a list from the cache that are in memory at once.
const STREAMED_BYTES: usize = 1_000_000;
/// The most seats that any request takes.
const MOST_SEATS: usize = 100;

/// What there is of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stock {
    /// How many objects.
    pub(crate) count: usize,
    /// How large one is, in bytes; a guess.
    pub(crate) bytes_each: usize,
}

/// Tells what there is of a resource, by group and plural; none if nobody stores it here.
pub(crate) trait Census: Send + Sync + 'static {
    /// What there is now.
    fn stock(&self, group: &str, resource: &str) -> Option<Stock>;
}

/// The seats of a request, at most `widest`.
pub(crate) fn seats(info: &RequestInfo, widest: usize, census: Option<&dyn Census>) -> usize {
    let is_list = match info.verb {
        Verb::List => true,
        Verb::Watch => info.flag("sendInitialEvents"),
        _ => false,
    };
    let Some(census) = census.filter(|_| is_list) else {
        return 1;
    };
    let Some(stock) = census.stock(&info.group, &info.resource) else {
        return 1;
    };
    let limit = info.param("limit").and_then(|limit| limit.parse().ok());
    let count = match limit.filter(|limit| *limit > 0) {
        _ if !info.name.is_empty() => 1,
        Some(limit) => stock.count.min(limit),
        None => stock.count,
    };
    let bytes = (count * stock.bytes_each).min(STREAMED_BYTES);
    bytes
        .div_ceil(BYTES_PER_SEAT)
        .clamp(1, widest.clamp(1, MOST_SEATS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five thousand pods of two kilobytes.
    struct Pods;

    impl Census for Pods {
        fn stock(&self, _: &str, resource: &str) -> Option<Stock> {
            (resource == "pods").then_some(Stock {
                count: 5000,
                bytes_each: 2000,
            })
        }
    }

    #[track_caller]
    fn check(method: &str, uri: &str, expected: usize) {
        let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
        assert_eq!(seats(&info, 37, Some(&Pods)), expected, "{method} {uri}");
    }

    #[test]
    fn lists_take_seats_by_their_size() {
        check("GET", "/api/v1/pods", 10);
        check("GET", "/api/v1/pods?limit=500", 10);
        check("GET", "/api/v1/pods?limit=120", 3);
        check("GET", "/api/v1/pods?limit=1", 1);
        check("GET", "/api/v1/pods?limit=0", 10);
        check("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dp", 1);
        check("GET", "/api/v1/nodes", 1);
        check("GET", "/api/v1/pods?watch=1&sendInitialEvents=true", 10);
    }

    #[test]
    fn everything_else_takes_one() {
        check("GET", "/api/v1/pods?watch=1", 1);
        check("GET", "/api/v1/namespaces/a/pods/p", 1);
        check("POST", "/api/v1/namespaces/a/pods", 1);
        check("GET", "/version", 1);
    }

    #[test]
    fn a_small_level_gives_few() {
        let uri = "/api/v1/pods".parse().unwrap();
        let info = RequestInfo::parse(&http::Method::GET, &uri).unwrap();
        assert_eq!(seats(&info, 4, Some(&Pods)), 4);
        assert_eq!(seats(&info, 4, None), 1);
    }
}
