//! What a proxied server says about itself, made true for whoever asked through `/proxy`: links that
//! begin at its root begin at the proxy's path instead.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, header};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};

use super::html::Links;
use crate::{Body, Response};

/// Where a proxied server is, as the client sees it and as it sees itself.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The path of `/proxy`, without a slash at its end.
    pub(super) prefix: String,
    /// Under which names it may call itself: its address, and the host that the client asked.
    pub(super) hosts: Vec<String>,
}

impl Place {
    /// The link as it must be for the client; `None` if it is right as it is.
    pub(super) fn moved(&self, link: &str) -> Option<String> {
        let path = match link.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let is_own = self.hosts.iter().any(|host| *host == rest[..end]);
                // Nothing of the scheme stays: the client is on the proxy's.
                let path = link.get(scheme.len() + 3 + end..).filter(|_| is_own)?;
                if path.starts_with('/') {
                    path.to_owned()
                } else {
                    format!("/{path}")
                }
            }
            _ if link.starts_with('/') && !link.starts_with("//") => link.to_owned(),
            _ => return None,
        };
        let within = path.strip_prefix(&self.prefix);
        let is_within =
            within.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        match is_within {
            true => (path != link).then_some(path),
            false => Some(format!("{}{path}", self.prefix)),
        }
    }

    /// Moves a response's redirect and, in a page, its links; and takes away what would let other
    /// origins' scripts read it.
    pub(super) fn rewrite(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        for name in CORS {
            headers.remove(name);
        }
        let location = text(headers, header::LOCATION);
        if let Some(location) = location {
            if let Some(moved) = self.moved(&location).and_then(|moved| moved.parse().ok()) {
                headers.insert(header::LOCATION, moved);
            }
            return response;
        }
        let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default();
        let is_page = kind.split(';').next().map(str::trim) == Some("text/html");
        if !is_page || headers.contains_key(header::CONTENT_ENCODING) {
            return response;
        }
        headers.remove(header::CONTENT_LENGTH);
        response.map(|body| page(body, self))
    }
}

const CORS: [http::HeaderName; 4] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
];

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    let value: Option<&HeaderValue> = headers.get(name);
    value
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// A page whose links are moved as it passes.
fn page(body: Body, place: Place) -> Body {
    let mut links = Links::new(place);
    let end = futures::stream::once(async { None });
    let frames = BodyStream::new(body).map(Some).chain(end);
    let frames = frames.filter_map(move |frame| {
        let moved = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Some(Ok(data_frame(links.push(&data)))),
                Err(trailers) => Some(Ok(trailers)),
            },
            Some(Err(error)) => Some(Err(error)),
            None => Some(Ok(data_frame(links.finish()))),
        };
        std::future::ready(moved)
    });
    StreamBody::new(frames).boxed_unsync()
}

fn data_frame(data: BytesMut) -> Frame<Bytes> {
    Frame::data(data.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    fn place() -> Place {
        Place {
            prefix: "/api/v1/namespaces/a/pods/p/proxy".into(),
            hosts: vec!["10.1.0.2:80".into()],
        }
    }

    #[test]
    fn links_to_the_root_move_under_the_proxy() {
        let moved = |link: &str| place().moved(link);
        let under = |path: &str| Some(format!("/api/v1/namespaces/a/pods/p/proxy{path}"));
        assert_eq!(moved("/x?y=1#z"), under("/x?y=1#z"));
        assert_eq!(moved("http://10.1.0.2:80/x"), under("/x"));
        assert_eq!(moved("https://10.1.0.2:80"), under("/"));
        assert_eq!(
            moved("/api/v1/namespaces/a/pods/p/proxyx"),
            under("/api/v1/namespaces/a/pods/p/proxyx")
        );
        for right in [
            "x/y",
            "?page=2",
            "#top",
            "//elsewhere/x",
            "http://elsewhere/x",
            "mailto:me@here",
            "/api/v1/namespaces/a/pods/p/proxy/x",
            "/api/v1/namespaces/a/pods/p/proxy",
        ] {
            assert_eq!(moved(right), None, "{right}");
        }
    }

    #[tokio::test]
    async fn only_pages_are_rewritten() {
        for (kind, expected) in [
            (
                "text/html; charset=utf-8",
                "<a href=\"/api/v1/namespaces/a/pods/p/proxy/x\">",
            ),
            ("text/plain", "<a href=\"/x\">"),
        ] {
            let response = http::Response::builder()
                .header(header::CONTENT_TYPE, kind)
                .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
                .body(body::full("<a href=\"/x\">"))
                .unwrap();
            let response = place().rewrite(response);
            assert!(
                !response
                    .headers()
                    .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            );
            let page = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(page, expected, "{kind}");
        }
    }
}
