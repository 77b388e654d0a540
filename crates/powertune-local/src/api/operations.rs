//! The registration of an operation: its name, its route and its handler in one call.

use std::{fmt, sync::Arc};

use axum::{
    Router,
    handler::Handler,
    http::Method,
    middleware::from_fn_with_state,
    routing::{MethodFilter, on},
};

use super::{identify_signer, unknown_operation};
use crate::platform::Platform;

/// AWS's name of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OperationName(pub(crate) &'static str);

const UNKNOWN: OperationName = OperationName("unknown");

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The routes of the API. Each handler runs after [`identify_signer`], which gets the name.
#[derive(Debug)]
pub(super) struct Operations {
    platform: Arc<Platform>,
    routes: Router<Arc<Platform>>,
}

impl Operations {
    pub(super) fn new(platform: Arc<Platform>) -> Self {
        Self { platform, routes: Router::new() }
    }

    /// Adds an operation. A route that ends in a slash is served without the slash too.
    pub(super) fn with<H, T>(
        mut self,
        name: &'static str,
        method: Method,
        route: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<Platform>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method).expect("the method is a usual one");
        let named = (Arc::clone(&self.platform), OperationName(name));
        let handler = handler.layer(from_fn_with_state(named, identify_signer));
        for route in [Some(route), route.strip_suffix('/')].into_iter().flatten() {
            self.routes = self.routes.route(route, on(filter, handler.clone()));
        }
        self
    }

    pub(super) fn into_routes(self) -> Router<Arc<Platform>> {
        let unknown = (self.platform, UNKNOWN);
        let unknown = unknown_operation.layer(from_fn_with_state(unknown, identify_signer));
        self.routes.fallback(unknown.clone()).method_not_allowed_fallback(unknown)
    }
}
