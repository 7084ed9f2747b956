//! What a type must be for an informer to hold it.

use std::fmt::Debug;

use kube::Resource;
use serde::de::DeserializeOwned;

/// Anything that can be listed and watched: typed objects, and metadata of kinds found at run time
/// (`PartialObjectMeta<DynamicObject>`). Implemented for all that qualifies.
pub trait Watched: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}
impl<K> Watched for K where K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}

/// A typed object: its kind is known at compile time, so that a [`Hub`](crate::Hub) can make its
/// informer from the type alone. Implemented for all that qualifies.
pub trait Object: Watched + Resource<DynamicType = ()> {}
impl<K> Object for K where K: Watched + Resource<DynamicType = ()> {}
