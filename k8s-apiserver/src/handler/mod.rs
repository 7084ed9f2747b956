//! One handler per verb: HTTP on one side, [`Registry`] on the other.
//!
//! A handler reads the options from the query, the object from the body, asks the registry, and writes the answer in
//! the form that the client accepts. It decides nothing about objects.

mod apply;
mod binding;
mod compress;
mod computed;
pub mod connect;
mod create;
mod decode;
mod delete;
mod delete_collection;
mod eviction;
mod frame;
mod get;
mod list;
mod list_options;
mod negotiate;
mod options;
mod patch;
mod respond;
mod scale;
mod table;
mod token;
mod update;
mod watch;
mod websocket;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;

pub(crate) use compress::accepts_gzip;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use delete_collection::delete_collection;
pub(crate) use eviction::evict;
pub(crate) use frame::SharedFrames;
pub(crate) use get::get;
pub(crate) use list::list;
pub use negotiate::{AnswerKind, Encoding, Format, MetaVersion, Offer, RowObject, Shape};
pub(crate) use patch::patch;
pub(crate) use respond::{document, notify, translate_status};
pub(crate) use token::token;
pub(crate) use update::update;
pub(crate) use watch::watch;

pub(crate) use binding::bind;
pub(crate) use computed::read as read_virtual;
pub(crate) use create::create_virtual;

use crate::{
    ApiError, RequestInfo, User, Verb,
    registry::{Notices, Registry, Resource, Serves, SubresourceRow, Write, WriteOptions},
    task::Tasks,
};

/// A request for a stored resource, with everything that its handler needs.
pub(crate) struct Call {
    pub(crate) registry: Arc<Registry>,
    pub(crate) resource: Arc<Resource>,
    /// The subresource, if the path names one.
    pub(crate) subresource: Option<SubresourceRow>,
    pub(crate) info: Arc<RequestInfo>,
    pub(crate) user: Arc<User>,
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    /// What the client is told beside the answer.
    pub(crate) notices: Arc<Notices>,
    /// What watchers of this server share.
    pub(crate) frames: Arc<SharedFrames>,
    /// Run what outlives the request.
    pub(crate) tasks: Tasks,
}

impl Call {
    /// The form in which the client wants its answer.
    fn format(&self) -> Result<Format, ApiError> {
        Format::negotiate(&self.parts.headers, &self.info, self.offer())
    }

    /// What forms there are of the answer.
    fn offer(&self) -> Offer {
        let answer = match self.info.verb {
            Verb::Watch => AnswerKind::Events,
            Verb::List | Verb::DeleteCollection => AnswerKind::List,
            _ => AnswerKind::One,
        };
        let of_path = || self.resource.gvk(&self.info.version);
        let subresource = self.subresource.as_ref().and_then(|row| row.kind.clone());
        Offer::new(&subresource.unwrap_or_else(of_path), answer)
    }

    /// The write that the path asks for.
    fn write<'a>(&'a self, options: &'a WriteOptions) -> Write<'a> {
        Write {
            resource: &self.resource,
            version: &self.info.version,
            subresource: &self.info.subresource,
            namespace: self.namespace(),
            name: &self.info.name,
            user: &self.user,
            options,
            notices: &self.notices,
        }
    }

    /// The namespace of the objects asked for. The path of a namespace object names it twice.
    fn namespace(&self) -> &str {
        match self.resource.row.namespaced {
            true => &self.info.namespace,
            false => "",
        }
    }

    /// Whether this is about the object's `Scale`.
    fn is_scale(&self) -> bool {
        self.subresource
            .as_ref()
            .is_some_and(|row| row.serves == Serves::Scale)
    }

    /// The body's media type.
    fn content_type(&self) -> Option<&str> {
        let value = self.parts.headers.get(http::header::CONTENT_TYPE)?;
        value.to_str().ok()
    }
}
