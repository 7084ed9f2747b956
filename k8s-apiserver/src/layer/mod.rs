//! The layers between the wire and the handlers, one per file; [`crate::stack`] puts them in order.

pub mod request_info;
