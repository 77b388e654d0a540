//! The registration of an operation: its name, its route and its handler in one call.

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::MatchedPath,
    handler::Handler,
    http::{Method, request::Parts},
    routing::{MethodFilter, on},
};

use crate::platform::Platform;

/// AWS's name of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OperationName(pub(crate) &'static str);

impl Default for OperationName {
    /// The name of a request that matches no operation.
    fn default() -> Self {
        Self("unknown")
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The operations of the API.
#[derive(Debug, Default)]
pub(super) struct Operations {
    routes: Router<Arc<Platform>>,
    names: OperationNames,
}

/// The names of operations by method and route.
#[derive(Debug, Clone, Default)]
pub(super) struct OperationNames(Vec<(Method, &'static str, OperationName)>);

impl Operations {
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
        let filter = MethodFilter::try_from(method.clone()).expect("the method is a usual one");
        for route in [Some(route), route.strip_suffix('/')].into_iter().flatten() {
            self.routes = self.routes.route(route, on(filter, handler.clone()));
            self.names.0.push((method.clone(), route, OperationName(name)));
        }
        self
    }

    pub(super) fn into_parts(self) -> (Router<Arc<Platform>>, OperationNames) {
        (self.routes, self.names)
    }
}

impl OperationNames {
    /// The operation that a request asks for.
    pub(super) fn of(&self, request: &Parts) -> OperationName {
        let route = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        self.find(&request.method, route)
    }

    fn find(&self, method: &Method, route: &str) -> OperationName {
        let same = |known: &&(Method, &str, OperationName)| known.0 == *method && known.1 == route;
        self.0.iter().find(same).map(|(.., name)| *name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_with_a_slash_is_served_without_it_too() {
        let (_, names) = Operations::default()
            .with("ListFunctions", Method::GET, "/functions/", async || ())
            .with("GetFunction", Method::GET, "/functions/{name}", async || ())
            .into_parts();
        let name = |method, route| names.find(&method, route).0;
        assert_eq!(name(Method::GET, "/functions/"), "ListFunctions");
        assert_eq!(name(Method::GET, "/functions"), "ListFunctions");
        assert_eq!(name(Method::GET, "/functions/{name}"), "GetFunction");
        assert_eq!(name(Method::GET, "/functions/{name}/"), "unknown");
        assert_eq!(name(Method::POST, "/functions/"), "unknown");
        assert_eq!(name(Method::GET, ""), "unknown");
    }
}
